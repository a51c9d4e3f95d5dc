//! Networks as JSON.

use super::Panics;
use ntk_kernels::Network;
use ntk_kernels::network::*;

#[test]
fn json() {
    let mut panics = Panics::default();
    let deep = |depth: usize| {
        let open = r#"{"branch":{"paths":[["#.repeat(depth);
        format!(r#"{{"layers":[{open}"dense"{}]}}"#, "]]}}".repeat(depth))
    };
    let mut texts: Vec<String> = [
        "",
        " ",
        "null",
        "0",
        "[]",
        "{}",
        "\"",
        "\u{0}",
        "{\"layers\"",
        r#"{"layers":{}}"#,
        r#"{"layers":null}"#,
        r#"{"layers":[null]}"#,
        r#"{"layers":[[]]}"#,
        r#"{"layers":[{}]}"#,
        r#"{"layers":[""]}"#,
        r#"{"layers":["dense"],"layer":1}"#,
        r#"{"layers":["dense"],"layers":[]}"#,
        r#"{"layers":["dense"],"parameterization":7}"#,
        r#"{"layers":[{"dense":null}]}"#,
        r#"{"layers":[{"dense":{"width":-1}}]}"#,
        r#"{"layers":[{"dense":{"width":1e400}}]}"#,
        r#"{"layers":[{"dense":{"width":18446744073709551615}}]}"#,
        r#"{"layers":[{"dense":{"width":1,"width":2}}]}"#,
        r#"{"layers":[{"dense":{},"conv":{}}]}"#,
        r#"{"layers":[{"conv":{"filter":[]}}]}"#,
        r#"{"layers":[{"conv":{"filter":[18446744073709551615,0]}}]}"#,
        r#"{"layers":[{"avg_pool":"x"}]}"#,
        r#"{"layers":[{"layer_norm":{"axes":[-9223372036854775808]}}]}"#,
        r#"{"layers":[{"branch":{"paths":[]}}]}"#,
        r#"{"layers":[{"branch":{"paths":[7]}}]}"#,
        r#"{"layers":[{"branch":{"paths":[[7]],"merge":"x"}}]}"#,
        r#"{"layers":[{"hermite":{"degree":4294967295}}]}"#,
        r#"{"layers":[{"polynomial":{"coefficients":[]}}]}"#,
        r#"{"layers":[{"quadrature":{"function":"tanh","nodes":0}}]}"#,
        r#"{"layers":["closed_form","numerical"]}"#,
        r#"{"layers":[{"position_map":{"matrix":{"file":7}}}]}"#,
        r#"{"layers":[{"position_map":{"axes":[1],"matrix":{"file":"\u0000"}}}]}"#,
        r#"{"layers":[{"branch":{"paths":[{"position_map":{"matrix":{"file":""}}}]}}]}"#,
    ]
    .map(String::from)
    .to_vec();
    texts.extend([1, 20, 31, 32, 127, 128, 100_000].map(deep));
    texts.push("[".repeat(1_000_000));
    for text in &texts {
        let name = &text[..text.len().min(80)];
        panics.call(format!("from_json {name}"), || {
            Network::from_json(text).is_ok()
        });
        panics.call(format!("from_json_or {name}"), || {
            Network::from_json_or(text, Parameterization::Standard).is_ok()
        });
        for rows in [Ok(vec![]), Ok(vec![vec![f64::NAN]]), Err("\u{0}".into())] {
            panics.call(format!("from_json_with {name}"), || {
                let mut read = |_: &str| rows.clone();
                Network::from_json_with(text, Parameterization::Ntk, &mut read).is_ok()
            });
        }
        panics.call(format!("escaped {name}"), || {
            let shown = [ntk_kernels::text::escaped(text)];
            assert!(!shown[0].contains(char::is_control));
            ntk_kernels::text::listed(&shown)
        });
        panics.call(format!("serde {name}"), || {
            serde_json::from_str::<Network>(text).is_ok()
        });
    }
    let mut nested = Network::new().then(dense());
    for depth in 0..500 {
        nested = Network::new().then(residual(nested));
        let read = panics.call(format!("a network {depth} deep"), || {
            let found = nested.output(Shape::features(2)).is_ok();
            // What resolves can be written and read.
            assert!(!found || Network::from_json(&nested.to_json()).is_ok());
            found
        });
        assert_eq!(read, Some(depth < 30), "{depth}");
    }
    panics.none();
}

#[test]
fn mistakes_in_json_are_named_with_their_path() {
    let said = |text: &str| Network::from_json(text).unwrap_err().to_string();
    let at = "layers[1].branch.paths[0][0]";
    let inside = |layer: &str| {
        said(&format!(
            r#"{{"layers":["relu",{{"branch":{{"paths":[[{layer}]]}}}}]}}"#
        ))
    };
    assert!(inside(r#""dens""#).starts_with(&format!("{at}: unknown layer \"dens\"")));
    assert!(inside("[]").starts_with(&format!("{at}: a layer must be")));
    let unknown = inside(r#"{"dense":{"widht":3}}"#);
    assert!(unknown.starts_with(&format!("{at}.dense has no option \"widht\"")));
    let text = r#"{"layers":["relu",{"branch":{"paths":[[
        {"position_map":{"axes":[1],"matrix":{"file":"m.npy"}}}]]}}]}"#;
    let mut read = |file: &str| Err(format!("{file} is not there"));
    let absent = Network::from_json_with(text, Parameterization::Ntk, &mut read);
    let place = format!("{at}.position_map.matrix");
    let (file, reason) = ("m.npy".into(), "m.npy is not there".into());
    let expected = NetworkError::File {
        place,
        file,
        reason,
    };
    assert_eq!(absent, Err(expected));
    let twice = inside(r#"{"dense":{"width":3,"width":4}}"#);
    assert!(twice.contains("the key \"width\" occurs twice"), "{twice}");
}
