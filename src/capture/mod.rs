//! Captures: photographs with poses, read and validated once.
//!
//! - a scene folder to a [`Capture`]: [`scene`], [`resolve`] (files that frames name), [`names`] (what views are called),
//!   [`other_frame`]
//! - poses: [`transforms`], [`colmap`], [`models`], [`beside`], [`elsewhere`]; photographs without: [`loose`], [`mod@posed`]
//! - pixels: [`decode`], [`decoder`], [`jpeg`], [`mod@raw`], `mosaic`, [`undistort`], [`bend`], [`bracket`], [`mask`], [`fill`], [`cache`], [`curve`]
//! - metadata: [`extras`], [`exposure`], [`facts`]
//! - geometry: [`camera`], [`distortion`], [`normalize`], [`scene_frame`], [`arrangement`], [`up`],
//!   [`similarity`], `robust`

mod arrangement;
mod bend;
mod beside;
mod bracket;
mod cache;
mod camera;
mod colmap;
mod curve;
mod decode;
mod decoder;
mod distortion;
pub(crate) mod dng;
mod elsewhere;
mod exposure;
mod extras;
mod facts;
mod file_names;
mod fill;
#[cfg(test)]
mod folder_tests;
mod frame;
mod image;
mod jpeg;
mod json_keys;
mod kinds;
mod loose;
mod mask;
mod mask_files;
#[cfg(test)]
mod mask_tests;
mod medians;
mod messages;
mod models;
#[cfg(feature = "raw")]
mod mosaic;
mod named_pose;
mod names;
mod normalize;
mod other_frame;
mod pose;
mod posed;
#[cfg_attr(not(feature = "raw"), path = "no_raw.rs")]
mod raw;
mod resize;
mod resolve;
mod robust;
mod scene;
mod scene_frame;
mod similarity;
mod size;
mod split;
#[cfg(test)]
mod tests;
mod tiff_exif;
mod transforms;
mod turn;
mod undistort;
mod up;
#[cfg(test)]
mod user_input_tests;

pub(crate) use arrangement::typical_depth;
pub use beside::cameras_beside;
pub use bracket::Shot;
pub use cache::ImageCache;
pub use camera::Camera;
pub(crate) use colmap::camera_line;
use curve::Curve;
pub(crate) use curve::with_srgb_curve;
pub(crate) use decode::has_own_curve;
pub use decode::{decode_image, encoded_size, image_size, is_linear, read_image};
pub use distortion::Distortion;
pub(crate) use elsewhere::look_for_other_poses;
pub(crate) use exposure::{assign_gains, below_meter};
pub use extras::{Extras, read_alpha};
pub use facts::Facts;
pub(crate) use file_names::{RECORD, SETTINGS};
pub use file_names::{ending, is_scene};
pub(crate) use frame::Frame;
pub use image::{Image, mean_image};
pub(crate) use jpeg::ycbcr_to_rgb;
pub use loose::{holds_images, image_count, is_image, photos, poses, readable_photos};
pub use mask::{Mask, MaskUse};
pub use mask_files::{add_masks, masks_of};
pub(crate) use medians::median;
pub(crate) use messages::list_names;
pub use named_pose::{NamedPoses, named_poses};
pub(crate) use names::{clash_of, plain as plain_names};
pub(crate) use normalize::world_normalization_about;
pub use normalize::{principal_axes, world_normalization};
pub use pose::NamedPose;
pub(crate) use pose::{MAX_POSITION, from_rotation_translation, rigid};
pub use posed::{LENSES, posed};
pub use resize::resize_area;
pub(crate) use resolve::file_in;
pub use resolve::photo_folder;
pub(crate) use robust::{Robust, extent, residual, robust};
pub use scene::{Options, load, pictures_of};
pub use scene_frame::SceneFrame;
pub use similarity::Similarity;
pub(crate) use similarity::{Basis, Pair, Undetermined, angle, fit};
pub use undistort::Lens;
pub(crate) use up::up_of;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One photograph (or one pose to be rendered) of a capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The image's file name below the folder of the photographs, with `/` between folders: `0001.JPG`, `cam0/0001.JPG`.
    pub name: String,
    /// The image file; `None` for a test pose without a reference.
    pub image: Option<PathBuf>,
    /// Intrinsics and pose of the (undistorted) picture.
    pub camera: Camera,
    /// The lens that took `image`, where it is no pinhole; `camera` is the pinhole that its pixels are resampled to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<Lens>,
    /// What hides pixels of `image`; `None` where all count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// What the linear light of `image` is multiplied by to be exposed and balanced as the mean of the capture; `None`
    /// where photographs do not differ. [`View::read`] leaves it to the stage that knows what light the pixels stand for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<[f32; 3]>,
    /// Further photographs of this pose, exposed differently: a bracket, of which [`View::read`] makes one picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<Shot>,
}

impl View {
    /// The image files that [`View::read`] makes its picture of.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let shots = self.shots.iter().map(|shot| shot.image.as_path());
        self.image.as_deref().into_iter().chain(shots)
    }
}

/// A posed capture. Views are in the order of the file that named them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    /// The scene folder.
    pub root: PathBuf,
    /// Views to train on.
    pub train: Vec<View>,
    /// Views kept from training and measured against their lit image (`--holdout`).
    pub holdout: Vec<View>,
    /// Poses to render; with `image` where a reference exists.
    pub test: Vec<View>,
    /// A point prior that came with the capture (`sparse/0`, `ply_file_path`, …).
    pub points: Option<PathBuf>,
    /// The frame that the cameras are in: the capture's own until [`Capture::in_scene_frame`].
    #[serde(default, skip_serializing_if = "SceneFrame::is_identity")]
    pub frame: SceneFrame,
}

impl Capture {
    /// The capture whose training and held-out views are exposed as `gains` says, by name: factors of linear light.
    #[must_use]
    pub fn with_exposures(mut self, gains: &BTreeMap<String, [f32; 3]>) -> Self {
        self.train.iter_mut().chain(&mut self.holdout).for_each(|view| view.gain = gains.get(&view.name).copied());
        self
    }
}
