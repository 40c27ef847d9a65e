//! A frame of the window: forward render, and its way to the texture that is shown.

use super::report::Row;
use super::scene::{ball, before_ball, settings};
use super::turns::Turns;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Recorder};
use crate::splat::{Raster, Renderer, Tensors, Workspace};

pub fn measure(gpu: &Gpu, count: usize, size: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let (camera, settings, renderer) = (before_ball(size), settings(), Renderer::new(gpu)?);
    let model = Tensors::from_splats(gpu, &ball(count), 0)?;
    let mut work = None;
    let rendered = renderer.render_image(gpu, &model, &camera, &settings, &mut work)?;
    let work = work.ok_or_else(|| Error::Gpu("a render left no workspace".into()))?;
    // Frames are not drawn in strips.
    if !work.fits(count, camera.width, camera.height) {
        let found = format!("{} does not bind what {count} splats at {} x {} take", gpu.name(), size[0], size[1]);
        return Err(Error::OutOfMemory(found));
    }
    let shown = Shown::new(gpu, size)?;
    let record = |recorder: &mut Recorder<'_>| {
        renderer.record(recorder, &model, &camera, &settings, &work, Raster::Color);
        shown.record(recorder, &work);
    };
    let row = turns.recorded(record)?;
    Ok(row.with("splats", count as f64).with("visible", rendered.visible as f64).with("pairs", rendered.pairs as f64))
}

/// The texture of the window, where there is one.
#[cfg(feature = "viewer")]
struct Shown {
    show: crate::viewer::show::Show,
    screen: crate::viewer::show::Screen,
}

#[cfg(feature = "viewer")]
impl Shown {
    fn new(gpu: &Gpu, size: [u32; 2]) -> Result<Self> {
        use crate::viewer::show::{Screen, Show};
        Ok(Self { show: Show::new(gpu)?, screen: Screen::new(gpu, size) })
    }

    fn record(&self, recorder: &mut Recorder<'_>, work: &Workspace) {
        use crate::viewer::show::{Channel, Tone};
        let tone = Tone { channel: Channel::Color, gain: [1.0; 3], background: [0.0; 3], depths: [1.0, 5.0] };
        self.show.record(recorder, work, &self.screen, &tone);
    }
}

#[cfg(not(feature = "viewer"))]
struct Shown;

#[cfg(not(feature = "viewer"))]
impl Shown {
    fn new(_: &Gpu, _: [u32; 2]) -> Result<Self> {
        Ok(Self)
    }

    fn record(&self, _: &mut Recorder<'_>, _: &Workspace) {}
}
