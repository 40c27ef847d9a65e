//! The picture of the splats: drawn when something changed, smaller while it moves on a slow device, never waited for.

use super::pace::Pace;
use super::show::{Screen, Show, Tone};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Gpu, LateReader, Recorder};
use crate::splat::{Raster, RenderSettings, Renderer, Tensors, Workspace, plane_len, tiles};
use std::time::{Duration, Instant};

/// A picture as it is wanted, at full size.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// Which state of which model: another number, another picture.
    pub model: u64,
    pub camera: Camera,
    pub settings: RenderSettings,
    pub raster: Raster,
    pub tone: Tone,
}

impl Shot {
    /// Whether `other` is the same but for its tone.
    fn same_render(&self, other: &Self) -> bool {
        let Self { model, camera, settings, raster, .. } = self;
        (*model, *raster) == (other.model, other.raster) && *camera == other.camera && *settings == other.settings
    }
}

/// What a picture whose pairs a binding does not hold shrinks by, and how far.
const SMALLER: f64 = 0.7;
const LEAST_SHARE: f64 = 0.1;

/// About the largest share of the sides of a picture whose image a binding of `gpu` holds.
fn largest_share(gpu: &Gpu, full: [u32; 2]) -> f64 {
    let mut share = 1.0;
    loop {
        let [width, height] = full.map(|side| share_of(side, share));
        if Workspace::image_bytes(width, height) <= gpu.max_buffer_bytes() || share < LEAST_SHARE {
            return share;
        }
        share *= 0.98;
    }
}

fn share_of(side: u32, share: f64) -> u32 {
    ((f64::from(side) * share).round() as u32).max(1)
}

/// What the screen holds.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    shot: Shot,
    scale: f64,
    /// Whether that is as large as the screen, or as large as can be.
    whole: bool,
}

/// Figures of the last picture that is finished.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub visible: usize,
    pub pairs: usize,
    pub time: Duration,
    pub size: [u32; 2],
}

/// The picture, and what it is made with.
pub struct Picture {
    renderer: Renderer,
    show: Show,
    work: Option<Workspace>,
    counters: LateReader,
    pub screen: Screen,
    drawn: Option<Drawn>,
    /// Since when the device is at it.
    submitted: Option<Instant>,
    pairs_wanted: usize,
    /// Share of the sides at which a binding holds the pairs.
    pair_share: f64,
    /// The full size that was last said to be drawn smaller.
    told: [u32; 2],
    pace: Pace,
    pub figures: Figures,
}

impl Picture {
    /// Compiles the kernels.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Ok(Self {
            renderer: Renderer::new(gpu)?,
            show: Show::new(gpu)?,
            work: None,
            counters: LateReader::new(gpu, 2, 1),
            screen: Screen::new(gpu, [1, 1]),
            drawn: None,
            submitted: None,
            pairs_wanted: 0,
            pair_share: 1.0,
            told: [0; 2],
            pace: Pace::default(),
            figures: Figures::default(),
        })
    }

    /// Whether the device is still drawing; asks it.
    ///
    /// # Errors
    /// Those of the device.
    pub fn busy(&mut self, gpu: &Gpu) -> Result<bool> {
        let Some(since) = self.submitted else { return Ok(false) };
        let Some(words) = self.counters.try_take(gpu)? else { return Ok(true) };
        self.submitted = None;
        let (time, size) = (since.elapsed(), self.screen.size());
        self.figures = Figures { visible: words[0] as usize, pairs: words[1] as usize, time, size };
        self.pairs_wanted = words[1] as usize;
        let most = Workspace::most_pairs(gpu);
        if self.pairs_wanted > most && self.pair_share > LEAST_SHARE {
            self.pair_share *= SMALLER;
            self.drawn = None;
        } else if self.overflowed() && self.pairs_wanted <= most {
            // Drawn again with more room.
            self.drawn = None;
        } else if let Some(drawn) = &self.drawn {
            self.pace.took(drawn.scale, time);
        }
        Ok(false)
    }

    /// Whether a picture was handed to the device and not yet found finished.
    pub fn drawing(&self) -> bool {
        self.submitted.is_some()
    }

    fn overflowed(&self) -> bool {
        self.work.as_ref().is_some_and(|work| self.pairs_wanted > work.pair_capacity())
    }

    /// Whether the screen shows `shot` at full size.
    pub fn holds(&self, shot: &Shot) -> bool {
        let whole = self.drawn.as_ref().is_some_and(|drawn| drawn.whole && drawn.shot == *shot);
        whole && self.submitted.is_none()
    }

    /// Draws `shot` of `model`, if it is not what the screen shows; at a smaller size, if need be, while it is `moving`.
    /// Returns whether the screen is a new texture. Only while the device is not busy.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the buffers do not fit; it is not tried again before something changes.
    pub fn draw(&mut self, gpu: &Gpu, model: &Tensors, shot: &Shot, moving: bool) -> Result<bool> {
        let most = largest_share(gpu, [shot.camera.width, shot.camera.height]).min(self.pair_share);
        let least = if moving { self.pace.scale().min(most) } else { most };
        if let Some(drawn) = &self.drawn
            && drawn.scale >= least
            && drawn.shot == *shot
        {
            return Ok(false);
        }
        let only_tone = self.drawn.as_ref().filter(|d| d.scale >= least && d.shot.same_render(shot)).map(|d| d.scale);
        let scale = only_tone.unwrap_or(least);
        self.drawn = Some(Drawn { shot: shot.clone(), scale, whole: scale >= most });
        let size = [shot.camera.width, shot.camera.height].map(|side| share_of(side, scale));
        if most < 1.0 && !moving {
            self.tell(gpu, [shot.camera.width, shot.camera.height], size);
        }
        let fresh = self.screen.size() != size;
        if fresh {
            self.screen = Screen::new(gpu, size);
        }
        let mut recorder = Recorder::new(gpu);
        if only_tone.is_none() {
            self.make_room(gpu, model, size)?;
        }
        let Some(work) = &self.work else { return Ok(fresh) };
        if only_tone.is_none() {
            self.record(&mut recorder, work, model, shot, size, shot.raster);
        }
        self.show.record(&mut recorder, work, &self.screen, &shot.tone);
        self.counters.submit(gpu, recorder, &[(&work.counters, 2)])?;
        self.submitted = Some(Instant::now());
        Ok(fresh)
    }

    /// Says once that pictures of the `full` size are drawn at `size`.
    fn tell(&mut self, gpu: &Gpu, full: [u32; 2], size: [u32; 2]) {
        if self.told != full {
            self.told = full;
            let [[w, h], [width, height]] = [full, size];
            let (name, bound) = (gpu.name(), gpu.max_buffer_bytes() >> 20);
            tracing::warn!("pictures of {w} x {h} are drawn at {width} x {height}: {name} binds {bound} MiB at most");
        }
    }

    /// Buffers for a picture of `model`.
    fn make_room(&mut self, gpu: &Gpu, model: &Tensors, [width, height]: [u32; 2]) -> Result<()> {
        // What more of them would be is not drawn: the picture shrinks.
        let wanted = self.pairs_wanted.min(Workspace::most_pairs(gpu));
        let mut pairs = Workspace::initial_pairs(gpu, model.count);
        if let Some(work) = &mut self.work {
            if work.splat_capacity() >= model.count && wanted <= work.pair_capacity() {
                return work.resize(gpu, width, height);
            }
            pairs = pairs.max(Workspace::room_for(gpu, wanted));
        }
        // The old buffers go first: both may not fit.
        self.work = None;
        self.work = Some(Workspace::new(gpu, model.count, pairs, width, height)?);
        Ok(())
    }

    /// Records a render of `model` as `shot` wants it, but for its size and for what is drawn.
    fn record(
        &self,
        recorder: &mut Recorder<'_>,
        work: &Workspace,
        model: &Tensors,
        shot: &Shot,
        [width, height]: [u32; 2],
        raster: Raster,
    ) {
        // The background is the screen's: it does not change with exposure.
        let settings = RenderSettings { background: [0.0; 3], ..shot.settings };
        self.renderer.record(recorder, model, &shot.camera.resized(width, height), &settings, work, raster);
    }

    /// The depth (camera z) that the last picture, which is of `model`, has at a place in it, `x` and `y` as shares of its size.
    /// `None` where there is next to nothing. Waits for the device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn depth_at(&mut self, gpu: &Gpu, model: &Tensors, x: f64, y: f64) -> Result<Option<f64>> {
        let (Some(drawn), [width, height]) = (self.drawn.clone(), self.screen.size()) else { return Ok(None) };
        self.make_room(gpu, model, [width, height])?;
        let Some(work) = &self.work else { return Ok(None) };
        if drawn.shot.raster == Raster::Color {
            // Frames have no depth: it is drawn when it is asked for.
            let mut recorder = Recorder::new(gpu);
            self.record(&mut recorder, work, model, &drawn.shot, [width, height], Raster::Depth);
            recorder.submit();
        }
        let pixel = |share: f64, side: u32| ((share * f64::from(side)) as usize).min(side as usize - 1);
        let pitch = (tiles(width, height)[0] * crate::splat::TILE) as usize;
        let at = pixel(y, height) * pitch + pixel(x, width);
        let plane = plane_len(width, height);
        let value = |index: usize| Ok(gpu.read_part(&work.image, index * plane + at, 1)?[0]);
        let (opacity, depth) = (1.0 - value(3)?, value(4)?);
        Ok((opacity > 0.05).then(|| f64::from(depth / opacity)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};
    use crate::splat::Style;
    use crate::splat::reference::{camera, cloud, splats};
    use crate::viewer::show::Channel;

    /// Draws until the picture is there; its share of the sides and its pairs.
    fn drawn(buffer_bytes: u64) -> (f64, u64) {
        let gpu = Gpu::open(&Choice::Best, Mask { buffer_bytes, ..Mask::ALL }).unwrap();
        let model = Tensors::from_splats(&gpu, &splats(&cloud(3000, 7)), 0).unwrap();
        let settings =
            RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style: Style::default() };
        let tone = Tone { channel: Channel::Color, gain: [1.0; 3], background: [0.0; 3], depths: [0.0, 1.0] };
        let camera = camera().resized(222, 132);
        let shot = Shot { model: 0, camera, settings, raster: Raster::Color, tone };
        let mut picture = Picture::new(&gpu).unwrap();
        for _ in 0..20 {
            picture.draw(&gpu, &model, &shot, false).unwrap();
            while picture.busy(&gpu).unwrap() {}
            if picture.holds(&shot) {
                gpu.check().unwrap();
                return (f64::from(picture.screen.size()[0]) / 222.0, picture.figures.pairs as u64);
            }
        }
        panic!("it is drawn again and again");
    }

    #[test]
    fn what_a_binding_does_not_hold_is_drawn_smaller() {
        assert_eq!(drawn(0).0, 1.0);
        // Half of the image; room for 49 152 pairs, and for 28 672.
        for kib in [324, 192, 112] {
            let (share, pairs) = drawn(kib << 10);
            assert!((0.1..0.8).contains(&share), "{kib} KiB: {share}");
            assert!(pairs <= (kib << 10) / 4, "{kib} KiB: {pairs} pairs were wanted");
        }
    }
}
