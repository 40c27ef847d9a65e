//! The program from outside, as people use it. One crate: each further one is compiled and linked with the library again, and
//! its tests wait for those of the one before.

mod bad_input;
mod batch;
mod compress;
mod end_to_end;
mod finished;
mod frame;
#[cfg(unix)]
mod gone;
mod masks;
mod paths;
mod photos;
mod points;
mod prior;
#[cfg(unix)]
mod safety;
mod submit;
#[path = "../support/mod.rs"]
mod support;
mod tiny_scene;
#[cfg(unix)]
mod unposed;
#[cfg(unix)]
mod video;
