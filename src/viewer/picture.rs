//! The picture of the splats: drawn asynchronously when something changed, and smaller while it moves on a slow device.

use super::pace::Pace;
use super::show::{Screen, Show, Tone};
use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, LateReader, Recorder};
use crate::splat::{Raster, RenderSettings, Renderer, Tensors, Workspace, plane_len, tiles};
use std::time::{Duration, Instant};

/// A picture as it is wanted, at full size.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// Identifies a state of a model: another number means another picture.
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

/// Shrink factor for pictures whose pairs exceed a binding, and its limit.
const SMALLER: f64 = 0.7;
const LEAST_SHARE: f64 = 0.1;
/// It grows again where pairs take no more than this part of a binding, so that sizes do not alternate.
const ROOM: f64 = 0.8;

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
    /// Whether that is as large as the screen, or as large as possible.
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
    /// Whether that is a new texture since [`Picture::take_fresh`].
    fresh: bool,
    drawn: Option<Drawn>,
    /// The last picture whose buffers did not fit, and why.
    failed: Option<(Shot, String)>,
    /// Since when the device is at it.
    submitted: Option<Instant>,
    pairs_wanted: usize,
    /// Share of the sides at which a binding holds the pairs.
    pair_share: f64,
    /// The full size of the last warning about a smaller picture.
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
            fresh: false,
            drawn: None,
            failed: None,
            submitted: None,
            pairs_wanted: 0,
            pair_share: 1.0,
            told: [0; 2],
            pace: Pace::default(),
            figures: Figures::default(),
        })
    }

    /// Polls whether the device is still drawing.
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
            // Pairs grow with the area, or less: small splats have one at any size.
            let larger = (self.pair_share / SMALLER).min(1.0);
            if self.pairs_wanted as f64 * (larger / drawn.scale).powi(2) < ROOM * most as f64 {
                self.pair_share = larger;
            }
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

    /// Why `shot` could not be drawn, if its buffers did not fit.
    pub fn failure(&self, shot: &Shot) -> Option<Error> {
        let (_, words) = self.failed.as_ref().filter(|(failed, _)| failed == shot)?;
        Some(Error::OutOfMemory(words.clone()))
    }

    /// Whether the screen is a new texture since the last call.
    pub fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// Draws `shot` of `model`, if it is not what the screen shows; at a smaller size, if need be, while it is `moving`.
    /// Only while the device is not busy.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the buffers do not fit; it is not tried again before something changes.
    pub fn draw(&mut self, gpu: &Gpu, model: &Tensors, shot: &Shot, moving: bool) -> Result<()> {
        if self.failure(shot).is_some() {
            return Ok(());
        }
        self.failed = None;
        let drawn = self.try_draw(gpu, model, shot, moving);
        if let Err(Error::OutOfMemory(words)) = &drawn {
            self.failed = Some((shot.clone(), words.clone()));
        }
        drawn
    }

    fn try_draw(&mut self, gpu: &Gpu, model: &Tensors, shot: &Shot, moving: bool) -> Result<()> {
        let most = largest_share(gpu, [shot.camera.width, shot.camera.height]).min(self.pair_share);
        let least = if moving { self.pace.scale().min(most) } else { most };
        if let Some(drawn) = &self.drawn
            && drawn.scale >= least
            && drawn.shot == *shot
        {
            return Ok(());
        }
        let only_tone = self.drawn.take().filter(|d| d.scale >= least && d.shot.same_render(shot)).map(|d| d.scale);
        let scale = only_tone.unwrap_or(least);
        let size = [shot.camera.width, shot.camera.height].map(|side| share_of(side, scale));
        if most < 1.0 && !moving {
            self.tell(gpu, [shot.camera.width, shot.camera.height], size);
        }
        if self.screen.size() != size {
            self.screen = Screen::new(gpu, size);
            self.fresh = true;
        }
        let mut recorder = Recorder::new(gpu);
        if only_tone.is_none() {
            self.make_room(gpu, model, size)?;
        }
        let Some(work) = &self.work else { return Ok(()) };
        if only_tone.is_none() {
            self.record(&mut recorder, work, model, shot, size, shot.raster);
        }
        self.show.record(&mut recorder, work, &self.screen, &shot.tone);
        self.counters.submit(gpu, recorder, &[(&work.counters, 2)])?;
        self.submitted = Some(Instant::now());
        self.drawn = Some(Drawn { shot: shot.clone(), scale, whole: scale >= most });
        Ok(())
    }

    /// Warns once that pictures of the `full` size are drawn at `size`.
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
        // Pairs beyond that would not be drawn, so the picture shrinks.
        let wanted = self.pairs_wanted.min(Workspace::most_pairs(gpu));
        let mut pairs = Workspace::initial_pairs(gpu, model.count);
        if let Some(work) = &mut self.work {
            if work.splat_capacity() >= model.count && wanted <= work.pair_capacity() {
                return work.resize(gpu, width, height);
            }
            pairs = pairs.max(Workspace::room_for(gpu, wanted));
        }
        // The old buffers go first: both may not fit.
        (self.work, self.drawn) = (None, None);
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

    /// The depth (camera z) that the last picture, which is of `model`, has at a place in it, `x` and `y` as shares of its
    /// size. `None` where the picture is nearly transparent. Waits for the device.
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

    /// A device that binds so many bytes, all of them for 0.
    fn device(buffer_bytes: u64) -> Gpu {
        Gpu::open(&Choice::Best, Mask { buffer_bytes, ..Mask::ALL }).unwrap()
    }

    fn model(gpu: &Gpu) -> Tensors {
        Tensors::from_splats(gpu, &splats(&cloud(3000, 7)), 0).unwrap()
    }

    /// From so much further back.
    fn shot(back: f64) -> Shot {
        let style = Style::default();
        let settings = RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style };
        let tone = Tone { channel: Channel::Color, gain: [1.0; 3], background: [0.0; 3], depths: [0.0, 1.0] };
        let mut camera = camera().resized(222, 132);
        camera.viewmat.w_axis.z += back;
        Shot { model: 0, camera, settings, raster: Raster::Color, tone }
    }

    /// Draws until the picture is there; its share of the sides.
    fn drawn_by(picture: &mut Picture, gpu: &Gpu, model: &Tensors, shot: &Shot) -> f64 {
        for _ in 0..20 {
            picture.draw(gpu, model, shot, false).unwrap();
            if picture.holds(shot) {
                gpu.check().unwrap();
                return f64::from(picture.screen.size()[0]) / 222.0;
            }
            while picture.busy(gpu).unwrap() {}
        }
        panic!("it is drawn again and again");
    }

    /// The share of the sides of a picture on such a device, and its pairs.
    fn drawn(buffer_bytes: u64) -> (f64, u64) {
        let gpu = device(buffer_bytes);
        let mut picture = Picture::new(&gpu).unwrap();
        let share = drawn_by(&mut picture, &gpu, &model(&gpu), &shot(0.0));
        (share, picture.figures.pairs as u64)
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

    #[test]
    fn it_is_drawn_larger_again_where_pairs_leave_room() {
        let gpu = device(112 << 10);
        let model = model(&gpu);
        let mut picture = Picture::new(&gpu).unwrap();
        // Splats that cover all of the picture, and small ones in its middle.
        let (mut close, distant) = (shot(0.0), shot(30.0));
        close.settings.style.scale_modifier = 8.0;
        let near = drawn_by(&mut picture, &gpu, &model, &close);
        let far = drawn_by(&mut picture, &gpu, &model, &distant);
        let first = drawn_by(&mut Picture::new(&gpu).unwrap(), &gpu, &model, &distant);
        assert!(near < 0.8 * far && far == first, "{near} {far} {first}");
        assert_eq!(drawn_by(&mut picture, &gpu, &model, &close), near);
    }

    #[test]
    fn what_does_not_fit_is_no_picture_and_the_next_one_is() {
        // Less than projected splats take.
        let gpu = device(80 << 10);
        let large = splats(&cloud(3000, 7));
        let small = splats(&cloud(300, 7));
        let [large, small] = [large, small].map(|splats| {
            // Its own buffers fit.
            let sh = splats.sh.chunks_exact(48).flat_map(|all| &all[..3]).copied().collect();
            Tensors::from_splats(&gpu, &crate::splat::Splats { sh, sh_degree: 0, ..splats }, 0).unwrap()
        });
        let mut picture = Picture::new(&gpu).unwrap();
        assert!(matches!(picture.draw(&gpu, &large, &shot(0.0), false), Err(Error::OutOfMemory(_))));
        assert!(!picture.holds(&shot(0.0)) && picture.failure(&shot(0.0)).is_some());
        picture.draw(&gpu, &large, &shot(0.0), false).unwrap();
        assert!(!picture.drawing() && picture.take_fresh());
        let next = Shot { model: 1, ..shot(0.0) };
        drawn_by(&mut picture, &gpu, &small, &next);
        assert!(picture.failure(&next).is_none() && picture.failure(&shot(0.0)).is_none());
    }
}
