//! Procedural scenes: captures whose truth is known.
//!
//! A TOML file describes solids, textures, lamps and a camera path ([`Scene`]); [`generate`] computes its light,
//! photographs it in the dark with the noise of a real sensor, and writes a capture folder together with the well-lit
//! truth of every view. The embedded night courtyard is the program's demo.

mod agreement;
mod color;
mod description;
mod letters;
mod path;
mod random;
mod sensor;
mod shape;
mod texture;
mod truth;
mod world;
mod write;

pub use agreement::{Agreement, agreement};
pub use color::Color;
pub use description::{CameraPath, Cuboid, Cylinder, Lamp, Light, Panel, PictureFile, Scene, Sensor, Sphere};
pub use path::{photograph, test_cameras, train_cameras};
pub use random::Random;
pub use texture::{Material, Texture};
pub use truth::depths;
pub use world::World;
pub use write::{CAPTURE_FOLDER, generate, is_generated, name_of, remove, write_deep};

#[cfg(test)]
mod tests;
