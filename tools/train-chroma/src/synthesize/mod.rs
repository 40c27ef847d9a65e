//! `train-chroma synthesize`: pairs of a dark and a lit picture from photographs and from random rooms.
//!
//! Every capture is one random camera ([`draw`]) before one photograph (crops of it) or in one room (views of it).

mod camera;
mod draw;
mod inspect;
mod jpeg;
mod noise;
mod photographs;
mod reduce;
mod room_capture;
mod rooms;
mod tone;
mod write;

pub use inspect::Inspect;
pub use room_capture::RoomCapture;

use camera::Body;
use naka_gs::capture::{Image, resize_area};
use naka_gs::scenes::{Random, World, photograph, train_cameras};
use naka_gs::{Error, Result, Silent};
use photographs::List;
use std::path::PathBuf;

/// Size of the pictures; at the trainer's reduction by 4 a third-size view of a capture.
const SIZE: (u32, u32) = (896, 592);
/// Rooms are rendered at this size and enlarged: what the trainer looks at is smaller still.
const RENDERED: [u32; 2] = [336, 222];

/// Dark and lit pairs from photographs and random rooms
#[derive(clap::Args)]
pub struct Synthesize {
    /// Folder to write the captures to
    out: PathBuf,
    /// List of photographs (TOML)
    #[arg(long, value_name = "FILE")]
    photographs: Option<PathBuf>,
    /// Folder that the list's files are looked for in
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    from: PathBuf,
    /// Captures of photographs
    #[arg(long, default_value_t = 100)]
    photograph_captures: usize,
    /// Captures of rooms
    #[arg(long, default_value_t = 60)]
    room_captures: usize,
    /// Pictures of a capture
    #[arg(long, default_value_t = 8)]
    pictures: usize,
    /// Names all random numbers
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Where a capture's light comes from.
enum Source {
    Photograph(PathBuf),
    Room(u32),
}

impl Synthesize {
    /// # Errors
    /// Files that cannot be read or written; no source at all.
    pub fn run(&self) -> Result<()> {
        let plan = self.plan()?;
        for (name, source, index) in &plan {
            let report = self.capture(name, source, *index as u64)?;
            println!("{name}: {report}");
        }
        Ok(())
    }

    /// The captures' names, sources and numbers. Every twelfth photograph and room is kept for validation.
    fn plan(&self) -> Result<Vec<(String, Source, usize)>> {
        let mut plan = Vec::new();
        if let Some(list) = self.photographs.as_ref().filter(|_| self.photograph_captures > 0) {
            let (files, missing) = List::read(list)?.files(&self.from);
            if missing > 0 {
                println!("{missing} photographs of the list are not below {}", self.from.display());
            }
            if files.is_empty() {
                return Err(Error::input(&self.from, "none of the listed photographs", "see photographs.sh"));
            }
            for i in 0..self.photograph_captures {
                let source = i % files.len();
                let set = if source % 12 == 5 { "val-photograph" } else { "photograph" };
                plan.push((format!("{set}-{i:03}"), Source::Photograph(files[source].clone()), i));
            }
        }
        for i in 0..self.room_captures {
            let set = if i % 12 == 5 { "val-room" } else { "room" };
            let seed = (self.seed as u32).wrapping_mul(100_003).wrapping_add(i as u32);
            plan.push((format!("{set}-{i:03}"), Source::Room(seed), 10_000 + i));
        }
        Ok(plan)
    }

    fn capture(&self, name: &str, source: &Source, index: u64) -> Result<String> {
        let mut random = Random::new(&[self.seed, index]);
        let body = draw::body(&mut random);
        let mut scenes = match source {
            Source::Photograph(path) => photographs::crops(path, self.pictures, SIZE, &mut random)?
                .iter()
                .map(|picture| lights(&body, picture))
                .collect(),
            Source::Room(seed) => self.views(*seed)?,
        };
        expose(&mut scenes, &body, matches!(source, Source::Room(_)), &mut random);
        let folder = self.out.join(name);
        for (i, light) in scenes.iter().enumerate() {
            let pair = [body.dark(light, [self.seed, index, i as u64])?, body.lit(light)];
            write::pair(&folder, i, &pair, body.kept)?;
        }
        write::camera(&folder, name, &body)?;
        Ok(format!("1:{:.0}, {}, {:?}", body.ratio, body.tone.describe(), body.kept))
    }

    fn views(&self, seed: u32) -> Result<Vec<Image>> {
        let scene = rooms::room(seed, [self.pictures.max(3) as u32, 0], RENDERED);
        let world = World::new(&scene, &Silent::default())?;
        let cameras = train_cameras(&scene.camera);
        Ok(cameras.iter().map(|c| enlarge(&photograph(&world, c, scene.camera.antialias))).collect())
    }
}

/// Linear light of a photograph. What is clipped there was brighter: by up to four times, for a camera each.
fn lights(body: &Body, picture: &Image) -> Image {
    let pixels = picture.pixels.iter().map(|p| body.light(*p)).collect();
    Image { width: picture.width, height: picture.height, pixels }
}

/// Brings a capture to the exposure that a random light gives it, gives photographs that light's color, rooms (whose
/// lamps have colors of their own) a share of a white balance, and lights that photographs clip their brightness.
fn expose(scenes: &mut [Image], body: &Body, room: bool, random: &mut Random) {
    let mut cast = draw::cast(random);
    if room {
        let (mean, share) = (mean(scenes), draw::between(random, 0.0, 0.7));
        cast = glam::Vec3::from(mean.map(|v| (mean[1] / v.max(1e-6)).powf(share)));
    }
    let beyond = if room { 1.0 } else { draw::scaled(random, 1.0, 5.0) };
    let level = draw::scaled(random, 1.4, 6.5);
    let wanted = body.ratio * body.tone.decode(level / 255.0);
    for p in scenes.iter_mut().flat_map(|scene| &mut scene.pixels) {
        let brightest = p.iter().fold(0.0f32, |a, b| a.max(*b));
        let excess = ((brightest - 0.75) / 0.25).clamp(0.0, 1.0);
        let scale = 1.0 + (beyond - 1.0) * excess * excess;
        *p = std::array::from_fn(|c| p[c] * cast[c] * scale);
    }
    let gain = (wanted / median_green(scenes)).clamp(0.05, 20.0);
    scenes.iter_mut().flat_map(|scene| &mut scene.pixels).flatten().for_each(|v| *v *= gain);
}

fn mean(scenes: &[Image]) -> [f32; 3] {
    let small: Vec<[f32; 3]> = scenes.iter().map(|s| resize_area(s, 1, 1).at(0, 0)).collect();
    std::array::from_fn(|c| small.iter().map(|p| p[c]).sum::<f32>() / small.len() as f32)
}

fn median_green(scenes: &[Image]) -> f32 {
    let mut values: Vec<f32> = scenes.iter().flat_map(|s| s.pixels.iter().step_by(37).map(|p| p[1])).collect();
    let middle = values.len() / 2;
    values.select_nth_unstable_by(middle, f32::total_cmp).1.max(1e-6)
}

/// Bilinear, from the rendered size to the pictures' size.
fn enlarge(image: &Image) -> Image {
    let (width, height) = SIZE;
    let taps = |out: u32, from: u32| -> Vec<(u32, u32, f32)> {
        let position = |i: u32| ((i as f32 + 0.5) * from as f32 / out as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        (0..out)
            .map(|i| {
                let at = position(i);
                (at as u32, (at as u32 + 1).min(from - 1), at.fract())
            })
            .collect()
    };
    let (columns, rows) = (taps(width, image.width), taps(height, image.height));
    let mix = |a: [f32; 3], b: [f32; 3], t: f32| -> [f32; 3] { std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t) };
    let mut out = Image::new(width, height);
    for (line, &(top, bottom, v)) in out.pixels.chunks_exact_mut(width as usize).zip(&rows) {
        for (pixel, &(left, right, u)) in line.iter_mut().zip(&columns) {
            let upper = mix(image.at(left, top), image.at(right, top), u);
            *pixel = mix(upper, mix(image.at(left, bottom), image.at(right, bottom), u), v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_end_where_photographs_of_darkness_lie() {
        for seed in 0..12 {
            let mut random = Random::new(&[seed]);
            let body = draw::body(&mut random);
            let pixels = (0..6000).map(|i| [0.3, 0.5, 0.4].map(|v| v * (i as f32 / 6000.0).powi(2))).collect();
            let mut scenes = vec![Image { width: 100, height: 60, pixels }];
            expose(&mut scenes, &body, seed % 2 == 0, &mut random);
            let level = 255.0 * body.tone.encode(median_green(&scenes) / body.ratio);
            assert!((1.3..6.6).contains(&level), "{level}");
        }
    }

    #[test]
    fn enlarging_keeps_ramps() {
        let ramp = |w: u32, h: u32| -> Image {
            let at = |i: u32| ((i % w) as f32 + 0.5) / w as f32;
            Image { width: w, height: h, pixels: (0..w * h).map(|i| [at(i), 2.0 * at(i), 0.1]).collect() }
        };
        let (large, exact) = (enlarge(&ramp(336, 222)), ramp(SIZE.0, SIZE.1));
        for x in 3..SIZE.0 - 3 {
            assert!((large.at(x, 300)[1] - exact.at(x, 300)[1]).abs() < 1e-4);
        }
    }

    #[test]
    fn validation_captures_share_no_source() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list.toml");
        let names: Vec<String> = (0..14).map(|i| format!("{i}.jpg")).collect();
        names.iter().for_each(|name| std::fs::write(dir.path().join(name), "").unwrap());
        let text = format!("[[package]]\nname = \"a\"\nlicense = \"b\"\nauthor = \"c\"\nfiles = {names:?}\n");
        std::fs::write(&list, text).unwrap();
        let command = Synthesize {
            out: dir.path().join("out"),
            photographs: Some(list),
            from: dir.path().to_path_buf(),
            photograph_captures: 40,
            room_captures: 20,
            pictures: 2,
            seed: 3,
        };
        let plan = command.plan().unwrap();
        let sources = |validation: bool| -> std::collections::BTreeSet<String> {
            let chosen = plan.iter().filter(|(name, ..)| name.starts_with("val-") == validation);
            chosen
                .map(|(_, source, _)| match source {
                    Source::Photograph(path) => path.display().to_string(),
                    Source::Room(seed) => format!("room {seed}"),
                })
                .collect()
        };
        assert_eq!(plan.len(), 60);
        assert!(!sources(true).is_empty() && sources(true).is_disjoint(&sources(false)));
    }
}
