//! How large the picture is drawn while the camera moves, so that it keeps up with the hand.

use std::time::Duration;

/// What a frame may take while the camera moves.
const TARGET: Duration = Duration::from_millis(70);
/// Sizes to draw at, as shares of the window's sides; a few, so that buffers are seldom made anew.
const SCALES: [f64; 6] = [1.0, 0.75, 0.5, 0.375, 0.25, 0.125];

/// Finds the largest size at which frames take no longer than [`TARGET`].
#[derive(Debug, Default)]
pub struct Pace {
    level: usize,
}

impl Pace {
    /// The share of the window's sides to draw at.
    pub fn scale(&self) -> f64 {
        SCALES[self.level]
    }

    /// Learns what a frame of the share `scale` took.
    pub fn took(&mut self, scale: f64, time: Duration) {
        let budget = TARGET.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // A part of the time goes by splats, not by pixels, so the step is cautious: to half the sides at most at once.
        let wanted = (scale * budget.sqrt()).max(0.5 * scale);
        let fitting = SCALES.iter().position(|s| *s <= wanted * 1.001).unwrap_or(SCALES.len() - 1);
        // Up only where the frame was well within the budget, and by one level, so that sizes do not alternate.
        self.level = if fitting >= self.level {
            fitting
        } else if budget > 2.0 {
            self.level - 1
        } else {
            self.level
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share that settles where a frame takes `fixed` + `full` · share² seconds.
    fn settled(fixed: f64, full: f64) -> (f64, f64) {
        let mut pace = Pace::default();
        let mut seconds = 0.0;
        for _ in 0..30 {
            seconds = fixed + full * pace.scale().powi(2);
            pace.took(pace.scale(), Duration::from_secs_f64(seconds));
        }
        (pace.scale(), seconds)
    }

    #[test]
    fn fast_devices_draw_at_full_size() {
        assert_eq!(settled(0.0, 0.01).0, 1.0);
        assert_eq!(settled(0.03, 0.03).0, 1.0);
    }

    #[test]
    fn slow_devices_draw_less_and_keep_up() {
        for (fixed, full) in [(0.0, 0.5), (0.02, 1.0), (0.03, 3.0)] {
            let (scale, seconds) = settled(fixed, full);
            assert!(scale < 1.0 && seconds <= 0.1, "{scale} {seconds}");
            assert!(scale > 0.12 || full > 2.0, "not smaller than needed: {scale}");
        }
        // Where splats alone take longer, the smallest size is all there is.
        assert_eq!(settled(0.3, 1.0).0, 0.125);
    }

    #[test]
    fn it_recovers_when_frames_become_cheap() {
        let mut pace = Pace::default();
        pace.took(1.0, Duration::from_secs(1));
        assert_eq!(pace.scale(), 0.5);
        (0..3).for_each(|_| pace.took(pace.scale(), Duration::from_millis(5)));
        assert_eq!(pace.scale(), 1.0);
    }
}
