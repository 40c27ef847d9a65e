//! Pictures of a splat file along a camera path: `cargo run --release --example render_path -- SPLATS PATH.json OUT`.

use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::paths::CameraPath;
use naka_gs::pipeline::Painter;
use naka_gs::{Error, Result, eval, splat};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [splats, path, out]: [PathBuf; 3] = given.try_into().map_err(|given: Vec<_>| {
        Error::setting("arguments", format!("{}", given.len()), "give SPLATS, PATH and OUT")
    })?;
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    // The file's own frame: one in which single precision is enough.
    let (found, frame) = splat::read_framed(&splats)?;
    let mut painter = Painter::new(&gpu, &found.splats, found.antialiased)?;
    for (index, camera) in CameraPath::read(&path)?.cameras()?.iter().enumerate() {
        let picture = painter.render(&frame.camera(camera))?;
        eval::write_jpeg(&Path::new(&out).join(format!("{index:05}.jpg")), &picture)?;
    }
    Ok(())
}
