//! Films camera paths on a thread of its own while the window stays usable.

use super::scene::Scene;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::paths::{CameraPath, Encoder, is_film};
use crate::pipeline::Painter;
use crate::pipeline::film::{Format, Frames, Video, ensure_nothing_at, film};
use crate::progress::{Board, Stop};
use crate::splat::Splats;
use crate::storage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

/// What is made of a path.
#[derive(Clone, Debug)]
pub struct Filming {
    pub path: CameraPath,
    /// A file with the ending of a film, made by an installed ffmpeg; anything else is a folder of PNG files.
    pub to: PathBuf,
    pub antialiased: bool,
}

/// Filming under way.
pub struct Camera<'scope> {
    pub to: PathBuf,
    pub board: Arc<Board>,
    stop: Stop,
    thread: ScopedJoinHandle<'scope, Result<()>>,
}

impl Filming {
    /// # Errors
    /// A path without a way, files that are there already, no ffmpeg.
    fn run(self, gpu: &Gpu, splats: &Splats, board: &Board) -> Result<()> {
        let cameras = self.path.cameras()?;
        let (mut frames, mut video) = (None, None);
        if is_film(&self.to) {
            create_nothing_else(&self.to)?;
            let encoder = Encoder::find(&self.to)?;
            video = Some(Video { path: self.to, encoder, fps: self.path.fps });
        } else {
            let all = Frames { folder: self.to, format: Format::Png };
            (0..cameras.len()).try_for_each(|index| create_nothing_else(&all.file(index)))?;
            frames = Some(all);
        }
        let mut painter = Painter::new(gpu, splats, self.antialiased)?;
        film(&mut painter, &cameras, frames.as_ref(), video.as_ref(), None, board)
    }
}

/// Lets the film's file be created, and replace nothing that is there or appears meanwhile.
fn create_nothing_else(path: &Path) -> Result<()> {
    ensure_nothing_at(path)?;
    storage::create_only(path);
    Ok(())
}

impl<'scope> Camera<'scope> {
    /// Begins on a thread of `threads`; `wake` is called at its end.
    pub fn start(
        threads: &'scope Scope<'scope, '_>,
        filming: Filming,
        gpu: Arc<Gpu>,
        splats: Splats,
        wake: impl Fn() + Send + 'scope,
    ) -> Self {
        let stop = Stop::default();
        let (board, to) = (Arc::new(Board::new(stop.clone())), filming.to.clone());
        let reports = Arc::clone(&board);
        let thread = threads.spawn(move || {
            let outcome = filming.run(&gpu, &splats, &reports);
            wake();
            outcome
        });
        Self { to, board, stop, thread }
    }

    /// Asks it to end.
    pub fn stop(&self) {
        self.stop.request();
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end; returns the path of the pictures.
    ///
    /// # Errors
    /// Those of the filming.
    pub fn outcome(self) -> Result<PathBuf> {
        let bug = || Err(Error::Gpu("filming ended by a bug of the program".into()));
        self.thread.join().unwrap_or_else(|_| bug()).map(|()| self.to)
    }
}

/// Where a path of `scene` is filmed to, unless the user says otherwise: beside its splats, which those of a run are in
/// the output folder, also while it trains on a folder of photographs.
pub fn target(scene: &Scene) -> PathBuf {
    let path = scene.file.as_ref().unwrap_or(&scene.path);
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    folder.join("path.mp4")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_go_beside_the_splats() {
        let capture = tempfile::tempdir().unwrap();
        let path = capture.path().to_path_buf();
        assert_eq!(target(&Scene { path: path.clone(), ..Scene::empty() }), path.join("path.mp4"));
        let file = Some(PathBuf::from("out/splats.ply"));
        assert_eq!(target(&Scene { path, file, ..Scene::empty() }), Path::new("out/path.mp4"));
    }
}
