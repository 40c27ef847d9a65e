//! naka-gs: a folder of dark photographs to a 3D Gaussian-splat scene, on any GPU.
//!
//! The modules are the stages of the pipeline, in the order in which data passes through them:
//! [`capture`] → [`enhance`] → [`prior`] → [`ppm`] → [`splat`] → [`train`] → [`eval`].
//! A stage is a function from plain data and its own `Config` to plain data; [`pipeline`] connects them. `viewer` (cargo
//! feature of that name) is the window on all of it. The program's command line is the feature `cli`; a library that embeds
//! this one leaves both out: `naka-gs = { version = "0.1", default-features = false, features = ["raw"] }` (`raw` reads
//! RAW files). What its interface has of other crates is in [`glam`], [`image`], [`serde_json`] and [`wgpu`].
//!
//! # A scene in a few lines
//!
//! The procedural scene that the tests use, photographed and trained for a few steps:
//!
//! ```
//! use naka_gs::pipeline::{Job, Scope, Shared, run};
//! use naka_gs::progress::Silent;
//! use naka_gs::scenes::{self, Scene};
//! use naka_gs::settings::Preset;
//!
//! # fn main() -> naka_gs::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let scene = Scene::load(concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/tiny.toml").as_ref())?;
//! scenes::generate(&scene, &folder.join("capture"), &Silent::default())?;
//!
//! let mut settings = Preset::Preview.settings();
//! settings.downscale = 1;
//! settings.train.steps = 20;
//! settings.enhance.weights = "none".into();
//! let (capture, out) = (folder.join("capture"), folder.join("out"));
//! let job = Job { scene: capture, out, settings, overwrite: false, scope: Scope::Everything };
//! let outcome = run(&job, &Shared::default(), &Silent::default())?;
//!
//! assert!(outcome.run.splats > Some(0) && job.out.join("splats.ply").is_file());
//! let psnr = outcome.metrics.metrics.test.psnr;
//! assert!(psnr.is_some_and(|psnr| psnr > 5.0));
//! # Ok(())
//! # }
//! ```
//!
//! [`Engine`] has one method for each stage, for programs that want the data rather than an output folder.
//!
//! `examples/` enhances a folder, trains and saves, renders a path, and watches a training.

#![deny(unsafe_code)]
// A library speaks through `tracing` and `Progress`; tests may print.
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]
#![warn(missing_docs)]
// Headers speak to those who read the source, too.
#![allow(rustdoc::private_intra_doc_links)]

pub mod capture;
mod color;
pub mod enhance;
pub mod eval;
pub mod poses;
pub mod ppm;
pub mod prior;
pub mod splat;
pub mod train;

pub mod batch;
pub mod bench;
pub mod compress;
mod eigen;
mod engine;
pub mod error;
pub mod golden;
pub mod gpu;
mod hash;
pub mod least_squares;
pub mod limits;
pub mod page;
pub mod parallel;
pub mod paths;
pub mod pipeline;
mod ply;
mod program;
pub mod progress;
mod random;
pub mod scenes;
pub mod self_test;
pub mod settings;
pub mod storage;
pub mod submit;
mod sync;
pub mod video;
#[cfg(feature = "viewer")]
pub mod viewer;

pub use ::{glam, image, serde_json, wgpu};
pub use engine::{Engine, Points, Posed};
pub use error::{Error, Result};
pub use progress::{Board, Both, Journal, Progress, Silent, Standing, Stop};
