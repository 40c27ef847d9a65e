//! Curves as SVG inside the page.

use super::html::escape;
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 14.0;
/// Intervals between marks of an axis.
const MARKS: u32 = 4;

/// A curve through `points` (x, y), with its name above and the name of x below. Points that are no numbers are left
/// out; nothing where none is left.
pub fn chart(name: &str, x_name: &str, points: &[(f64, f64)]) -> String {
    let points: Vec<_> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let (x, y) = (Axis::of(points.iter().map(|p| p.0)), Axis::of(points.iter().map(|p| p.1)));
    let place = |(px, py): (f64, f64)| {
        let across = LEFT + x.part(px) * (WIDTH - LEFT - RIGHT);
        (across, TOP + (1.0 - y.part(py)) * (HEIGHT - TOP - BOTTOM))
    };
    let summary = format!("from {} at {} to {} at {}", short(first.1), short(first.0), short(last.1), short(last.0));
    let label = escape(&format!("{name} over {x_name}: {summary}"));
    let mut out = format!(
        "<figure class=\"chart\"><figcaption>{}</figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">",
        escape(name)
    );
    for i in 0..=MARKS {
        let part = f64::from(i) / f64::from(MARKS);
        let (at_x, at_y) = place((x.at(part), y.at(part)));
        let (end, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at_y:.1}H{end}\"/><text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"x\" x=\"{at_x:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            at_y + 4.0,
            short(y.at(part)),
            base + 16.0,
            short(x.at(part))
        );
    }
    let line: Vec<String> = points.iter().map(|&p| place(p)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    _ = write!(out, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    if points.len() < 40 {
        points
            .iter()
            .map(|&p| place(p))
            .for_each(|(x, y)| _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"));
    }
    _ = write!(out, "<text class=\"x\" x=\"{}\" y=\"{}\">{}</text>", WIDTH / 2.0, HEIGHT - 3.0, escape(x_name));
    out.push_str("</svg></figure>\n");
    out
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
        let svg = chart("loss", "step", &[(100.0, 0.4), (200.0, f64::NAN), (300.0, 0.1)]);
        assert!(svg.contains("points=\"64.0,12.0 626.0,206.0\""), "{svg}");
        assert!(svg.contains("from 0.4000 at 100 to 0.1000 at 300"), "{svg}");
        assert!(chart("loss", "step", &[]).is_empty());
        let one = chart("loss <1>", "step", &[(3.0, 0.5)]);
        assert!(one.contains("cx=\"345.0\"") && !one.contains("NaN") && !one.contains("<1>"), "{one}");
    }
}
