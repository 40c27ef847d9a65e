//! The splats that remain after a crop, and their file.

use super::crop::{CropBox, Face};
use crate::capture::SceneFrame;
use crate::error::Result;
use crate::progress::Silent;
use crate::splat::edit::{Filter, FilterContext, Region};
use crate::splat::write::{self, Export};
use crate::splat::{Bounds, Splats, select};
use glam::DVec2;
use std::fs;
use std::path::{Path, PathBuf};

/// Faces stay apart by this part of the scene's radius while they are dragged, so that their handles do too.
const LEAST: f64 = 0.01;

/// An action on a crop that needs the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropAction {
    /// Begin with a box around most of the splats.
    Begin,
    /// Show what the box leaves.
    Apply,
    /// Back to the first box, and show all.
    Reset,
    /// Without a box, and show all.
    End,
    /// Write what the box leaves to a new file.
    Save,
}

/// A handle that is being dragged.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub face: Face,
    /// The box before the drag, in the scene's frame.
    pub start: CropBox,
    /// Where the drag began, in pixels of the picture.
    pub from: DVec2,
}

/// A box over a scene, and the splats that it leaves.
pub struct Crop {
    whole: Splats,
    frame: SceneFrame,
    /// Of all splats, in the scene's frame.
    pub bounds: Bounds,
    first: CropBox,
    /// The box, in the capture's coordinates.
    pub shape: CropBox,
    /// Whether what is outside stays, instead of what is inside.
    pub outside: bool,
    /// The number of splats inside, as of the last [`Crop::rest`].
    pub inside: usize,
    pub held: Option<Held>,
    /// The face whose handle the pointer is at.
    pub hot: Option<Face>,
}

impl Crop {
    /// A box around most of `whole`, which is in `frame`.
    ///
    /// # Errors
    /// Those of [`Filter::keep`].
    pub fn new(whole: Splats, frame: SceneFrame) -> Result<Self> {
        let bounds = Bounds::of(&whole.means);
        let first = CropBox::around(&bounds).leaving(&frame);
        let (outside, inside, held, hot) = (false, 0, None, None);
        let mut crop = Self { whole, frame, bounds, first, shape: first, outside, inside, held, hot };
        crop.kept()?;
        Ok(crop)
    }

    /// All splats.
    pub fn whole(&self) -> &Splats {
        &self.whole
    }

    /// Least distance of faces while they are dragged, in the scene's frame.
    pub fn least(&self) -> f64 {
        LEAST * self.bounds.radius
    }

    /// Back to the first box.
    ///
    /// # Errors
    /// Those of [`Filter::keep`].
    pub fn reset(&mut self) -> Result<()> {
        (self.shape, self.outside, self.held) = (self.first, false, None);
        self.kept().map(drop)
    }

    /// The splats that stay.
    ///
    /// # Errors
    /// Those of [`Filter::keep`].
    pub fn rest(&mut self) -> Result<Splats> {
        let kept = self.kept()?;
        Ok(select(&self.whole, &kept))
    }

    /// Writes the splats that stay beside `file`, which they come from, under an unused name, which it returns.
    ///
    /// # Errors
    /// No splat stays; the file cannot be written.
    pub fn save(&mut self, file: &Path, antialiased: bool) -> Result<PathBuf> {
        let (splats, path) = (self.rest()?, unused(file));
        write::write(&path, &Export { splats: &splats, frame: self.frame, antialiased })?;
        Ok(path)
    }

    /// The indices of the splats that stay. Counts those inside.
    fn kept(&mut self) -> Result<Vec<usize>> {
        let filter = Filter::Within(Region::Box([self.shape.low, self.shape.high]));
        let progress = &Silent::default();
        let around = FilterContext { frame: self.frame, antialiased: false, cameras: &[], gpu: None, progress };
        let inside = filter.keep(&self.whole, &around)?;
        self.inside = inside.iter().filter(|inside| **inside).count();
        let stays = inside.iter().enumerate().filter(|(_, inside)| **inside != self.outside);
        Ok(stays.map(|(index, _)| index).collect())
    }
}

/// `NAME-cropped.ply` beside `NAME.ply`, or the first of `NAME-cropped-2.ply` and so on that is free.
fn unused(file: &Path) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default();
    if let (Some("compressed"), Some(stem)) =
        (Path::new(name).extension().and_then(|ending| ending.to_str()), Path::new(name).file_stem())
    {
        name = stem;
    }
    let numbered = |n: u32| {
        let mut name = name.to_os_string();
        name.push(if n == 1 { "-cropped.ply".into() } else { format!("-cropped-{n}.ply") });
        file.with_file_name(name)
    };
    // A link to nothing is taken, too.
    (1..).map(numbered).find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Camera;
    use crate::gpu::{Choice, Gpu, Mask};
    use crate::splat::reference::{cloud, splats};
    use crate::splat::{ply, read_framed};
    use crate::viewer::display::DisplayOptions;
    use crate::viewer::picture::Picture;
    use crate::viewer::scene::Model;
    use glam::{DMat4, DVec3};

    /// Splats at x = 0 to 9 in `frame`.
    fn line() -> Splats {
        let mut line = splats(&cloud(10, 2));
        line.means = (0..10).map(|i| [i as f32, 0.0, 0.0]).collect();
        line
    }

    #[test]
    fn the_file_holds_what_the_box_leaves_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scene.ply");
        let frame = SceneFrame { origin: DVec3::new(500_000.0, 0.0, -3.0), unit: 2.0 };
        ply::write_in(&file, &line(), &frame, true).unwrap();
        let before = fs::read(&file).unwrap();
        let (found, frame) = read_framed(&file).unwrap();
        let whole = found.splats.clone();
        let mut crop = Crop::new(found.splats, frame).unwrap();
        // Of the capture's coordinates: splats lie at every second one.
        crop.shape.low.x = 500_003.0;
        crop.shape.high.x = 500_012.0;
        let first = crop.save(&file, found.antialiased).unwrap();
        assert_eq!(first, folder.path().join("scene-cropped.ply"));
        assert_eq!(crop.inside, 5, "2 to 6");
        let (inside, same) = read_framed(&first).unwrap();
        assert_eq!((same, inside.antialiased), (frame, true));
        assert_eq!(inside.splats, select(&whole, &[2, 3, 4, 5, 6]));
        crop.outside = true;
        let second = crop.save(&file, found.antialiased).unwrap();
        assert_eq!(second, folder.path().join("scene-cropped-2.ply"));
        assert_eq!(read_framed(&second).unwrap().0.splats, select(&whole, &[0, 1, 7, 8, 9]));
        assert_eq!(read_framed(&first).unwrap().0.splats, inside.splats, "the first one stays");
        assert_eq!(fs::read(&file).unwrap(), before, "and so does the original");
    }

    #[test]
    fn nothing_is_written_where_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut crop = Crop::new(line(), SceneFrame::IDENTITY).unwrap();
        (crop.shape.low.y, crop.shape.high.y) = (5.0, 6.0);
        assert!(crop.rest().unwrap().is_empty());
        let refused = crop.save(&folder.path().join("scene.ply"), false).unwrap_err();
        assert!(refused.to_string().contains("no splats"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        crop.reset().unwrap();
        assert!(crop.inside >= 8 && !crop.outside, "{}", crop.inside);
    }

    #[test]
    fn a_box_without_splats_is_a_picture_of_nothing() {
        let gpu = Gpu::open(&Choice::Cpu, Mask::default()).unwrap();
        let mut crop = Crop::new(line(), SceneFrame::IDENTITY).unwrap();
        let viewmat = DMat4::from_translation(DVec3::new(-4.0, 0.0, 9.0));
        let (fx, fy, cx, cy) = (40.0, 40.0, 32.0, 16.0);
        let camera = Camera { width: 64, height: 32, fx, fy, cx, cy, viewmat, reduction: 1.0 };
        let mut picture = Picture::new(&gpu).unwrap();
        let mut brightest = |crop: &mut Crop, number| {
            let model = Model::part(&gpu, &crop.rest().unwrap(), crop.bounds).unwrap();
            let shot = DisplayOptions::default().shot(&model, number, camera.clone());
            picture.draw(&gpu, model.tensors(), &shot, false).unwrap();
            while picture.busy(&gpu).unwrap() {}
            picture.screen.read(&gpu).unwrap().into_raw().into_iter().max()
        };
        assert!(brightest(&mut crop, 1) > Some(20));
        (crop.shape.low.y, crop.shape.high.y) = (5.0, 6.0);
        assert_eq!(brightest(&mut crop, 2), Some(0));
    }

    #[test]
    fn names_say_what_was_cropped() {
        for (file, name) in [
            ("a/scene.compressed.ply", "a/scene-cropped.ply"),
            ("scene.v2.spz", "scene.v2-cropped.ply"),
            ("out/splats.ply", "out/splats-cropped.ply"),
        ] {
            assert_eq!(unused(Path::new(file)), Path::new(name));
        }
    }
}
