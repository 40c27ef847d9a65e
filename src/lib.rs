//! naka-gs: a folder of dark photographs to a 3D Gaussian-splat scene, on any GPU.
//!
//! The modules are the stages of the pipeline, in the order in which data passes through them:
//! [`capture`] → [`enhance`] → [`prior`] → [`ppm`] → [`splat`] → [`train`] → [`eval`].
//! A stage is a function from plain data and its own `Config` to plain data; [`pipeline`] connects them. `viewer` (cargo
//! feature of that name) is the window on all of it.

#![deny(unsafe_code)]

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
mod eigen;
pub mod error;
pub mod golden;
pub mod gpu;
mod hash;
mod least_squares;
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
#[cfg(feature = "viewer")]
pub mod viewer;

pub use error::{Error, Result};
pub use progress::{Board, Both, Journal, Progress, Silent, Standing, Stop};
