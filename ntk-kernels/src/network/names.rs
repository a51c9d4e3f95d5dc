//! Finds what a name that does not exist was meant to be.

/// The layers by the names that other libraries give them, as far as those are not alike anyway.
const LAYERS: &[(&str, &str)] = &[
    ("linear", "dense"),
    ("fc", "dense"),
    ("fullyconnected", "dense"),
    ("convolution", "conv"),
    ("convgeneral", "conv"),
    ("averagepooling", "avg_pool"),
    ("averagepool", "avg_pool"),
    ("globalaveragepooling", "global_avg_pool"),
    ("globalaveragepool", "global_avg_pool"),
    ("adaptiveavgpool", "global_avg_pool"),
    ("layernormalization", "layer_norm"),
    ("rectifier", "relu"),
    ("leakyrectifier", "leaky_relu"),
    ("residual", "branch"),
    ("skip", "branch"),
    ("parallel", "branch"),
    ("selfattention", "attention"),
    ("multiheadattention", "attention"),
    ("globalselfattention", "attention"),
    ("sine", "sin"),
    ("cosine", "cos"),
];

/// The functions that a quadrature knows, by the names that they have as layers elsewhere.
const FUNCTIONS: &[(&str, &str)] = &[
    ("tanh", "tanh"),
    ("softplus", "softplus"),
    ("silu", "silu"),
    ("swish", "silu"),
    ("sigmoid", "sigmoid"),
    ("logistic", "sigmoid"),
];

/// The layers of other libraries that have no counterpart, and what to do.
const ABSENT: &[(&str, &str)] = &[
    (
        "batchnorm",
        "there is no batch normalisation, which ties all samples together; layer_norm normalises each sample by itself",
    ),
    (
        "batchnormalization",
        "there is no batch normalisation, which ties all samples together; layer_norm normalises each sample by itself",
    ),
    ("elu", NOT_KNOWN),
    ("selu", NOT_KNOWN),
    ("celu", NOT_KNOWN),
    ("prelu", NOT_KNOWN),
    ("mish", NOT_KNOWN),
    ("softsign", NOT_KNOWN),
    ("hardtanh", NOT_KNOWN),
    (
        "maxpool",
        "there is no maximum pool, which has no kernel in closed form; use avg_pool",
    ),
    (
        "maxpooling",
        "there is no maximum pool, which has no kernel in closed form; use avg_pool",
    ),
];

const NOT_KNOWN: &str = "this function is not known; {\"quadrature\": {\"function\": ...}} knows tanh, softplus, silu and sigmoid";

/// The options by the names that other libraries give them.
const OPTIONS: &[(&str, &str)] = &[
    ("units", "width"),
    ("features", "width"),
    ("outfeatures", "width"),
    ("features", "channels"),
    ("filters", "channels"),
    ("outchannels", "channels"),
    ("kernelsize", "filter"),
    ("kernel", "filter"),
    ("poolsize", "window"),
    ("windowshape", "window"),
    ("kernelsize", "window"),
    ("bias", "b_std"),
    ("usebias", "b_std"),
    ("rate", "keep"),
    ("p", "keep"),
    ("negativeslope", "slope"),
    ("alpha", "slope"),
    ("axis", "axes"),
    ("epsilon", "eps"),
];

/// Writes a name as different libraries agree on it: `Conv2d` and `conv_2D` are `conv`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let name: String = letters.flat_map(char::to_lowercase).collect();
    let dimensions = ["1d", "2d", "3d"];
    let ending = dimensions.iter().find_map(|end| name.strip_suffix(end));
    ending.map_or(name.clone(), str::to_string)
}

/// Counts the letters to be changed, left out or put in to make one word of the other.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, &b) in two.iter().enumerate() {
            let change = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The longest name that is compared with others letter by letter.
const LONGEST: usize = 40;

/// Returns the known name that is most like `name`, if one is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(name);
    if wanted.chars().count() > LONGEST {
        return None;
    }
    let by_distance = known.map(|each| (distance(&wanted, &plain(each)), each));
    let (distance, nearest) = by_distance.min_by_key(|(distance, _)| *distance)?;
    (distance <= (wanted.chars().count() + 1) / 3).then_some(nearest)
}

/// Says in words what to write in place of a layer's name that does not exist.
pub(super) fn instead_of_layer<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let wanted = plain(name);
    let of = |list: &[(&str, &'static str)]| {
        let mut found = list.iter().filter(|(theirs, _)| *theirs == wanted);
        found.next().map(|&(_, ours)| ours)
    };
    if let Some(advice) = of(ABSENT) {
        return advice.into();
    }
    if let Some(function) = of(FUNCTIONS) {
        return format!("write {{\"quadrature\": {{\"function\": \"{function}\"}}}}");
    }
    let nearest = of(LAYERS).or_else(|| nearest(name, known.iter().copied()));
    match nearest {
        Some(nearest) => format!("write \"{nearest}\""),
        None => format!("use one of {}", known.join(", ")),
    }
}

/// Says in words which options there are in place of one that does not exist.
pub(crate) fn instead_of_option(name: &str, known: &[&str]) -> String {
    let wanted = plain(name);
    let mut theirs = OPTIONS
        .iter()
        .filter(|(theirs, ours)| *theirs == wanted && known.contains(ours));
    let nearest = match theirs.next() {
        Some(&(_, ours)) => Some(ours),
        None => nearest(name, known.iter().copied()),
    };
    match (nearest, known) {
        (Some("keep"), _) => {
            "write \"keep\", the probability that a value is kept: 1 - rate".into()
        }
        (Some("b_std"), _) if wanted != "bstd" => {
            "write \"b_std\": 0 for a bias that starts at zero, and leave it out for none".into()
        }
        (Some(nearest), _) => format!("write \"{nearest}\""),
        (None, []) => "it has none".into(),
        (None, known) => format!("it has {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    #[test]
    fn words_of_other_libraries_lead_to_ours() {
        for (name, advice) in [
            ("ReLU", "write \"relu\""),
            ("Dense", "write \"dense\""),
            ("Linear", "write \"dense\""),
            ("Conv2d", "write \"conv\""),
            ("leakyrelu", "write \"leaky_relu\""),
            ("global_average_pool", "write \"global_avg_pool\""),
            ("rellu", "write \"relu\""),
            ("tanh", "write {\"quadrature\": {\"function\": \"tanh\"}}"),
            ("Tanh", "write {\"quadrature\": {\"function\": \"tanh\"}}"),
            (
                "sigmoid",
                "write {\"quadrature\": {\"function\": \"sigmoid\"}}",
            ),
            (
                "softplus",
                "write {\"quadrature\": {\"function\": \"softplus\"}}",
            ),
            ("swish", "write {\"quadrature\": {\"function\": \"silu\"}}"),
            ("BatchNorm2d", "there is no batch normalisation"),
            ("max_pool", "there is no maximum pool"),
            ("ELU", "this function is not known"),
            ("transformer", "use one of dense, conv"),
        ] {
            let text = format!(r#"{{"layers": ["dense", "{name}"]}}"#);
            let error = Network::from_json(&text).unwrap_err().to_string();
            let start = format!("layers[1]: unknown layer \"{name}\"; {advice}");
            assert!(error.starts_with(&start), "{error}");
        }
        for (options, said) in [
            (
                r#"{"dense": {"widht": 3}}"#,
                "dense has no option \"widht\"; write \"width\"",
            ),
            (
                r#"{"dense": {"units": 3}}"#,
                "dense has no option \"units\"; write \"width\"",
            ),
            (r#"{"conv": {"kernel_size": [3]}}"#, "write \"filter\""),
            (r#"{"conv": {"stride": [3]}}"#, "write \"strides\""),
            (
                r#"{"dense": {"use_bias": true}}"#,
                "write \"b_std\": 0 for a bias",
            ),
            (
                r#"{"dropout": {"rate": 0.5}}"#,
                "write \"keep\", the probability",
            ),
            (r#"{"dense": {"colour": 3}}"#, "it has width, w_std, b_std"),
            (
                r#"{"relu": {"slope": 1}}"#,
                "relu has no option \"slope\"; it has none",
            ),
            (
                r#"{"erf": {"A": 1}}"#,
                "erf has no option \"A\"; write \"a\"",
            ),
        ] {
            let text = format!(r#"{{"layers": [{options}]}}"#);
            let error = Network::from_json(&text).unwrap_err().to_string();
            assert!(
                error.starts_with("layers[0].") && error.contains(said),
                "{error}"
            );
        }
    }

    #[test]
    fn distances_by_hand() {
        for (one, two, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("widht", "width", 2),
            ("rellu", "relu", 1),
            ("dens", "dense", 1),
        ] {
            assert_eq!(distance(one, two), expected);
            assert_eq!(distance(two, one), expected);
        }
    }
}
