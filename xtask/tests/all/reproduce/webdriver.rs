//! A small client of W3C WebDriver: what a test of a page needs of a browser.

use base64::Engine;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A headless Chromium; it and its driver end with this.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    /// The address of the session.
    session: String,
    /// Where the browser keeps its files.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// The driver that NTK_CHROMEDRIVER names, which then must work, or else `chromedriver`.
    /// Where there is none, says so and gives none.
    pub(crate) fn start() -> Option<Self> {
        let named = std::env::var_os("NTK_CHROMEDRIVER");
        let program = named
            .clone()
            .unwrap_or_else(|| OsString::from("chromedriver"));
        let driver = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        match driver {
            Ok(driver) => Some(Self::connect(driver)),
            Err(error) if named.is_some() => panic!("{}: {error}", program.display()),
            Err(_) => {
                // Past the test runner, which captures what macros print.
                let _ = writeln!(std::io::stderr(), "skipped: no chromedriver");
                None
            }
        }
    }

    fn connect(mut driver: Child) -> Self {
        // The driver chooses a free port, and says which.
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the driver ended").unwrap();
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_string();
            }
        };
        // Read on, so that it never writes to a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ]
        .map(String::from)
        .to_vec();
        let profile = browser._profile.path().display();
        arguments.push(format!("--user-data-dir={profile}"));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let session = browser.post("", &wanted);
        browser.session += "/";
        browser.session += session["sessionId"].as_str().unwrap();
        // So that a click does not miss what is still moving.
        browser.command(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}),
        );
        browser
    }

    /// What the driver answers; an error it reports fails the test.
    fn post(&self, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.session);
        let request = self.agent.post(&address);
        let mut answer = request
            .header("content-type", "application/json; charset=utf-8")
            .send(body.to_string())
            .unwrap();
        let text = answer
            .body_mut()
            .with_config()
            .limit(200 << 20)
            .read_to_string()
            .unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        let value = answer["value"].take();
        if let Some(error) = value.get("error") {
            panic!("{path} {body}: {error}: {}", value["message"]);
        }
        value
    }

    fn command(&self, name: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": name, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// Loads an address, even if only what follows `#` is new.
    pub(crate) fn go(&self, address: &str) {
        self.post("/url", &json!({"url": "about:blank"}));
        self.post("/url", &json!({"url": address}));
    }

    /// What the body of a function in the page returns; `arguments` has its arguments.
    pub(crate) fn run(&self, script: &str, arguments: &Value) -> Value {
        self.post(
            "/execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// The window's content: its size in CSS pixels, with no lower limit as windows have.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.command(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}),
        );
    }

    /// Presses keys one after another, where the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let source = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", &json!({"actions": [source]}));
    }

    /// Clicks the middle of the first element of this selector, as a mouse does.
    pub(crate) fn click(&self, selector: &str) {
        let wanted = json!({"using": "css selector", "value": selector});
        let element = self.post("/element", &wanted);
        let (_, id) = element.as_object().unwrap().iter().next().unwrap();
        let path = format!("/element/{}/click", id.as_str().unwrap());
        self.post(&path, &json!({}));
    }

    /// The browser's messages since the last call: level and text.
    pub(crate) fn log(&self) -> Vec<(String, String)> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_string();
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|e| (text(e, "level"), text(e, "message")))
            .collect()
    }

    /// Writes what the window shows as PNG.
    pub(crate) fn screenshot(&self, file: &Path) {
        let shot = self.command("Page.captureScreenshot", &json!({"format": "png"}));
        let text = shot["data"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver alone would leave it behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
