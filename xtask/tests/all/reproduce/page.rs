//! The page of a run, in a browser.

use super::webdriver::Browser;
use serde_json::{Value, json};
use std::path::Path;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const WIDTHS: [u32; 3] = [390, 768, 1280];
const THEMES: [&str; 2] = ["light", "dark"];

/// Checks `index.html` in `out`, a run of these experiments; says so where there is no browser.
/// Writes pictures into the folder that NTK_SCREENSHOTS names.
pub(crate) fn check(out: &Path, experiments: &[&str]) {
    let Some(browser) = Browser::start() else {
        return;
    };
    let out = out.canonicalize().unwrap();
    let address = format!("file://{}/index.html", out.display());
    browser.resize(1280, 900);
    browser.go(&address);
    for experiment in experiments {
        section(&browser, experiment, &super::results(&out.join(experiment)));
    }
    links(&browser, &out);
    sorting(&browser);
    zoom(&browser);
    theme(&browser);
    reading(&browser, &address);
    let messages = browser.log();
    assert!(messages.is_empty(), "{messages:?}");
    nothing_leaves(&browser, &address);
    if let Some(folder) = std::env::var_os("NTK_SCREENSHOTS") {
        screenshots(&browser, &address, Path::new(&folder));
    }
}

/// The words of an experiment's section, its pictures and its tables are those of its results.
fn section(browser: &Browser, name: &str, results: &Value) {
    let found = browser.run(
        "const section = document.getElementById(arguments[0]);
         const all = (selector) => [...section.querySelectorAll(selector)];
         const part = (title) => document.getElementById(`${arguments[0]}_${title}`)?.textContent ?? '';
         return section && {
             question: section.querySelector('.question').innerText,
             seen: section.innerText,
             sizes: all('img').map((i) => [i.naturalWidth, i.naturalHeight, i.complete]),
             captions: all('figcaption').map((c) => c.textContent),
             rows: all('tbody tr').length,
             settings: part('settings'), time: part('time'), environment: part('environment'),
             facts: section.querySelector('.facts').textContent,
             overview: document.querySelector(`#overview a[href='#${arguments[0]}']`)
                 .closest('tr').textContent,
         };",
        &json!([name]),
    );
    assert!(found.is_object(), "{name} has no section");
    let text = |key: &str| found[key].as_str().unwrap();
    assert!(
        text("question").ends_with('?'),
        "{name}: {}",
        found["question"]
    );
    let figures = results["figures"].as_array().unwrap();
    let captions: Vec<&Value> = figures.iter().map(|figure| &figure["caption"]).collect();
    assert_eq!(found["captions"], json!(captions), "{name}");
    let sizes = found["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), figures.len(), "{name}");
    for size in sizes {
        let decoded = size[0].as_u64() > Some(0) && size[1].as_u64() > Some(0);
        assert!(
            decoded && size[2] == true,
            "{name}: a picture of size {size}"
        );
    }
    let values = results["values"].as_array().unwrap().len();
    assert_eq!(found["rows"], values, "{name}");
    let data = &results["data"];
    let scale = results["settings"]["scale"].as_str().unwrap();
    for word in [
        scale,
        data["name"].as_str().unwrap(),
        data["sha256"].as_str().unwrap(),
    ] {
        assert!(text("seen").contains(word), "{name} does not show {word}");
    }
    let set = data["name"].as_str().unwrap();
    for part in ["facts", "overview"] {
        let shown = text(part);
        assert!(
            shown.contains(scale) && shown.contains(set),
            "{name}, {part}: {shown}"
        );
    }
    let environment = results["environment"].as_object().unwrap();
    for value in environment.values() {
        let value = value.as_str().map_or(value.to_string(), String::from);
        assert!(text("environment").contains(&value), "{name}: {value}");
    }
    for (part, names) in [
        ("settings", &results["settings"]),
        ("time", &results["seconds"]),
    ] {
        for key in names.as_object().unwrap().keys() {
            let words = key.replace('_', " ");
            assert!(text(part).contains(&words), "{name}, {part}: {words}");
        }
    }
}

/// Every link leads to an element of the page or to a file in the folder.
fn links(browser: &Browser, out: &Path) {
    let links = browser.run(
        "return [...document.querySelectorAll('a')].map((a) => a.getAttribute('href'));",
        &json!([]),
    );
    let links = links.as_array().unwrap();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        let link = link.as_str().expect("an anchor without address");
        match link.strip_prefix('#') {
            Some(id) => {
                let found = browser.run(
                    "return document.querySelectorAll(`[id=\"${arguments[0]}\"]`).length;",
                    &json!([id]),
                );
                assert_eq!(found, 1, "elements that {link} leads to");
            }
            None => assert!(out.join(link).is_file(), "{link} leads nowhere"),
        }
    }
    let [json, csv] = [".json", ".csv"].map(|end| {
        let of = |link: &&Value| link.as_str().unwrap().ends_with(end);
        links.iter().filter(of).count()
    });
    assert!(json > 0 && csv > 0, "{json} links to JSON, {csv} to CSV");
}

/// Each column of a table by mouse and keyboard: up, then down, numbers by their value.
fn sorting(browser: &Browser) {
    // The columns of plain numbers of a table that is not folded, in the order of the page.
    let columns = browser.run(
        "const number = (cell) => cell.textContent.trim() !== '' && isFinite(cell.textContent);
         return [...document.querySelectorAll('table.results')].flatMap((table, t) => {
             const rows = [...table.tBodies[0].rows];
             if (rows.length < 3 || !table.checkVisibility()) return [];
             return [...table.tHead.rows[0].cells].flatMap((head, c) =>
                 rows.every((row) => number(row.cells[c])) ? [[t, c]] : []);
         });",
        &json!([]),
    );
    let columns = columns.as_array().unwrap();
    assert!(!columns.is_empty(), "no table with numbers");
    let mut moved = false;
    for (index, column) in columns.iter().enumerate() {
        let read = || {
            let read = browser.run(
                "const [t, c] = arguments[0];
                 const table = document.querySelectorAll('table.results')[t];
                 const head = table.tHead.rows[0].cells[c];
                 head.querySelector('button').id = 'sorted';
                 return [head.getAttribute('aria-sort'),
                     [...table.tBodies[0].rows].map((row) => Number(row.cells[c].textContent))];",
                &json!([column]),
            );
            let numbers: Vec<f64> = serde_json::from_value(read[1].clone()).unwrap();
            (read[0].clone(), numbers)
        };
        let (state, before) = read();
        assert!(state.is_null(), "{column} is sorted already: {state}");
        let mut up = before.clone();
        up.sort_by(f64::total_cmp);
        let down: Vec<f64> = up.iter().rev().copied().collect();
        moved |= before != up;
        for (state, sorted) in [("ascending", up), ("descending", down)] {
            // One column by the mouse, the next by the keyboard.
            if index % 2 == 0 {
                browser.click("#sorted");
            } else {
                browser.run("document.getElementById('sorted').focus();", &json!([]));
                browser.press(ENTER);
            }
            assert_eq!(read(), (json!(state), sorted), "column {column}");
        }
        browser.run(
            "document.getElementById('sorted').removeAttribute('id');",
            &json!([]),
        );
    }
    assert!(moved && columns.len() > 1, "nothing to sort: {columns:?}");
}

/// A figure fills the window, grows by key and button, and closes by Escape.
fn zoom(browser: &Browser) {
    let state = || {
        browser.run(
            "const [dialog, image] = [document.getElementById('zoom'), document.querySelector('#zoom img')];
             return {open: dialog.open, width: image.clientWidth, height: image.clientHeight,
                 view: [image.parentElement.clientWidth, image.parentElement.clientHeight],
                 box: [dialog.clientWidth, dialog.clientHeight, innerWidth, innerHeight],
                 scroll: image.parentElement.scrollLeft,
                 outside: dialog.querySelector('.tools').getBoundingClientRect().top < 0,
                 back: document.activeElement === document.querySelector('button.zoom')};",
            &json!([]),
        )
    };
    assert_eq!(state()["open"], false);
    browser.run("document.querySelector('button.zoom').focus();", &json!([]));
    browser.press(ENTER);
    let wait = |what: &str, ready: &dyn Fn(&Value) -> bool| {
        for _ in 0..100 {
            let now = state();
            if ready(&now) {
                return now;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{what}: {}", state());
    };
    let width = |state: &Value| state["width"].as_u64().unwrap();
    let fit = wait("a figure that fits the window", &|s| {
        let touches = |side: &str, at: usize| {
            let (side, room) = (s[side].as_u64().unwrap(), s["view"][at].as_u64().unwrap());
            // Rounded down to whole pixels, and the other side in its proportion.
            side <= room && side + 3 >= room
        };
        s["open"] == true && (touches("width", 0) || touches("height", 1))
    });
    let boxes = &fit["box"];
    assert_eq!(
        (&boxes[0], &boxes[1]),
        (&boxes[2], &boxes[3]),
        "the dialog in the window"
    );
    browser.press("+");
    let larger = state();
    assert!(
        4 * width(&larger) > 4 * width(&fit) + width(&fit) / 2,
        "{larger} after {fit}"
    );
    browser.click("#zoom [data-zoom=in]");
    assert!(width(&state()) > width(&larger));
    browser.press("++++++");
    let before = state();
    assert!(before["outside"] == false, "the buttons stay in the window");
    browser.run("document.querySelector('#zoom .view').focus();", &json!([]));
    // The right arrow.
    browser.press("\u{e014}\u{e014}");
    wait("arrows scroll", &|s| {
        s["scroll"].as_f64() > before["scroll"].as_f64()
    });
    browser.press("-");
    assert!(width(&state()) < width(&before));
    browser.press("0");
    assert_eq!(width(&state()), width(&fit));
    browser.press(ESCAPE);
    wait("closed, with the focus where it was", &|s| {
        s["open"] == false && s["back"] == true
    });
    browser.click("button.zoom");
    wait("opened by the mouse", &|s| s["open"] == true);
    browser.click("#zoom form button");
    wait("closed by its button", &|s| s["open"] == false);
}

/// The button changes the theme, and back.
fn theme(browser: &Browser) {
    let paper = || {
        browser.run(
            "return getComputedStyle(document.body).backgroundColor;",
            &json!([]),
        )
    };
    let first = paper();
    browser.click("#theme");
    assert_ne!(paper(), first);
    browser.run("document.getElementById('theme').focus();", &json!([]));
    browser.press(" ");
    assert_eq!(paper(), first);
}

/// At every width and in both themes: nothing is wider than the window, and all text has a
/// contrast of at least 4.5 to what is behind it (WCAG 2.2, 1.4.3).
fn reading(browser: &Browser, address: &str) {
    let mut papers = Vec::new();
    for theme in THEMES {
        for width in WIDTHS {
            browser.resize(width, 900);
            browser.go(&format!("{address}#{theme}"));
            let found = browser.run(
                "document.querySelectorAll('details').forEach((d) => { d.open = true; });
                 const root = document.documentElement;
                 // Of an element that no box around it scrolls.
                 const free = (e) => !e.closest('.scroll, .contents, dialog, .skip');
                 const wide = [...document.body.querySelectorAll('*')].filter((e) =>
                     free(e) && e.getBoundingClientRect().right > innerWidth + 1);
                 const color = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
                 const light = ([r, g, b]) => [r, g, b]
                     .map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
                     .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
                 const behind = (e) => {
                     for (; e; e = e.parentElement) {
                         const back = color(getComputedStyle(e).backgroundColor);
                         if (back.length === 3 || back[3] > 0) return back;
                     }
                     return [255, 255, 255];
                 };
                 const low = new Set();
                 let texts = 0;
                 const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                 while (walker.nextNode()) {
                     const e = walker.currentNode.parentElement;
                     if (!walker.currentNode.data.trim() || !e.checkVisibility()) continue;
                     texts += 1;
                     const [a, b] = [light(color(getComputedStyle(e).color)), light(behind(e))];
                     const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                     if (ratio < 4.5) low.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
                 }
                 return {overflow: root.scrollWidth - root.clientWidth, inner: innerWidth, texts,
                     wide: wide.slice(0, 5).map((e) => `${e.tagName}.${e.className}`), low: [...low],
                     paper: getComputedStyle(document.body).backgroundColor};",
                &json!([]),
            );
            // A phone shows a page that is too wide as if its window were wider.
            assert_eq!(found["inner"], width, "{theme}: the page's width");
            assert_eq!(found["overflow"], 0, "{theme}, {width}: {}", found["wide"]);
            assert_eq!(
                found["wide"],
                json!([]),
                "{theme}, {width}: wider than the window"
            );
            assert!(
                found["texts"].as_u64() > Some(100),
                "{theme}, {width}: no text"
            );
            assert_eq!(found["low"], json!([]), "{theme}, {width}: low contrast");
            papers.push(found["paper"].clone());
        }
    }
    assert!(papers[0] == papers[2] && papers[3] == papers[5] && papers[0] != papers[3]);
}

/// The page loaded nothing, and its policy stops what would.
fn nothing_leaves(browser: &Browser, address: &str) {
    browser.go(address);
    let loaded = browser.run(
        "return performance.getEntriesByType('resource').map((e) => e.name)
             .filter((name) => !name.startsWith('data:'));",
        &json!([]),
    );
    assert_eq!(loaded, json!([]));
    browser.run(
        "const image = new Image();
         image.src = 'http://127.0.0.1:9/x.png';
         document.body.append(image);",
        &json!([]),
    );
    let messages = browser.log();
    let stopped = |(_, text): &(String, String)| text.contains("Content Security Policy");
    assert!(messages.iter().any(stopped), "{messages:?}");
}

/// The top of the page, its sections' heads and a figure, enlarged, for people to look at.
fn screenshots(browser: &Browser, address: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for theme in THEMES {
        for width in WIDTHS {
            browser.resize(width, 900);
            browser.go(&format!("{address}#{theme}"));
            let shoot = |name: &str| {
                browser.screenshot(&folder.join(format!("{theme}-{width}-{name}.png")));
            };
            shoot("top");
            for part in ["figures", "results", "settings"] {
                browser.run(
                    "document.querySelector(`.experiment [id$=_${arguments[0]}]`)
                         .scrollIntoView({behavior: 'instant'});",
                    &json!([part]),
                );
                shoot(part);
            }
            browser.click("button.zoom");
            shoot("zoom");
        }
    }
}
