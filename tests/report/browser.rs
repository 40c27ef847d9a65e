//! A headless Chromium, driven over its debugging pipe: no packages, no network.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS: &str = "--headless --no-sandbox --disable-gpu --enable-unsafe-swiftshader --disable-quic --no-first-run --disable-background-networking \
                     --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe";

/// How long a page may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A page open in a browser.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    next: u64,
    /// Errors and warnings of the page, and everything it asked the network for.
    pub complaints: Vec<String>,
    pub requests: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens `page` in a window of 1200 × 900 pixels. `None` where no Chromium is installed.
    pub fn open(page: &Path) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let has = |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        let name = NAMES.iter().find(has)?;
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from file 3 and answers on file 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2", name]).args(FLAGS.split_whitespace());
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("--window-size=1200,900");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (session, complaints, requests) = (String::new(), Vec::new(), Vec::new());
        let mut browser = Self { child, to, from, session, next: 0, complaints, requests, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = session["sessionId"].as_str().unwrap().into();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.navigate", json!({ "url": format!("file://{}", page.canonicalize().unwrap().display()) }));
        browser.until(|message| message["method"] == "Page.loadEventFired");
        Some(browser)
    }

    /// The value of a JavaScript expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Makes the window's content of this size, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Waits until a JavaScript expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let begin = Instant::now();
        while self.value(expression) != true {
            assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {expression}; {:?}", self.complaints);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses at `from`, drags to `to` and lets go; window coordinates.
    pub fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        let steps =
            [("mouseMoved", from, 0), ("mousePressed", from, 1), ("mouseMoved", to, 1), ("mouseReleased", to, 0)];
        for (kind, (x, y), buttons) in steps {
            let button = if kind == "mouseMoved" && buttons == 0 { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses and releases a key by its name and code.
    pub fn key(&mut self, name: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// What the window shows, as PNG, in the light or the dark color scheme.
    pub fn screenshot(&mut self, scheme: &str) -> Vec<u8> {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
        let shot = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(message.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        self.to.flush().unwrap();
        let answer = self.until(|message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Reads messages until the wanted one; notes what the page complains of.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser has gone");
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            match message["method"].as_str() {
                Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                    self.complaints.push(message["params"].to_string());
                }
                Some("Network.requestWillBeSent") => {
                    self.requests.push(message["params"]["request"]["url"].as_str().unwrap().to_string());
                }
                _ => {}
            }
            if wanted(&message) {
                return message;
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
