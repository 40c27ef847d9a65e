//! A desktop of our own: an X server without a screen, with synthetic mouse and keys.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Xvfb on a display number that was free.
pub struct Desktop {
    server: Child,
    display: String,
    frame_buffer: PathBuf,
    _folder: tempfile::TempDir,
}

/// Whether the programs that make one are here; says so if not.
pub fn is_there() -> bool {
    let missing: Vec<&str> = ["Xvfb", "xdotool"].into_iter().filter(|name| !in_path(name)).collect();
    if !missing.is_empty() {
        eprintln!("skipped: {} not installed (tools/setup.sh --dev installs it)", missing.join(" and "));
    }
    missing.is_empty()
}

fn in_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

impl Desktop {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server picks a number and tells it; its screen is a file that anyone can read. It must not restart when
        // its last client goes, as xdotool does after each question: it refuses clients meanwhile.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset", "-fbdir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        assert!(display.len() > 1, "Xvfb did not start");
        Self { server, display, frame_buffer: folder.path().join("Xvfb_screen0"), _folder: folder }
    }

    /// Lets a program show its windows here.
    pub fn host<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET")
    }

    /// Sends input.
    pub fn xdotool(&self, arguments: &str) -> String {
        let mut command = Command::new("xdotool");
        let output = self.host(command.args(arguments.split_whitespace())).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The server's name.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Waits for a window whose title holds `title`, and gives it the keys. Returns its number.
    pub fn focus(&self, title: &str) -> u32 {
        let found = wait_for(Duration::from_secs(60), || {
            let ids = self.xdotool(&format!("search --onlyvisible --name {title}"));
            ids.lines().last().map(str::to_string)
        });
        let id = found.unwrap_or_else(|| panic!("no window called {title}"));
        self.xdotool(&format!("windowfocus --sync {id}"));
        id.parse().unwrap()
    }

    /// The upper left of the screen: an XWD file, whose header is big-endian.
    pub fn screen(&self, width: u32, height: u32) -> image::RgbImage {
        let bytes = std::fs::read(&self.frame_buffer).unwrap();
        let field = |index: usize| u32::from_be_bytes(bytes[4 * index..4 * index + 4].try_into().unwrap()) as usize;
        let (header, bits, pitch, colors) = (field(0), field(11), field(12), field(19));
        assert_eq!(bits, 32);
        let little = field(7) == 0;
        let start = header + 12 * colors;
        image::RgbImage::from_fn(width, height, |x, y| {
            let at = start + y as usize * pitch + 4 * x as usize;
            let pixel: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            let pixel = if little { u32::from_le_bytes(pixel) } else { u32::from_be_bytes(pixel) };
            image::Rgb([(pixel >> 16) as u8, (pixel >> 8) as u8, pixel as u8])
        })
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Asks until there is an answer, or the time is over.
pub fn wait_for<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match ask() {
            None if start.elapsed() < time => std::thread::sleep(Duration::from_millis(100)),
            answer => return answer,
        }
    }
}
