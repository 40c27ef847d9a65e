//! The steps of structure from motion, each once: features, matches, models.

use super::child::{End, Watch};
use super::program::{Help, Program, glomap};
use super::{Config, Folders, Mapper, masks, model, output, picture_name, work};
use crate::capture::View;
use crate::error::Result;
use crate::progress::Progress;
use crate::storage;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Neighbors by name that an image is matched with where there are too many for all pairs (and, beyond these, those at
/// distances of powers of two).
const OVERLAP: usize = 20;
/// Images of a block of pairs: COLMAP reports its progress by blocks.
const BLOCK: usize = 8;

/// One structure from motion.
pub struct Steps<'a> {
    pub program: &'a Program,
    pub views: &'a [View],
    pub folders: &'a Folders<'a>,
    pub config: &'a Config,
    pub shared_camera: bool,
    pub progress: &'a dyn Progress,
}

impl Steps<'_> {
    /// Runs the remaining steps; returns the folders of the models.
    pub fn run(&self) -> Result<Vec<PathBuf>> {
        let names: Vec<String> = self.views.iter().map(|view| picture_name(&view.name)).collect();
        work::announce(self.folders.work, names.iter().map(String::as_str))?;
        let [features, matches, models] = work::STEPS;
        self.once(features, || self.features())?;
        self.once(matches, || self.matches())?;
        self.once(models, || self.build())?;
        model::list(&self.work(work::MODELS))
    }

    /// The model in `folder` as text, in the folder returned.
    pub fn as_text(&self, folder: &Path) -> Result<PathBuf> {
        let text = self.work(work::TEXT);
        storage::create_folder(&text)?;
        let mut command = self.program.command("model_converter");
        command.arg("--input_path").arg(folder).arg("--output_path").arg(&text).args(["--output_type", "TXT"]);
        self.demand("model_converter", &mut command, |_| {})?;
        Ok(text)
    }

    fn work(&self, name: &str) -> PathBuf {
        self.folders.work.join(name)
    }

    /// Does a step unless an earlier call finished it.
    fn once(&self, step: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
        let mark = self.work(&work::mark(step));
        if mark.exists() {
            return Ok(());
        }
        make()?;
        storage::write_bytes(mark, b"")
    }

    fn features(&self) -> Result<()> {
        let (name, config) = ("feature_extractor", self.config);
        let (mut command, help) = self.command(name)?;
        command.arg("--image_path").arg(self.folders.images);
        command.arg("--image_list_path").arg(self.work(work::LIST));
        help.set(&mut command, &["ImageReader.camera_model"], config.lens.name());
        if let Some(masks) = masks::write(self.views, self.folders)? {
            help.set(&mut command, &["ImageReader.mask_path"], masks.display());
        }
        // A folder for each camera of a rig, or for each walk.
        let folders = self.views.iter().any(|view| view.name.contains('/'));
        help.set(&mut command, &["ImageReader.single_camera"], u8::from(self.shared_camera && !folders));
        if folders {
            help.set(&mut command, &["ImageReader.single_camera_per_folder"], u8::from(self.shared_camera));
        }
        help.set(&mut command, &["FeatureExtraction.use_gpu", "SiftExtraction.use_gpu"], 0);
        let size = ["FeatureExtraction.max_image_size", "SiftExtraction.max_image_size"];
        help.set(&mut command, &size, config.feature_size);
        help.set(&mut command, &["SiftExtraction.max_num_features"], config.max_features);
        self.threads(&help, &mut command, &["FeatureExtraction.num_threads", "SiftExtraction.num_threads"]);
        let total = self.views.len() as u64;
        self.progress.begin("features", "images", total);
        self.demand(name, &mut command, |line| {
            if let Some((done, _)) = output::fraction(line) {
                self.progress.set(done.min(total), "");
            }
        })?;
        self.progress.end();
        Ok(())
    }

    fn matches(&self) -> Result<()> {
        if self.views.len() <= self.config.match_all_up_to {
            return self.match_with("exhaustive_matcher", |help, command| {
                help.set(command, &["ExhaustiveMatching.block_size"], BLOCK);
            });
        }
        self.match_with("sequential_matcher", |help, command| {
            help.set(command, &["SequentialMatching.overlap"], OVERLAP);
            help.set(command, &["SequentialMatching.quadratic_overlap"], 1);
            // Loops are found with a vocabulary tree, which would have to be downloaded.
            help.set(command, &["SequentialMatching.loop_detection"], 0);
        })?;
        // Instead of it: images that match the same image are matched with each other.
        match self.program.has("transitive_matcher") {
            true => self.match_with("transitive_matcher", |_, _| {}),
            false => Ok(()),
        }
    }

    fn match_with(&self, name: &str, more: impl FnOnce(&Help, &mut Command)) -> Result<()> {
        let (mut command, help) = self.command(name)?;
        help.set(&mut command, &["FeatureMatching.use_gpu", "SiftMatching.use_gpu"], 0);
        self.threads(&help, &mut command, &["FeatureMatching.num_threads", "SiftMatching.num_threads"]);
        more(&help, &mut command);
        self.progress.begin("matches", "per cent", 100);
        self.demand(name, &mut command, |line| {
            if let Some((done, total)) = output::fraction(line) {
                self.progress.set(100 * done / total.max(1), "");
            }
        })?;
        self.progress.end();
        Ok(())
    }

    fn build(&self) -> Result<()> {
        let models = self.work(work::MODELS);
        work::remove_models(self.folders.work)?;
        storage::create_folder(&models)?;
        let (name, mut command, help) = self.mapper()?;
        command.arg("--image_path").arg(self.folders.images).arg("--output_path").arg(&models);
        help.set(&mut command, &["Mapper.min_model_size"], super::MIN_REGISTERED);
        self.threads(&help, &mut command, &["GlobalMapper.num_threads", "Mapper.num_threads"]);
        self.progress.begin("poses", "images", self.views.len() as u64);
        let mut none = false;
        let watch = self.watch(name);
        let end = watch.run(&mut command, |line| {
            none |=
                ["failed to create", "initial image pair", "no image pair"].iter().any(|words| line.contains(words));
            if let Some(count) = output::registered(line) {
                self.progress.set(count.min(self.views.len() as u64), "");
            }
        })?;
        self.progress.end();
        match end {
            End::Code(code) if model::list(&models)?.is_empty() && !none => {
                Err(watch.crashed(&format!("exit code {code}"), watch.last_words()))
            }
            _ => Ok(()),
        }
    }

    /// The mapper command, with the options that only this one needs.
    fn mapper(&self) -> Result<(&'static str, Command, Help)> {
        if self.config.mapper == Mapper::Incremental {
            let (command, help) = self.command("mapper")?;
            return Ok(("mapper", command, help));
        }
        if !self.program.has("global_mapper") {
            let (mut command, help) = glomap()?;
            command.arg("--database_path").arg(self.work(work::DATABASE));
            help.set(&mut command, &["GlobalPositioning.use_gpu"], 0);
            help.set(&mut command, &["BundleAdjustment.use_gpu"], 0);
            return Ok(("glomap", command, help));
        }
        // Focal lengths that no EXIF data gave must be right before all images are placed at once.
        if self.program.has("view_graph_calibrator") {
            let (mut command, _) = self.command("view_graph_calibrator")?;
            self.demand("view_graph_calibrator", &mut command, |_| {})?;
        }
        let (mut command, help) = self.command("global_mapper")?;
        help.set(&mut command, &["GlobalMapper.random_seed"], self.config.seed);
        help.set(&mut command, &["GlobalMapper.gp_use_gpu"], 0);
        help.set(&mut command, &["GlobalMapper.ba_ceres_use_gpu"], 0);
        Ok(("global_mapper", command, help))
    }

    /// A command of COLMAP on the database.
    fn command(&self, name: &str) -> Result<(Command, Help)> {
        let help = self.program.help(name)?;
        let mut command = self.program.command(name);
        command.arg("--database_path").arg(self.work(work::DATABASE));
        help.set(&mut command, &["random_seed"], self.config.seed);
        Ok((command, help))
    }

    fn threads(&self, help: &Help, command: &mut Command, names: &[&str]) {
        if self.config.colmap_threads > 0 {
            help.set(command, names, self.config.colmap_threads);
        }
    }

    fn watch(&self, name: &str) -> Watch<'_> {
        let limit = Duration::from_secs_f64(60.0 * self.config.colmap_minutes);
        Watch { name: format!("COLMAP's {name}"), log: self.folders.log, limit, progress: self.progress }
    }

    /// Runs a command that has to succeed.
    fn demand(&self, name: &str, command: &mut Command, line: impl FnMut(&str)) -> Result<()> {
        let watch = self.watch(name);
        match watch.run(command, line)? {
            End::Success => Ok(()),
            End::Code(code) => Err(watch.crashed(&format!("exit code {code}"), watch.last_words())),
        }
    }
}
