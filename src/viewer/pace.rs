//! Chooses the size of the picture while the camera moves, so that it stays responsive.
//!
//! The time of a frame has a part that depends on splats, and one that is proportional to pixels. Both are estimated from
//! frames of two sizes; then the largest size within the time limit is drawn, but none so small that it gains hardly anything.

use std::time::Duration;

/// Time limit of a frame while the camera moves, seconds.
const TARGET: f64 = 0.08;
/// Where splats alone take long, a frame may take this multiple of that.
const OVER_FIXED: f64 = 1.5;
/// Sizes to draw at, as shares of the window's sides; only a few, so that buffers are seldom reallocated.
const SCALES: [f64; 5] = [1.0, 0.75, 0.5, 0.375, 0.25];
/// Assumed share of a frame's time that depends on splats, while there are frames of only one size.
const FIXED_SHARE: f64 = 0.2;
/// A larger size is taken where it keeps the time with some room, so that sizes do not alternate.
const ROOM: f64 = 0.85;
/// Frames after which another size's time no longer counts: the view has changed.
const MEMORY: u32 = 15;

/// Finds the size.
#[derive(Debug, Default)]
pub struct Pace {
    level: usize,
    /// Share and seconds of the last frames.
    last: Option<(f64, f64)>,
    /// Of the last frames of another share, and the number of frames since.
    other: Option<(f64, f64, u32)>,
}

impl Pace {
    /// The share of the window's sides to draw at.
    pub fn scale(&self) -> f64 {
        SCALES[self.level]
    }

    /// Records the time of a frame of the share `scale`.
    pub fn took(&mut self, scale: f64, time: Duration) {
        let seconds = time.as_secs_f64();
        self.last = match self.last {
            Some((of, before)) if of == scale => {
                self.other = self.other.map(|(s, t, age)| (s, t, age + 1)).filter(|(.., age)| *age < MEMORY);
                Some((scale, 0.5 * (before + seconds)))
            }
            before => {
                self.other = before.map(|(s, t)| (s, t, 0));
                Some((scale, seconds))
            }
        };
        let (fixed, full) = self.parts();
        let budget = TARGET.max(OVER_FIXED * fixed);
        let keeps = |level: &usize| {
            let limit = if *level < self.level { ROOM * budget } else { budget };
            fixed + full * SCALES[*level].powi(2) <= limit
        };
        self.level = (0..SCALES.len()).find(keeps).unwrap_or(SCALES.len() - 1);
    }

    /// Seconds that depend on splats, and on the pixels of a frame of full size.
    fn parts(&self) -> (f64, f64) {
        let Some((scale, seconds)) = self.last else { return (0.0, 0.0) };
        let by_pixels = match self.other {
            Some((other, before, _)) => ((seconds - before) / (scale.powi(2) - other.powi(2))).max(0.0),
            None => (1.0 - FIXED_SHARE) * seconds / scale.powi(2),
        };
        let by_pixels = by_pixels.min(seconds / scale.powi(2));
        (seconds - by_pixels * scale.powi(2), by_pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share that settles where a frame takes `fixed` + `full` · share² seconds, and what a frame takes then.
    fn settled(fixed: f64, full: f64) -> (f64, f64) {
        let mut pace = Pace::default();
        for _ in 0..60 {
            pace.took(pace.scale(), Duration::from_secs_f64(fixed + full * pace.scale().powi(2)));
        }
        (pace.scale(), fixed + full * pace.scale().powi(2))
    }

    #[test]
    fn fast_devices_draw_at_full_size() {
        assert_eq!(settled(0.0, 0.01).0, 1.0);
        assert_eq!(settled(0.03, 0.03).0, 1.0);
    }

    #[test]
    fn slow_devices_draw_less_and_keep_up() {
        for (fixed, full) in [(0.0, 0.5), (0.01, 0.25), (0.03, 0.5), (0.04, 0.16)] {
            let (scale, seconds) = settled(fixed, full);
            assert!(scale < 1.0 && seconds <= 0.085, "{fixed} {full}: {scale} {seconds}");
            let larger = SCALES.iter().rev().find(|s| **s > scale).unwrap();
            assert!(fixed + full * larger * larger > 0.85 * TARGET, "{fixed} {full}: {scale} is smaller than needed");
        }
    }

    #[test]
    fn where_splats_take_the_time_the_picture_does_not_shrink_for_nothing() {
        let (scale, seconds) = settled(0.2, 0.05);
        assert!(scale == 1.0, "{scale} {seconds}");
        let (scale, seconds) = settled(0.2, 2.0);
        assert!((0.2..0.4).contains(&scale) && seconds < 0.35, "{scale} {seconds}");
    }

    #[test]
    fn it_recovers_when_frames_become_cheap() {
        let mut pace = Pace::default();
        (0..10).for_each(|_| pace.took(pace.scale(), Duration::from_secs_f64(1.5 * pace.scale().powi(2))));
        assert!(pace.scale() < 0.5);
        (0..40).for_each(|_| pace.took(pace.scale(), Duration::from_secs_f64(0.02 * pace.scale().powi(2))));
        assert_eq!(pace.scale(), 1.0);
    }
}
