//! Finds the COLMAP model of a folder, and chooses among several.

use super::colmap;
use super::file_names::folder_in;
use super::messages::list_names;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The COLMAP model of the scene or project `root`.
///
/// # Errors
/// As [`in_folder`].
pub fn find(root: &Path) -> Result<Option<PathBuf>> {
    if let Some(model) = in_sparse(root)? {
        return Ok(Some(model));
    }
    match in_colmap(root)? {
        Some(model) => Ok(Some(model)),
        None => in_folder(root),
    }
}

/// The model in the folder `sparse` of `root`.
///
/// # Errors
/// As [`in_folder`].
pub fn in_sparse(root: &Path) -> Result<Option<PathBuf>> {
    folder_in(root, "sparse").map_or(Ok(None), |sparse| in_folder(&sparse))
}

/// The model in the folder `colmap` of `root`, where nerfstudio and people put it.
///
/// # Errors
/// As [`in_folder`].
pub fn in_colmap(root: &Path) -> Result<Option<PathBuf>> {
    let Some(colmap) = folder_in(root, "colmap") else { return Ok(None) };
    match in_sparse(&colmap)? {
        Some(model) => Ok(Some(model)),
        None => in_folder(&colmap),
    }
}

/// The model in `folder` itself or in its subfolders of numbers, which COLMAP's mapper makes: one for each part of the
/// photographs that it could not connect with others. Of several the one with the most images counts (of equals the
/// first), and a warning names the others.
///
/// # Errors
/// A model among several whose images cannot be counted.
pub fn in_folder(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut models: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    models.retain(|(_, path)| colmap::is_model(path));
    models.sort();
    match &models[..] {
        [] => Ok(Some(folder.to_path_buf()).filter(|folder| colmap::is_model(folder))),
        [(_, one)] => Ok(Some(one.clone())),
        several => largest(folder, several).map(Some),
    }
}

fn largest(folder: &Path, models: &[(u32, PathBuf)]) -> Result<PathBuf> {
    let counts = models.iter().map(|(_, model)| colmap::image_count(model)).collect::<Result<Vec<_>>>()?;
    let most = counts.iter().max().copied().unwrap_or(0);
    let Some(chosen) = counts.iter().position(|count| *count == most) else {
        return Err(Error::input(folder, "holds no cameras", "give a COLMAP model with registered images"));
    };
    let others = models.iter().zip(&counts).enumerate().filter(|(index, _)| *index != chosen);
    let others: Vec<String> = others.map(|(_, ((name, _), count))| format!("{name} ({count} images)")).collect();
    tracing::warn!(
        "{}: of several models the largest is used, {} ({most} images); not used: {}",
        folder.display(),
        models[chosen].0,
        list_names(&others)
    );
    Ok(models[chosen].1.clone())
}
