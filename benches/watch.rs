//! What being watched costs a training: `cargo bench --bench watch [-- [SCENE.toml]]`.
//!
//! Steps per second, in turns within one training of the scene's true pictures (the demo's by default): with nobody
//! looking; with a remote that looks at the figures 60 times a second; with one that also takes a snapshot twice a second;
//! and with one that renders each of these snapshots at the size of a training view. Printed are the medians of the turns
//! and their ratio to the first.

use naka_gs::capture::{self, View};
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::prior::PointCloud;
use naka_gs::scenes::{Scene, generate};
use naka_gs::splat::Renderer;
use naka_gs::train::{Config, Live, Remote, State, train};
use naka_gs::{Error, Result, Silent};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TURNS: usize = 15;
const TURN: Duration = Duration::from_secs(2);
const POINTS: usize = 40_000;
const WAYS: [&str; 4] = ["nobody", "figures", "snapshots", "renders"];

fn main() -> Result<()> {
    let file = std::env::args_os().skip(1).find(|a| a != "--bench").map(PathBuf::from);
    let scene = file.as_deref().map_or_else(Scene::night, Scene::load)?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watch");
    generate(&scene, &folder.join("capture"), &Silent::default())?;
    let mut capture = capture::load(folder.join("capture"), &capture::Options::default())?;
    for View { image, name, camera, .. } in &mut capture.train {
        *image = Some(folder.join("capture/truth").join(&*name));
        *camera = camera.downscaled(2);
    }
    let mut random = StdRng::seed_from_u64(1);
    let positions = (0..POINTS).map(|_| [0.0; 3].map(|_: f32| random.random_range(-4.0..4.0))).collect();
    let points = PointCloud { positions, colors: vec![[90; 3]; POINTS], ..PointCloud::default() };
    // The end of the measurement leaves a checkpoint, which the next one shall not go on from.
    let checkpoints = tempfile::tempdir().map_err(Error::io(&folder))?;
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    let (stop, config) = (Silent::default(), Config { steps: u32::MAX, sh_degree: 1, ..Config::default() });
    let live = Live::new(stop.0.clone());
    std::thread::scope(|threads| {
        let looking = threads.spawn(|| measure(&gpu, &live));
        let trained = train(&gpu, &capture, &points, &config, checkpoints.path(), &stop, Some(live.as_ref()));
        match trained {
            Err(Error::Interrupted(_)) => {}
            other => drop(other?),
        }
        looking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn measure(gpu: &Gpu, live: &Arc<Live>) -> Result<()> {
    let mut rates: [Vec<f64>; 4] = Default::default();
    let remote = live.remote();
    while remote.look(|seen| seen.state != State::Running || seen.figures.step < 20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    for _ in 0..TURNS {
        for (way, rates) in rates.iter_mut().enumerate() {
            let before = (remote.look(|seen| seen.figures.step), Instant::now());
            look_on(gpu, &remote, way)?;
            let steps = remote.look(|seen| seen.figures.step) - before.0;
            rates.push(f64::from(steps) / before.1.elapsed().as_secs_f64());
        }
    }
    remote.stop();
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let medians = rates.each_mut().map(median);
    println!("{}: {POINTS} splats, {TURNS} turns of {} s", gpu.name(), TURN.as_secs());
    for ((way, median), rates) in WAYS.iter().zip(medians).zip(&rates) {
        let (low, high) = (rates[0], rates[rates.len() - 1]);
        println!("{way:10} {median:7.2} steps/s ({low:.2} to {high:.2}), {:.3} of nobody", median / medians[0]);
    }
    Ok(())
}

/// Looks on for one turn in one of the [`WAYS`].
fn look_on(gpu: &Gpu, remote: &Remote, way: usize) -> Result<()> {
    let renderer = Renderer::new(gpu)?;
    let (started, mut asked, mut work, mut shown) = (Instant::now(), 0, None, 0);
    while started.elapsed() < TURN {
        std::thread::sleep(Duration::from_millis(16));
        if way == 0 {
            continue;
        }
        let (camera, snapshot) = remote.look(|seen| {
            let view = seen.capture.as_ref().and_then(|capture| capture.train.first());
            (view.map(|view| view.camera.clone()), seen.snapshot.clone())
        });
        if way >= 2 && started.elapsed().as_millis() / 500 >= asked {
            asked += 1;
            remote.want_snapshot();
        }
        if let (3, Some(camera), Some(snapshot)) = (way, camera, snapshot)
            && snapshot.step != shown
        {
            shown = snapshot.step;
            renderer.render_image(gpu, &snapshot.splats, &camera, &snapshot.render_settings([0.0; 3]), &mut work)?;
        }
    }
    Ok(())
}
