//! The pace along a path: length as a function of time.

/// Length over time: a monotone cubic (PCHIP; Fritsch and Carlson 1980, with the weighted harmonic mean of Fritsch and
/// Butland 1984), smooth and never going back.
pub(super) struct Pace {
    times: Vec<f64>,
    lengths: Vec<f64>,
    /// Speeds at the times.
    speeds: Vec<f64>,
}

impl Pace {
    /// `length` in `seconds`, evenly.
    pub fn even(seconds: f64, length: f64) -> Self {
        Self::through(&[0.0, seconds], &[0.0, length], false)
    }

    /// Through `lengths` at `times` (increasing, at least two of each). The speed at the end is that at the start if
    /// `closed`.
    pub fn through(times: &[f64], lengths: &[f64], closed: bool) -> Self {
        let spans: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let means: Vec<f64> = lengths.windows(2).zip(&spans).map(|(pair, span)| (pair[1] - pair[0]) / span).collect();
        let last = spans.len() - 1;
        let speeds = (0..times.len()).map(|i| match i {
            _ if last == 0 => means[0],
            0 if closed => between([spans[last], spans[0]], [means[last], means[0]]),
            i if i > last && closed => between([spans[last], spans[0]], [means[last], means[0]]),
            0 => outer([spans[0], spans[1]], [means[0], means[1]]),
            i if i > last => outer([spans[last], spans[last - 1]], [means[last], means[last - 1]]),
            i => between([spans[i - 1], spans[i]], [means[i - 1], means[i]]),
        });
        Self { speeds: speeds.collect(), times: times.to_vec(), lengths: lengths.to_vec() }
    }

    /// The length at `time`, held between start and end.
    pub fn length_at(&self, time: f64) -> f64 {
        let last = self.times.len() - 2;
        let i = self.times.partition_point(|start| *start <= time).saturating_sub(1).min(last);
        let span = self.times[i + 1] - self.times[i];
        let t = ((time - self.times[i]) / span).clamp(0.0, 1.0);
        let (t2, t3) = (t * t, t * t * t);
        let [from, to] = [self.lengths[i], self.lengths[i + 1]];
        let [leaves, arrives] = [self.speeds[i] * span, self.speeds[i + 1] * span];
        from * (2.0 * t3 - 3.0 * t2 + 1.0)
            + leaves * (t3 - 2.0 * t2 + t)
            + to * (3.0 * t2 - 2.0 * t3)
            + arrives * (t3 - t2)
    }
}

/// The speed between two spans of these mean speeds.
fn between(spans: [f64; 2], means: [f64; 2]) -> f64 {
    if means.iter().any(|mean| *mean <= 0.0) {
        return 0.0;
    }
    let weights = [2.0 * spans[1] + spans[0], spans[1] + 2.0 * spans[0]];
    (weights[0] + weights[1]) / (weights[0] / means[0] + weights[1] / means[1])
}

/// The speed at the outer end of the first of two spans: of the parabola through the three points, held monotone.
fn outer(spans: [f64; 2], means: [f64; 2]) -> f64 {
    let speed = ((2.0 * spans[0] + spans[1]) * means[0] - spans[0] * means[1]) / (spans[0] + spans[1]);
    speed.clamp(0.0, 3.0 * means[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCIPY: [(f64, f64); 7] = [
        (0.3, 0.7811013513513513),
        (0.9, 1.9278445945945943),
        (2.0, 2.242523260965884),
        (2.9, 2.452081302614089),
        (3.5, 4.2439846641988375),
        (5.0, 6.473790322580645),
        (7.7, 6.995717741935484),
    ];

    #[test]
    fn agrees_with_scipy() {
        // scipy.interpolate.PchipInterpolator([0, 1, 3, 4, 8], [0, 2, 2.5, 6, 7])
        let pace = Pace::through(&[0.0, 1.0, 3.0, 4.0, 8.0], &[0.0, 2.0, 2.5, 6.0, 7.0], false);
        for (time, length) in SCIPY {
            assert!((pace.length_at(time) - length).abs() < 1e-12, "{time}: {} not {length}", pace.length_at(time));
        }
    }

    #[test]
    fn a_round_ends_at_the_speed_it_began_with() {
        let pace = Pace::through(&[0.0, 1.0, 2.0, 4.0], &[0.0, 3.0, 4.0, 5.0], true);
        assert_eq!(pace.speeds[0], pace.speeds[3]);
        assert!((1..400).all(|i| pace.length_at(f64::from(i) * 0.01) >= pace.length_at(f64::from(i - 1) * 0.01)));
    }
}
