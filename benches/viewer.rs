//! Milliseconds of a frame of the window, by the clock and by GPU timestamps: `cargo bench --bench viewer [-- [SPLATS [WIDTHxHEIGHT]]]`.
//!
//! Random splats of SH degree 3 in a ball before the camera, their size such that they cover the picture a few times. By
//! default 1 000 000 at 1920 × 1080, on a software adapter 100 000 at 640 × 360. Printed are the fastest and the median of
//! several frames, from their submission to their end, and the kernels that take the most of the fastest one. A software
//! adapter's timestamps do not hold all of a kernel's work.

use glam::{DMat4, DVec3};
use naka_gs::capture::Camera;
use naka_gs::gpu::{Choice, Gpu, Mask, Recorder, Timings};
use naka_gs::splat::{Raster, RenderSettings, Renderer, Splats, Style, Tensors};
use naka_gs::viewer::show::{Channel, Screen, Show, Tone};
use naka_gs::{Error, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Instant;

const FRAMES: usize = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    let software = gpu.info().device_type == wgpu::DeviceType::Cpu;
    let (count, size) = if software { (100_000, [640, 360]) } else { (1_000_000, [1920, 1080]) };
    let wrong = |what: &str| Error::setting(what, "not a number", "use SPLATS WIDTHxHEIGHT, such as 1000000 1920x1080");
    let count = arguments.first().map_or(Ok(count), |a| a.parse().map_err(|_| wrong("SPLATS")))?;
    let given = |text: &String| text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    let [width, height] = arguments.get(1).map_or(Ok(size), |a| given(a).ok_or_else(|| wrong("WIDTHxHEIGHT")))?;

    let tensors = Tensors::from_splats(&gpu, &ball(count), 0)?;
    let focal = f64::from(height);
    let camera = Camera {
        width,
        height,
        fx: focal,
        fy: focal,
        cx: f64::from(width) / 2.0,
        cy: f64::from(height) / 2.0,
        viewmat: DMat4::from_translation(DVec3::new(0.0, 0.0, 3.0)),
    };
    let settings = RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let tone = Tone { channel: Channel::Color, gain: 1.0, background: [0.0; 3], depths: [1.0, 5.0] };
    let (renderer, show) = (Renderer::new(&gpu)?, Show::new(&gpu)?);
    let mut work = None;
    let rendered = renderer.render_image(&gpu, &tensors, &camera, &settings, &mut work)?;
    let (visible, pairs) = (rendered.visible, rendered.pairs);
    println!("{}: {count} splats at {width} x {height}, {visible} visible, {pairs} pairs", gpu.name());
    let screen = Screen::new(&gpu, [width, height]);
    let Some(work) = work else { return Ok(()) };
    let frame = || -> Result<(f64, Timings)> {
        let started = Instant::now();
        let mut recorder = Recorder::profiled(&gpu);
        renderer.record(&mut recorder, &tensors, &camera, &settings, &work, Raster::Depth);
        show.record(&mut recorder, &work, &screen, &tone);
        let timings = recorder.submit_timed()?;
        Ok((started.elapsed().as_secs_f64() * 1e3, timings))
    };
    let mut frames = (0..FRAMES).map(|_| frame()).collect::<Result<Vec<_>>>()?;
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    let by_timestamps: f64 = frames[0].1.values().sum();
    println!("frame: fastest {:.2} ms, median {:.2} ms", frames[0].0, frames[FRAMES / 2].0);
    println!("kernels of the fastest by timestamps: {by_timestamps:.2} ms");
    let mut kernels: Vec<_> = frames[0].1.iter().collect();
    kernels.sort_by(|a, b| b.1.total_cmp(a.1));
    kernels.iter().take(6).for_each(|(name, ms)| println!("  {name}: {ms:.2} ms"));
    Ok(())
}

fn ball(count: usize) -> Splats {
    let mut random = StdRng::seed_from_u64(1);
    let mut splats = Splats { sh_degree: 3, ..Splats::default() };
    // Ellipses of two standard deviations whose areas add up to about sixty times that of the ball's disc.
    let sigma = (60.0 / count as f32).sqrt() * 0.5;
    while splats.len() < count {
        let place = [0.0; 3].map(|_: f32| random.random_range(-1.0..1.0f32));
        if place.iter().map(|v| v * v).sum::<f32>() > 1.0 {
            continue;
        }
        splats.means.push(place);
        splats.quats.push([0.0; 4].map(|_: f32| random.random_range(-1.0..1.0)));
        splats.log_scales.push([0.0; 3].map(|_: f32| (sigma * random.random_range(0.3..1.7f32)).ln()));
        splats.logit_opacities.push(random.random_range(-2.0..3.0));
        splats.sh.extend((0..48).map(|i| random.random_range(-1.0..1.0f32) * if i < 3 { 1.0 } else { 0.1 }));
    }
    splats
}
