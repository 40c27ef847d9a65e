//! `report.html` of a run: what is in it, and that it works in a browser.

mod browser;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use browser::Browser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use support::{assert_refused, contents, naka_gs};

fn tiny_demo(out: &Path, steps: u32) {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    let mut command = naka_gs();
    command.arg("demo").arg("--scene").arg(scene).arg("-o").arg(out).args(["--adapter", "cpu", "--holdout", "3"]);
    command.args(["--make-points", "2000", "--thin-made", "--eval-every", "100"]);
    command.arg("--steps").arg(steps.to_string());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn report(out: &Path) -> Output {
    naka_gs().arg("report").arg(out).output().unwrap()
}

#[test]
fn a_report_is_whole_in_itself_and_works_in_a_browser() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("<b>out & more</b>");
    tiny_demo(&out, 220);
    let path = out.join("report.html");
    let page = fs::read_to_string(&path).unwrap();
    for part in
        ["Held-out views", "Training views", "Test views", "Pruning", "Stages", "Settings", "Loss", "PSNR of held"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("<b>out & more") && page.contains("&#60;b&#62;out &#38; more"));
    assert!(!page.contains("http://") && !page.contains("https://"), "the page names another place");
    // Two views of each kind have four, three and three pictures; four are trained on.
    assert_eq!(page.matches("<img").count(), 2 * 4 + 2 * 3 + 4 * 3);

    // A report is made again, but nobody else's file is replaced.
    fs::remove_file(&path).unwrap();
    assert!(report(&out).status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
    fs::write(&path, "<p>my own notes</p>").unwrap();
    let before = contents(&out);
    assert_refused(&report(&out), 1, &["report.html", "not a report of this program"]);
    assert_eq!(contents(&out), before);
    assert_refused(&report(dir.path()), 1, &["run.json"]);
    fs::write(&path, page).unwrap();

    match Browser::open(&path) {
        Some(mut browser) => in_a_browser(&mut browser),
        None => println!("skipped: no Chromium is installed (apt-get install chromium), so the page was not opened"),
    }
}

/// The edges of the first comparison's slider in the window: left, top, width, height.
fn slider(browser: &mut Browser) -> [f64; 4] {
    let place = browser.value(
        "(() => { const r = document.querySelector('.view input').getBoundingClientRect(); \
         return [r.left, r.top, r.width, r.height]; })()",
    );
    let number = |i: usize| place[i].as_f64().unwrap();
    [number(0), number(1), number(2), number(3)]
}

fn position(browser: &mut Browser) -> f64 {
    let at = browser.value("document.querySelector('.compare').style.getPropertyValue('--at')");
    at.as_str().unwrap().parse().unwrap()
}

fn in_a_browser(browser: &mut Browser) {
    browser.value("document.querySelector('.compare').scrollIntoView({ block: 'center' })");
    assert!((position(browser) - 0.5).abs() < 1e-6);

    // The mouse drags the edge, and the picture is cut there.
    let [left, top, width, height] = slider(browser);
    let at = |part: f64| (left + 14.0 + part * (width - 28.0), top + 0.5 * height);
    browser.drag(at(0.5), at(0.2));
    assert!((position(browser) - 0.2).abs() < 0.02, "{}", position(browser));
    let cut = browser.value("getComputedStyle(document.querySelector('.compare .over')).clipPath");
    let cut = cut.as_str().unwrap();
    assert!(cut.starts_with("inset(0px calc("), "{cut}");

    // So do keys; screen readers are told.
    browser.value("document.querySelector('.view input').focus()");
    browser.key("Home", 36);
    assert_eq!(position(browser), 0.0);
    browser.key("End", 35);
    assert_eq!(position(browser), 1.0);
    let told = browser.value("document.querySelector('.view input').getAttribute('aria-valuetext')");
    assert_eq!(told, "100 % render, 0 % reference");

    // Another picture on the right: it shows, and the one that was there does not.
    let shown =
        "[...document.querySelector('.compare').querySelectorAll('img')].map(i => getComputedStyle(i).visibility)";
    assert_eq!(browser.value(shown), serde_json::json!(["visible", "visible", "hidden"]));
    browser.value(
        "(() => { const s = document.querySelectorAll('.view select')[1]; s.value = '2'; \
         s.dispatchEvent(new Event('change')); })()",
    );
    assert_eq!(browser.value(shown), serde_json::json!(["visible", "hidden", "visible"]));

    // Every control has a name, every picture a description, and no identifier is there twice.
    let unnamed = browser.value(
        "[...document.querySelectorAll('input, select, svg')].filter(e => !e.getAttribute('aria-label')).length + \
         [...document.querySelectorAll('img')].filter(e => !e.alt).length",
    );
    assert_eq!(unnamed, 0);
    let doubled = browser.value(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size; })()",
    );
    assert_eq!(doubled, 0);
    let wide = browser.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth");
    assert_eq!(wide, true, "the page is wider than its window");

    browser.value("document.querySelectorAll('.view input')[0].value = 50");
    let (light, dark) = (browser.screenshot("light"), browser.screenshot("dark"));
    let paper = |png: &[u8]| image::load_from_memory(png).unwrap().to_rgb8().get_pixel(2, 2).0;
    assert!(paper(&light)[0] > 200 && paper(&dark)[0] < 60, "both color schemes");
    // To look at.
    if let Some(folder) = std::env::var_os("NAKA_GS_SCREENSHOTS").map(PathBuf::from) {
        fs::write(folder.join("report-light.png"), light).unwrap();
        fs::write(folder.join("report-dark.png"), dark).unwrap();
    }
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    let outside = |url: &&String| !url.starts_with("file:") && !url.starts_with("data:");
    assert_eq!(browser.requests.iter().filter(outside).count(), 0, "{:?}", browser.requests);
}
