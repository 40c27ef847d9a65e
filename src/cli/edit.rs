//! `naka-gs edit`

use super::export::{Target, write};
use super::output::{self, OutFile};
use super::progress::Reporter;
use super::setting_flags::{AdapterOnly, SettingFlags};
use glam::DVec3;
use naka_gs::capture::Camera;
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::{training_cameras, training_cameras_beside};
use naka_gs::splat::edit::{Filter, FilterContext, Region, apply};
use naka_gs::splat::{self, write::Export};
use naka_gs::{Progress, Result};
use std::path::PathBuf;

/// Take splats out of a scene: all but a region, and floaters; the rest goes to a new file, by its ending like `export`
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs edit out/demo/splats.ply -o clean.ply --min-opacity 0.02 --min-cluster 50 --min-views 3
  naka-gs edit out/demo/splats.ply -o middle.sog --sphere 0,0,0,2.5
  naka-gs edit scan.spz -o scan.html --cameras my-scene --hull 0.5 --max-relative-size 0.3
What each filter takes: docs/edit.md")]
pub struct Edit {
    /// Splats in any format that is read, or the output folder of a run
    splats: PathBuf,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    filters: Filters,
    /// Output folder, scene folder or transforms file with the training cameras [default: the folder of SPLATS]
    #[arg(long, value_name = "SCENE")]
    cameras: Option<PathBuf>,
    /// The splats were trained with `antialiased`, though the file does not say so
    #[arg(long)]
    antialiased: bool,
    #[command(flatten)]
    settings: SettingFlags<AdapterOnly>,
}

/// What stays, in the capture's coordinates and unit. Filters are applied in this order, each to what those before have
/// left.
#[derive(clap::Args)]
#[group(id = "filters", required = true, multiple = true)]
struct Filters {
    /// Keep what is in the box between two corners, in PLY coordinates
    #[arg(long = "box", value_name = "X0,Y0,Z0,X1,Y1,Z1", value_parser = numbers::<6>, allow_hyphen_values = true)]
    corners: Option<[f64; 6]>,
    /// Keep what is in the sphere, in PLY coordinates
    #[arg(long, value_name = "X,Y,Z,RADIUS", value_parser = numbers::<4>, allow_hyphen_values = true)]
    sphere: Option<[f64; 4]>,
    /// Keep what is in the convex hull of the training cameras, grown by this part of its radius
    #[arg(long, value_name = "MARGIN", value_parser = at_least_zero)]
    hull: Option<f64>,
    /// Leave out splats that are less opaque (0 to 1)
    #[arg(long, value_name = "OPACITY", value_parser = at_least_zero)]
    min_opacity: Option<f64>,
    /// Leave out splats whose largest standard deviation is longer
    #[arg(long, value_name = "LENGTH", value_parser = at_least_zero)]
    max_size: Option<f64>,
    /// The same, as a part of the scene's radius
    #[arg(long, value_name = "PART", value_parser = at_least_zero)]
    max_relative_size: Option<f64>,
    /// Leave out splats that fewer training cameras see
    #[arg(long, value_name = "VIEWS")]
    min_views: Option<u32>,
    /// Leave out clusters of fewer splats, which touch nothing larger
    #[arg(long, value_name = "SPLATS")]
    min_cluster: Option<usize>,
}

impl Filters {
    fn list(&self) -> Vec<Filter> {
        let corners = self.corners.map(|[a, b, c, d, e, f]| Region::Box([DVec3::new(a, b, c), DVec3::new(d, e, f)]));
        let sphere = self.sphere.map(|[x, y, z, radius]| Region::Sphere { center: DVec3::new(x, y, z), radius });
        let regions = [corners, sphere, self.hull.map(Region::Hull)];
        let others = [
            self.min_opacity.map(|least| Filter::MinOpacity(least as f32)),
            self.max_size.map(Filter::MaxSize),
            self.max_relative_size.map(Filter::MaxRelativeSize),
            self.min_views.map(Filter::MinViews),
            self.min_cluster.map(Filter::MinCluster),
        ];
        regions.into_iter().flatten().map(Filter::Within).chain(others.into_iter().flatten()).collect()
    }

    /// Whether there are places in numbers.
    fn have_places(&self) -> bool {
        self.corners.is_some() || self.sphere.is_some()
    }

    fn need_cameras(&self) -> bool {
        self.hull.is_some() || self.min_views.is_some()
    }
}

impl Edit {
    pub fn run(mut self, reporter: &Reporter) -> Result<()> {
        self.splats = output::splats_file(self.splats);
        let target = Target::of(&self.out.path, false)?;
        self.out.check()?;
        output::not_in_place(&self.splats, &self.out.path)?;
        let settings = self.settings.resolve()?;
        let (found, frame) = splat::read_framed(&self.splats)?;
        let cameras = self.cameras(target)?;
        found.check_axes(&self.splats, &frame, &cameras);
        if let Some(axes) = found.orientation.turned_axes().filter(|_| self.filters.have_places()) {
            tracing::info!(
                "{}: `box` and `sphere` are in the coordinates of the PLY layout (x right, y down, z forward), in \
                 which {axes} of this file have the other sign",
                self.splats.display()
            );
        }
        let (mut splats, antialiased) = (found.splats, self.antialiased || found.antialiased);
        let gpu = match self.filters.min_views {
            Some(_) => Some(Gpu::open(&settings.adapter_choice(), Mask::of_process())?),
            None => None,
        };
        let (filters, before) = (self.filters.list(), splats.len());
        let around = FilterContext { frame, antialiased, cameras: &cameras, gpu: gpu.as_ref(), progress: reporter };
        let taken = apply(&filters, &mut splats, &around)?;
        reporter.check()?;
        write(target, &self.out.path, &Export { splats: &splats, frame, antialiased }, &cameras)?;
        for (filter, taken) in filters.iter().zip(taken) {
            output::line(format!("{:<18} {taken:>9} splats taken out", filter.name().replace('_', " ")))?;
        }
        output::line(format!("{}: {} of {before} splats", self.out.path.display(), splats.len()))
    }

    /// Those that were named, or that lie beside the splats where something needs them.
    fn cameras(&self, target: Target) -> Result<Vec<Camera>> {
        match &self.cameras {
            Some(scene) => training_cameras(scene),
            None if self.filters.need_cameras() || target == Target::Page => {
                Ok(training_cameras_beside(&self.splats).unwrap_or_default())
            }
            None => Ok(Vec::new()),
        }
    }
}

/// As many finite numbers, with commas between them.
fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let values: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let finite = values.filter(|values| values.iter().all(|value| value.is_finite()));
    finite.and_then(|values| values.try_into().ok()).ok_or_else(|| format!("give {N} numbers with commas between them"))
}

fn at_least_zero(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
    value.ok_or_else(|| "give a number of at least 0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(numbers::<4>("-1, 2.5,3e2,0"), Ok([-1.0, 2.5, 300.0, 0.0]));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,inf", "1;2;3;4"] {
            assert!(numbers::<4>(wrong).is_err(), "{wrong}");
        }
        assert!(at_least_zero("0.5").is_ok() && at_least_zero("-0.5").is_err() && at_least_zero("nan").is_err());
    }
}
