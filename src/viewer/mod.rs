//! The live window: splats, points and cameras to walk around in.
//!
//! Pictures are made by the forward kernels of [`crate::splat`], on the device that also draws the window; egui is drawn on
//! top. [`open`] runs until the window is closed.

mod album;
mod app;
mod canvas;
mod compare;
mod compare_view;
mod controls;
mod crop;
mod crop_model;
mod crop_panel;
mod display;
mod filming;
mod frusta;
mod help;
mod layout;
mod look;
mod messages;
mod navigate;
mod options;
mod pace;
mod panel;
mod path_panel;
mod picture;
mod recorder;
mod scene;
mod screenshot;
pub mod show;
mod style;
mod training;
mod training_panel;
mod ui_state;
mod viewer_window;

pub use app::{ViewerContext, open};
pub use options::Options;
