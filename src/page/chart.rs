//! Curves as SVG inside the page.

use super::parts::{Chart, Mark};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 14.0;
/// Intervals between marks of an axis.
const MARKS: u32 = 4;
/// Fewer points than this are drawn by themselves, too.
const FEW: usize = 40;

/// A curve through `points` (x, y), with its name above and the name of x below. Points that are no numbers are left
/// out; nothing where none is left.
pub fn chart(name: &str, x_name: &'static str, points: &[(f64, f64)]) -> Option<Chart> {
    let points: Vec<_> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let (first, last) = (points.first()?, points.last()?);
    let (x, y) = (Axis::of(points.iter().map(|p| p.0)), Axis::of(points.iter().map(|p| p.1)));
    let place = |(px, py): (f64, f64)| {
        let across = LEFT + x.part(px) * (WIDTH - LEFT - RIGHT);
        (across, TOP + (1.0 - y.part(py)) * (HEIGHT - TOP - BOTTOM))
    };
    let mark = |i: u32| {
        let part = f64::from(i) / f64::from(MARKS);
        let (at_x, at_y) = place((x.at(part), y.at(part)));
        Mark {
            at: [at_x, at_y].map(|v| format!("{v:.1}")),
            baseline: format!("{:.1}", at_y + 4.0),
            says: [short(x.at(part)), short(y.at(part))],
        }
    };
    let placed: Vec<_> = points.iter().map(|&p| place(p)).map(|(x, y)| [x, y].map(|v| format!("{v:.1}"))).collect();
    Some(Chart {
        name: name.into(),
        x_name,
        summary: format!("from {} at {} to {} at {}", short(first.1), short(first.0), short(last.1), short(last.0)),
        size: [WIDTH, HEIGHT],
        across: [LEFT, WIDTH - RIGHT],
        marks: (0..=MARKS).map(mark).collect(),
        line: placed.iter().map(|at| at.join(",")).collect::<Vec<_>>().join(" "),
        dots: if placed.len() < FEW { placed } else { Vec::new() },
    })
}

struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    /// All `values`; one value alone stands in the middle.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if most > least { Self { least, most } } else { Self { least: least - 0.5, most: most + 0.5 } }
    }

    fn part(&self, value: f64) -> f64 {
        (value - self.least) / (self.most - self.least)
    }

    fn at(&self, part: f64) -> f64 {
        self.least + part * (self.most - self.least)
    }
}

/// Three or four digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        10.0.. => format!("{value:.2}"),
        1.0.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stay_in_their_frame() {
        let chart = |name: &str, points: &[(f64, f64)]| chart(name, "step", points).map(|chart| chart.to_string());
        let svg = chart("loss", &[(100.0, 0.4), (200.0, f64::NAN), (300.0, 0.1)]).unwrap();
        assert!(svg.contains("points=\"64.0,12.0 626.0,206.0\""), "{svg}");
        assert!(svg.contains("from 0.4000 at 100 to 0.1000 at 300"), "{svg}");
        assert!(chart("loss", &[]).is_none());
        let one = chart("loss <1>", &[(3.0, 0.5)]).unwrap();
        assert!(
            one.contains("cx=\"345.0\"") && one.contains("H626\"") && !one.contains("NaN") && !one.contains("<1>"),
            "{one}"
        );
    }
}
