//! `naka-gs render`

use super::output::{self, OutFolder, claim, not_in_place};
use super::progress::Reporter;
use super::setting_flags::{Render as RenderTables, SettingFlags};
use super::size::Size;
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::paths::{CameraPath, Encoder};
use naka_gs::pipeline::film::{Format, Frames, Video, film};
use naka_gs::pipeline::output::{Listed, OutputFolder, Results, ensure_apart, ensure_no_input};
use naka_gs::pipeline::{Painter, render_name, render_views, unique_renders};
use naka_gs::settings::Settings;
use naka_gs::{Journal, Result, capture, splat};
use std::path::{Path, PathBuf};

/// Pictures of a splat file from the poses of a transforms file, or along a camera path
#[derive(clap::Args)]
pub struct Render {
    /// Splats: a PLY in the 3DGS layout, SuperSplat's compressed PLY, SPZ, SOG, GLB, or .splat; or the output folder of a run
    splats: PathBuf,
    #[command(flatten)]
    poses: Poses,
    #[command(flatten)]
    film: FilmFlags,
    /// The splats were trained with `antialiased`, though the file does not say so
    #[arg(long)]
    antialiased: bool,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<RenderTables>,
}

/// Where pictures are taken from.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Poses {
    /// Poses, with `w` and `h`
    #[arg(long, value_name = "transforms_test.json")]
    cameras: Option<PathBuf>,
    /// A camera path of nerfstudio's viewer or of `naka-gs path`: its frames as OUT/00000.png, 00001.png, …
    #[arg(long, value_name = "camera_path.json")]
    path: Option<PathBuf>,
}

/// What the pictures of a path are like.
#[derive(clap::Args)]
struct FilmFlags {
    /// A film of the path, by an installed ffmpeg: .mp4, .m4v, .mov, .mkv or .webm; frames are then written only where -o is
    /// given
    #[arg(long, value_name = "FILE.mp4", conflicts_with = "cameras")]
    video: Option<PathBuf>,
    /// How frames are stored
    #[arg(long, value_enum, default_value_t, conflicts_with = "cameras")]
    format: FrameFormat,
    /// Quality of JPEG frames, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with = "cameras")]
    quality: u8,
    /// Size of the pictures [default: the path's]
    #[arg(long, value_name = "WxH", conflicts_with = "cameras")]
    size: Option<Size>,
    /// Pictures a second [default: the path's]; frames of another program are shown faster or slower
    #[arg(long, value_name = "N", conflicts_with = "cameras")]
    fps: Option<f64>,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum FrameFormat {
    #[default]
    Png,
    Jpg,
}

impl Render {
    pub fn run(mut self, reporter: &Reporter) -> Result<()> {
        self.splats = output::splats_file(self.splats);
        let settings = self.settings.resolve()?;
        match &self.poses {
            Poses { cameras: Some(cameras), .. } => self.views(cameras, &settings, reporter),
            Poses { path: Some(path), .. } => self.along(path, &settings, reporter),
            // The group has one of them, or the arguments are refused.
            Poses { .. } => Ok(()),
        }
    }

    fn views(&self, cameras: &Path, settings: &Settings, reporter: &Reporter) -> Result<()> {
        let out = self.out.or_named_after(&self.splats);
        let mut views = capture::poses(cameras)?;
        views.iter_mut().for_each(|view| view.camera = view.camera.downscaled(settings.downscale));
        unique_renders(cameras, &views)?;
        let mut photographs = capture::pictures_of(cameras)?;
        let held = OutputFolder::open(&out)?;
        // Where a scene has no test pictures, its frames name the renders of an earlier call.
        let listed = Listed::read(&held, true)?;
        photographs.retain(|file| !listed.is_own_file(file));
        ensure_apart(&out, photographs.iter().map(PathBuf::as_path))?;
        let targets: Vec<String> = views.iter().map(|view| render_name(&view.name)).collect();
        let inputs = [cameras.to_path_buf(), self.splats.clone()];
        ensure_no_input(&out, targets.iter().map(String::as_str), &inputs)?;
        let results = Results::plan(&held, targets, self.out.overwrite)?;
        let (found, frame) = splat::read_framed(&self.splats)?;
        let cameras: Vec<_> = views.iter().map(|view| view.camera.clone()).collect();
        found.check_axes(&self.splats, &frame, &cameras);
        views.iter_mut().for_each(|view| view.camera = frame.camera(&view.camera));
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::of_process())?;
        let mut painter = Painter::new(&gpu, &found.splats, self.antialiased || found.antialiased)?;
        results.make(settings, |journal| render_views(&mut painter, &views, &out, Some(journal), reporter))?;
        output::line(out.display().to_string())
    }

    fn along(&self, file: &Path, settings: &Settings, reporter: &Reporter) -> Result<()> {
        let mut path = CameraPath::read(file)?;
        if let Some(Size { width, height }) = self.film.size {
            (path.width, path.height) = (width, height);
        }
        path.fps = self.film.fps.unwrap_or(path.fps);
        let cameras: Vec<_> = path.cameras()?.iter().map(|camera| camera.downscaled(settings.downscale)).collect();
        let frames = (self.out.out.is_some() || self.film.video.is_none()).then(|| Frames {
            folder: self.out.or_named_after(&self.splats),
            format: match self.film.format {
                FrameFormat::Png => Format::Png,
                FrameFormat::Jpg => Format::Jpeg(self.film.quality),
            },
        });
        if let Some(video) = &self.film.video {
            [file, &self.splats].into_iter().try_for_each(|input| not_in_place(input, video))?;
            claim(video, self.out.overwrite)?;
        }
        let held = frames.as_ref().map(|frames| OutputFolder::open(&frames.folder)).transpose()?;
        let results = match held.as_ref().zip(frames.as_ref()) {
            Some((held, frames)) => {
                let targets: Vec<String> = (0..cameras.len()).map(|index| frames.name(index)).collect();
                let inputs = [file.to_path_buf(), self.splats.clone()];
                ensure_no_input(&frames.folder, targets.iter().map(String::as_str), &inputs)?;
                Some(Results::plan(held, targets, self.out.overwrite)?)
            }
            None => None,
        };
        let video = match &self.film.video {
            Some(file) => Some(Video { path: file.clone(), encoder: Encoder::find(file)?, fps: path.fps }),
            None => None,
        };
        let (found, frame) = splat::read_framed(&self.splats)?;
        found.check_axes(&self.splats, &frame, &cameras);
        let cameras: Vec<_> = cameras.iter().map(|camera| frame.camera(camera)).collect();
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::of_process())?;
        let mut painter = Painter::new(&gpu, &found.splats, self.antialiased || found.antialiased)?;
        let mut work = |journal: Option<&dyn Journal>| {
            film(&mut painter, &cameras, frames.as_ref(), video.as_ref(), journal, reporter)
        };
        match results {
            Some(results) => results.make(settings, |journal| work(Some(journal)))?,
            None => work(None)?,
        }
        if let Some(Frames { folder, .. }) = &frames {
            output::line(folder.display().to_string())?;
        }
        video.map_or(Ok(()), |video| output::line(video.path.display().to_string()))
    }
}
