//! What is made of the splats of a finished run: a page that shows them, and scenes that splats are taken out of.

use super::browser::Browser;
use super::support::{assert_refused, naka_gs};
use super::{report, tiny_demo};
use naka_gs::capture::{Camera, Image, read_image};
use naka_gs::eval::psnr;
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::pipeline::{Painter, training_cameras};
use naka_gs::splat;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Less is another camera, another frame or another footprint.
const LEAST_PSNR: f64 = 28.0;

fn run(arguments: &[&str], paths: [&Path; 2]) -> Output {
    naka_gs().arg(arguments[0]).arg(paths[0]).arg("-o").arg(paths[1]).args(&arguments[1..]).output().unwrap()
}

#[test]
fn a_finished_scene_becomes_a_page_and_is_edited() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("demo");
    tiny_demo(&out, 60);
    let splats = out.join("splats.ply");
    a_page(&out, &splats);
    edited(&out, &splats);
}

fn a_page(out: &Path, splats: &Path) {
    // By its ending, and next to the splats; neither is replaced without -w.
    let page = out.join("walk.html");
    let output = run(&["export"], [splats, &page]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("\"startMode\":\"animTrack\""), "the cameras of the run were not found");
    assert_refused(&run(&["export"], [splats, &page]), 1, &["walk.html", "--overwrite"]);
    assert!(run(&["export", "-w"], [splats, &page]).status.success());
    assert_eq!(fs::read_to_string(&page).unwrap(), text);
    let beside = naka_gs().arg("export").arg(splats).arg("--html").output().unwrap();
    assert!(beside.status.success() && out.join("splats.html").is_file());
    let refused = run(&["export", "--cameras", "nowhere"], [splats, &out.join("a.spz")]);
    assert_refused(&refused, 2, &["--cameras", "no page"]);

    assert!(report(out).status.success());
    let links = "<a href=\"splats.html\">splats.html</a>, <a href=\"walk.html\">walk.html</a>";
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains(links));

    let Some(mut browser) = Browser::open(&page) else {
        println!("skipped: no Chromium is installed (apt-get install chromium), so the page was not opened");
        return;
    };
    let shown = first_view(&mut browser);
    let ours = our_views(out, splats, &shown);
    let found: Vec<f64> = ours.iter().map(|ours| psnr(&shown, ours).unwrap()).collect();
    println!("the page's first view and our renders of the training cameras: {found:.2?} dB");
    // To look at.
    if let Some(folder) = std::env::var_os("NAKA_GS_SCREENSHOTS").map(std::path::PathBuf::from) {
        naka_gs::eval::write_jpeg(&folder.join("page.jpg"), &shown).unwrap();
        naka_gs::eval::write_jpeg(&folder.join("page-ours.jpg"), &ours[0]).unwrap();
    }
    // The first camera's, and none of the others'.
    assert!(found[0] >= LEAST_PSNR && found[1..].iter().all(|other| *other < found[0] - 1.0), "{found:?} dB");

    // The way through the cameras plays.
    browser.value("viewer.state.animationPaused = false, 0");
    browser.wait_for("viewer.state.animationTime > 0.3 && viewer.state.cameraMode === 'anim'");
    let moved = browser.value(
        "(() => { const a = viewer.app.root.findByName('camera').getPosition(); \
         const b = JSON.parse(document.getElementById('settings').textContent).settings.cameras[0].initial.position; \
         return Math.hypot(a.x - b[0], a.y - b[1], a.z - b[2]); })()",
    );
    assert!(moved.as_f64().unwrap() > 1e-3, "{moved}");
    let errors: Vec<_> =
        browser.complaints.iter().filter(|c| c.contains("\"level\":\"error\"") || c.contains("exception")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let outside = |url: &&String| !["file:", "data:", "blob:"].iter().any(|scheme| url.starts_with(scheme));
    assert_eq!(browser.requests.iter().filter(outside).count(), 0, "{:?}", browser.requests);
}

/// What the page shows at first, once it no longer changes, without the buttons over it.
fn first_view(browser: &mut Browser) -> Image {
    browser.resize(480, 360);
    browser.wait_for("!!window.viewer?.state?.loaded || !!document.getElementById('problem')");
    assert_eq!(browser.value("document.getElementById('problem')?.textContent ?? ''"), "");
    browser.value(
        "viewer.state.animationPaused = true, viewer.seek(0), document.querySelector('.sse-ui').style.display = 'none', \
         viewer.app.on('frameend', () => { window.frames_drawn += 1; viewer.app.renderNextFrame = true; }), 0",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shown.png");
    let mut last = Vec::new();
    // The camera moves with a frame, and splats are sorted beside the frames: a few of these later.
    for _ in 0..10 {
        browser.value("window.frames_drawn = 0");
        browser.wait_for("window.frames_drawn > 4");
        let now = browser.screenshot("light");
        if now == last {
            break;
        }
        last = now;
    }
    fs::write(&path, last).unwrap();
    read_image(&path).unwrap()
}

/// Our renders of the training cameras, each as wide as it sees, in pictures of the size of `shown`.
fn our_views(out: &Path, splats: &Path, shown: &Image) -> Vec<Image> {
    let (width, height) = (shown.width, shown.height);
    let [w, h] = [width, height].map(f64::from);
    let (found, frame) = splat::read_framed(splats).unwrap();
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let mut painter = Painter::new(&gpu, &found.splats, found.antialiased).unwrap();
    let mut render = |camera: &Camera| {
        let focal = camera.fx * w / f64::from(camera.width);
        let camera = Camera { width, height, fx: focal, fy: focal, cx: w / 2.0, cy: h / 2.0, ..camera.clone() };
        painter.render(&frame.camera(&camera)).unwrap()
    };
    training_cameras(out).unwrap().iter().map(&mut render).collect()
}

fn edited(out: &Path, splats: &Path) {
    let count = |path: &Path| splat::read(path).unwrap().len();
    let (all, clean) = (count(splats), out.join("clean.ply"));
    let filters = ["edit", "--min-views", "2", "--min-opacity", "0.02", "--box", "-50,-50,-50,50,50,50"];
    let output = run(&filters, [splats, &clean]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(&format!("{} of {all} splats", count(&clean))), "{said}");
    // Each filter says what it took, in the order in which it took it.
    let taken: Vec<usize> =
        said.lines().filter_map(|l| l.split_once(" splats taken out")?.0.rsplit(' ').next()?.parse().ok()).collect();
    assert!(taken.len() == 3 && said.starts_with("box "), "{said}");
    assert_eq!(all - taken.iter().sum::<usize>(), count(&clean));
    // What the box leaves lies in it, and a page is as good a target as any.
    let part = out.join("part.html");
    assert!(run(&["edit", "--sphere", "0,0,0,3"], [splats, &part]).status.success());
    assert!(fs::read_to_string(&part).unwrap().contains("\"startMode\":\"animTrack\""));

    let before = fs::read(splats).unwrap();
    assert_refused(
        &run(&["edit", "-w", "--min-opacity", "0.5"], [splats, splats]),
        1,
        &["is an input, which is never replaced", "--out"],
    );
    assert_eq!(fs::read(splats).unwrap(), before);
    assert_refused(&run(&["edit", "--min-opacity", "0.5"], [splats, &clean]), 1, &["clean.ply", "--overwrite"]);
    let empty = run(&["edit", "--max-size", "0"], [splats, &out.join("empty.ply")]);
    assert_refused(&empty, 2, &["--max-size", "takes all of the"]);
    assert!(!out.join("empty.ply").exists());
    let alone = out.parent().unwrap().join("alone.ply");
    fs::copy(splats, &alone).unwrap();
    assert_refused(&run(&["edit", "--hull", "1"], [&alone, &out.join("b.ply")]), 2, &["--hull", "--cameras"]);
    assert!(
        run(&["edit", "--hull", "9", "--cameras", out.to_str().unwrap()], [&alone, &out.join("b.ply")])
            .status
            .success()
    );
}
