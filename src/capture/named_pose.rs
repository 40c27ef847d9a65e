//! Camera poses of another program's result, without lenses and images.

use super::file_names::TRANSFORMS;
use super::names::is_absolute;
use super::pose::NamedPose;
use super::resolve::outside;
use super::{colmap, transforms};
use crate::error::Result;
use std::path::{Component, Path, PathBuf};

/// The cameras that a folder holds.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPoses {
    /// The COLMAP model or the transforms file.
    pub path: PathBuf,
    /// The poses, in the order of the file.
    pub poses: Vec<NamedPose>,
    /// The points that a transforms file names (`ply_file_path`).
    pub points: Option<PathBuf>,
}

/// The cameras in `folder`: a COLMAP model there or in `0`, `sparse/0` or `sparse`; a `transforms_train.json` or
/// `transforms.json` before it if it names its points, and after it otherwise.
///
/// # Errors
/// A damaged file, a pose that is not rigid, or points outside the folder.
pub fn named_poses(folder: &Path) -> Result<Option<NamedPoses>> {
    let file = TRANSFORMS.iter().map(|name| folder.join(name)).find(|p| p.is_file());
    let named = file.map(|path| of_transforms(folder, path)).transpose()?;
    if named.as_ref().is_some_and(|named| named.points.is_some()) {
        return Ok(named);
    }
    let models = ["", "0", "sparse/0", "sparse"].iter().map(|name| folder.join(name));
    let model = models.into_iter().find(|model| colmap::is_model(model));
    let model = model.map(|path| colmap::poses(&path).map(|poses| NamedPoses { path, poses, points: None }));
    Ok(model.transpose()?.or(named))
}

fn of_transforms(folder: &Path, path: PathBuf) -> Result<NamedPoses> {
    let file = transforms::read(&path)?;
    let poses = file.frames.into_iter().map(|frame| NamedPose { image: frame.image, viewmat: frame.viewmat }).collect();
    let mut points = None;
    let named = file.ply_file_path.map(|named| below(folder, &named.replace('\\', "/")));
    if let Some(named) = named.filter(|named| folder.join(named).is_file()) {
        if is_absolute(&named) {
            tracing::warn!(
                "{}: `ply_file_path` names {named}, which is not in its folder: its points are not used",
                path.display()
            );
            return Ok(NamedPoses { path, poses, points });
        }
        if Path::new(&named).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(outside(&path, &named));
        }
        points = Some(folder.join(named));
    }
    Ok(NamedPoses { path, poses, points })
}

/// A path that is absolute and leads into `folder`, as one below it; any other as it is.
fn below(folder: &Path, named: &str) -> String {
    let folders = [std::path::absolute(folder), folder.canonicalize()];
    let inside = folders
        .into_iter()
        .flatten()
        .find_map(|folder| Path::new(named).strip_prefix(folder).ok()?.to_str().map(String::from));
    inside.unwrap_or_else(|| named.to_owned())
}
