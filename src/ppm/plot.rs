//! Plots the statistics of the pruning: points, distances and keep probability over the iterations.

use super::Report;
use std::fmt::Write;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
/// Room for the numbers and the labels of the axes: left, right, above, below.
const MARGINS: [f64; 4] = [70.0, 16.0, 56.0, 44.0];
const COLORS: [&str; 3] = ["#2b6cb0", "#c05621", "#2f855a"];

/// One diagram over the iterations.
struct Panel<'a> {
    title: &'a str,
    unit: &'a str,
    /// Name and value per iteration.
    series: Vec<(&'a str, Vec<f64>)>,
    /// The end of the axis, where it is not that of the values.
    top: Option<f64>,
}

/// An SVG with three diagrams over the iterations of `report`: points before and after; threshold, mean and median
/// distance to the nearest other point, in the normalized frame; mean probability of being kept. Values that are not
/// finite are left out.
pub fn plot(report: &Report) -> String {
    let of = |value: fn(&super::Iteration) -> f64| report.iterations.iter().map(value).collect::<Vec<f64>>();
    let panels = [
        Panel {
            title: "Points",
            unit: "points",
            series: vec![("before", of(|i| i.before as f64)), ("after", of(|i| i.after as f64))],
            top: None,
        },
        Panel {
            title: "Distance to the nearest other point",
            unit: "length (normalized frame)",
            series: vec![
                ("threshold tau", of(|i| i.tau)),
                ("mean", of(|i| i.mean_distance)),
                ("median", of(|i| i.median_distance)),
            ],
            top: None,
        },
        Panel {
            title: "Probability of being kept",
            unit: "mean probability",
            series: vec![("mean", of(|i| i.mean_keep))],
            top: Some(1.0),
        },
    ];
    let (width, height) = (WIDTH * panels.len() as f64, HEIGHT + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#1a202c\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, [width / 2.0, 20.0], "middle", &summary(report));
    for (i, panel) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 30)\">", WIDTH * i as f64);
        panel.draw(&mut svg);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn summary(report: &Report) -> String {
    let undone =
        if report.iterations.last().is_some_and(|last| last.undone) { "; the last iteration undone" } else { "" };
    let unsure = if report.unsure > 0 { format!("{} unsure, ", report.unsure) } else { String::new() };
    format!(
        "{} points in, {} not finite, {unsure}{} after pooling, {} out{undone}",
        report.input, report.dropped, report.pooled, report.output
    )
}

impl Panel<'_> {
    fn draw(&self, svg: &mut String) {
        let [left, right, above, below] = MARGINS;
        let (inner_width, inner_height) = (WIDTH - left - right, HEIGHT - above - below);
        let count = self.series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let finite = || self.series.iter().flat_map(|(_, values)| values).copied().filter(|v| v.is_finite());
        let step = tick_step(self.top.unwrap_or_else(|| finite().fold(0.0, f64::max)));
        let top = self.top.unwrap_or_else(|| step * (finite().fold(step, f64::max) / step).ceil());
        let x = |i: usize| left + inner_width * (i as f64 + 0.5) / count.max(1) as f64;
        let y = |value: f64| above + inner_height * (1.0 - value / top);
        text(svg, [left, 16.0], "start", self.title);
        for tick in 0..=(top / step).round() as u32 {
            let value = f64::from(tick) * step;
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {:.1}h{inner_width}\" stroke=\"{}\"/>",
                y(value),
                if tick == 0 { "#1a202c" } else { "#e2e8f0" }
            );
            text(svg, [left - 6.0, y(value) + 4.0], "end", &number(value, step));
        }
        for i in 0..count {
            text(svg, [x(i), HEIGHT - below + 16.0], "middle", &(i + 1).to_string());
        }
        text(svg, [left + inner_width / 2.0, HEIGHT - 8.0], "middle", "iteration");
        let middle = above + inner_height / 2.0;
        let _ = writeln!(svg, "<g transform=\"rotate(-90 12 {middle})\">");
        text(svg, [12.0, middle], "middle", self.unit);
        svg.push_str("</g>\n");
        let mut legend = left;
        for ((name, values), color) in self.series.iter().zip(COLORS) {
            let points = values.iter().enumerate().filter(|(_, v)| v.is_finite());
            let points: Vec<[f64; 2]> = points.map(|(i, &v)| [x(i), y(v)]).collect();
            let line: String = points.iter().map(|[x, y]| format!("{x:.1},{y:.1} ")).collect();
            let _ = writeln!(svg, "<polyline points=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>");
            for [x, y] in points {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
            }
            let _ = writeln!(svg, "<circle cx=\"{}\" cy=\"36\" r=\"4\" fill=\"{color}\"/>", legend + 4.0);
            text(svg, [legend + 13.0, 40.0], "start", name);
            legend += 30.0 + 7.0 * name.len() as f64;
        }
    }
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, line: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{line}</text>");
}

/// 1, 2 or 5 times a power of ten, such that `largest` is four to ten of them.
fn tick_step(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((largest / 4.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|m| m * power).find(|step| *step <= largest / 4.0).unwrap_or(power)
}

/// A tick's value with as many decimals as its step needs.
fn number(value: f64, step: f64) -> String {
    let thousand = |v: f64, unit: &str| format!("{}{unit}", v);
    if step >= 1e9 {
        return format!("{value:e}");
    }
    match step {
        s if s >= 1e6 => thousand(value / 1e6, " M"),
        s if s >= 1e3 => thousand(value / 1e3, " k"),
        _ => format!("{value:.*}", (-step.log10().floor()).max(0.0) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Iteration;
    use super::*;

    fn iteration(before: usize, after: usize) -> Iteration {
        Iteration {
            tau: 0.005,
            before,
            after,
            mean_distance: f64::INFINITY,
            median_distance: 0.004,
            mean_keep: 0.75,
            undone: false,
        }
    }

    #[test]
    fn every_series_has_its_points_where_they_belong() {
        let iterations = vec![iteration(100, 80), iteration(80, 40)];
        let svg = plot(&Report { input: 120, dropped: 3, pooled: 100, iterations, output: 40, ..Report::default() });
        assert!(svg.contains("120 points in, 3 not finite, 100 after pooling, 40 out<"));
        // The axis ends at 100: the first point of `before` is at its end, the last of `after` at 40 %.
        assert!(svg.contains("points=\"153.5,56.0 320.5,96.0 \""), "{svg}");
        assert!(svg.contains("points=\"153.5,96.0 320.5,176.0 \""), "{svg}");
        // The mean distances are infinite and not drawn.
        assert!(svg.contains("points=\"\"") && !svg.contains("inf") && !svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_plot_is_still_a_picture() {
        let svg = plot(&Report::default());
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!([100.0, 0.005, 7.0, 0.0].map(tick_step), [20.0, 0.001, 1.0, 1.0]);
        assert_eq!(number(400_000.0, 200_000.0), "400 k");
        assert_eq!(number(0.004, 0.002), "0.004");
    }
}
