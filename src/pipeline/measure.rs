//! The numbers of a finished model: test views against their references, held-out views against their lit images.

use super::output::names;
use super::pictures::Painter;
use crate::capture::{Capture, Image, View};
use crate::error::{Error, Result};
use crate::eval::{Counted, Extras, Group, Lpips, Metrics, as_exposed, compare};
use crate::parallel::overlap;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The contents of `metrics.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsFile {
    /// The numbers of the views.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// What was measured at.
    pub resolution: Resolution,
    /// Models whose renders' mean these are the numbers of, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u32>,
    /// The numbers of `splats.ply` alone, into which the mean of several models was distilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<Metrics>,
}

/// The size of the compared pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Test views are rendered at 1/`downscale` of their size; their references are area-averaged to it.
    pub downscale: u32,
    /// Width and height of the first picture; `null` where there is none.
    pub size: Option<[u32; 2]>,
}

impl MetricsFile {
    /// The numbers in the folder `out`; `None` where there are none yet.
    ///
    /// # Errors
    /// A file that cannot be read or holds no numbers.
    pub fn read_if_there(out: &Path) -> Result<Option<Self>> {
        if out.join(names::METRICS).exists() { Self::read(out).map(Some) } else { Ok(None) }
    }

    /// The numbers in the folder `out`.
    pub(super) fn read(out: &Path) -> Result<Self> {
        let path = out.join(names::METRICS);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        serde_json::from_str(&text).map_err(|error| {
            Error::input(&path, format!("is not a metrics file ({error})"), "delete it and run the same command again")
        })
    }
}

/// Renders and compares. Test views have their native cameras, held-out views those of training.
pub(super) fn measure(
    painter: &mut Painter<'_>,
    capture: &Capture,
    holdout: &[View],
    downscale: u32,
    lpips: Option<&Lpips>,
    progress: &dyn Progress,
) -> Result<MetricsFile> {
    let extras = Extras { lpips, through_jpeg: true };
    // With the lens's distortion, like the files of renders.
    let test = capture.test.iter().filter(|view| view.image.is_some()).map(|view| {
        let rendered = View { camera: view.camera.downscaled(downscale), ..view.clone() };
        Compared { picture: rendered.as_taken(), rendered }
    });
    // Training photographs and lit ones are those of a pinhole.
    let holdout = holdout.iter().filter(|view| view.image.is_some());
    let holdout = holdout.map(|view| Compared { rendered: View { lens: None, ..view.clone() }, picture: view.clone() });
    let (test, holdout): (Vec<Compared>, Vec<Compared>) = (test.collect(), holdout.collect());
    let first = test.iter().chain(&holdout).next().map(|view| &view.rendered.camera);
    let size = first.map(|camera| [camera.width, camera.height]);
    progress.begin("eval", "images", (test.len() + holdout.len()) as u64);
    let done = AtomicU64::new(0);
    let mut group = |views: &[Compared]| -> Result<Group> {
        let renders = views.iter().filter_map(|view| rendered(painter, view, progress).transpose());
        let numbers = overlap(renders, |(view, counted, mut render)| {
            as_exposed(&mut render, view);
            let numbers = compare(&view.name, &render, &view.read()?, counted.as_ref(), extras)?;
            progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, &view.name);
            Ok(numbers)
        })?;
        Ok(Group::new(numbers))
    };
    let metrics =
        Metrics { test: group(&test)?, holdout: if holdout.is_empty() { None } else { Some(group(&holdout)?) } };
    progress.end();
    Ok(MetricsFile { metrics, resolution: Resolution { downscale, size }, ..MetricsFile::default() })
}

/// A view to be rendered and compared.
struct Compared {
    rendered: View,
    /// The same view for the pixels of its picture.
    picture: View,
}

/// The view of a picture, the pixels of it that count and its render; `None` where a mask hides all of it.
fn rendered<'v>(
    painter: &mut Painter<'_>,
    Compared { rendered, picture }: &'v Compared,
    progress: &dyn Progress,
) -> Result<Option<(&'v View, Option<Counted>, Image)>> {
    progress.check()?;
    let (width, height) = (picture.camera.width, picture.camera.height);
    let counted = picture.read_weights(width, height)?.map(|weights| Counted::new(width, height, &weights));
    if counted.as_ref().is_some_and(Counted::is_empty) {
        tracing::warn!("{}: a mask hides all of it, so it is not measured", picture.name);
        return Ok(None);
    }
    Ok(Some((picture, counted, painter.render_taken(rendered)?)))
}
