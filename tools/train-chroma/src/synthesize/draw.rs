//! Which random cameras there are, and under which light they photograph.

use super::camera::{Body, LUMA, Saturation};
use super::jpeg::Jpeg;
use super::tone::Tone;
use glam::{Mat3, Vec3};
use jpeg_encoder::SamplingFactor::{F_2_1, F_2_2};
use naka_gs::scenes::Random;

/// Uniform between two ends.
pub fn between(random: &mut Random, low: f32, high: f32) -> f32 {
    low + (high - low) * random.unit()
}

/// Uniform in the logarithm.
pub fn scaled(random: &mut Random, low: f32, high: f32) -> f32 {
    between(random, low.ln(), high.ln()).exp()
}

fn chance(random: &mut Random, share: f32) -> bool {
    random.unit() < share
}

fn normal(random: &mut Random) -> f32 {
    random.normal() as f32
}

/// A random camera.
pub fn body(random: &mut Random) -> Body {
    let ratio = if chance(random, 0.7) { 40.0 } else { between(random, 30.0, 50.0) };
    let tone = tone(random, ratio);
    let gains = Vec3::new(between(random, 1.4, 2.4), 1.0, between(random, 1.3, 2.2));
    // The black level's error is chosen where it is seen: in levels of the dark picture.
    let per_level = 1.0 / (255.0 * tone.toe());
    let spread = scaled(random, 0.01, 0.1);
    let black = Vec3::from(std::array::from_fn(|_| (spread * normal(random)).clamp(-0.3, 0.3))) * per_level / gains;
    let grain = scaled(random, 0.4, 1.0);
    let (full_well, read_noise) = sensor(random, &tone, gains, grain);
    Body {
        tone,
        ratio,
        matrix: matrix(random),
        gains,
        black,
        full_well,
        read_noise,
        raw_step: [1.0 / 4096.0, 1.0 / 16384.0][usize::from(chance(random, 0.7))],
        clips_raw: chance(random, 0.5),
        grain,
        // One camera in four leaves noise in color, which dithers it.
        chroma_radius: if chance(random, 0.25) {
            (3.0 * random.unit()) as u32
        } else {
            4 + (6.0 * random.unit()) as u32
        },
        saturation: saturation(random),
        first: first_file(random),
        kept: kept_file(random),
    }
}

/// In the light red has 0.9–1.5 and blue 0.75–1.15 of the color that it has in darkness: around what was measured.
fn saturation(random: &mut Random) -> Saturation {
    let all = between(random, 0.85, 1.2);
    let dark = [(); 2].map(|()| all * between(random, 0.93, 1.07));
    let lit = [dark[0] * between(random, 0.75, 1.15), dark[1] * between(random, 0.9, 1.5)];
    Saturation { dark, lit }
}

/// Full well and read noise for which noise reduction that leaves `grain` lets luma deviate by 0.3–0.85 levels where
/// the dark picture is at level 2, as grain is found in captures.
fn sensor(random: &mut Random, tone: &Tone, gains: Vec3, grain: f32) -> (f32, f32) {
    let per_level = 1.0 / (255.0 * tone.toe());
    let light = 2.0 * per_level;
    // Of white noise, the mean over 3 × 3 pixels keeps a ninth of the variance.
    let left = (grain * grain + (1.0 - grain * grain) / 9.0).sqrt();
    let variance = (scaled(random, 0.3, 0.85) * per_level / left).powi(2);
    let read_share = between(random, 0.1, 0.6);
    let squares = LUMA * LUMA;
    let full_well = light * squares.dot(gains) / ((1.0 - read_share) * variance);
    let read_noise = full_well * (read_share * variance / squares.dot(gains * gains)).sqrt();
    (full_well, read_noise)
}

/// Tone curves under which dark exposures look like those of known captures: level 3 of the dark picture stands for
/// 65–125 of the lit one, level 10 for 150–225. One in twelve is closer to the plain sRGB curve.
fn tone(random: &mut Random, ratio: f32) -> Tone {
    let plain = chance(random, 0.08);
    loop {
        let tone = if plain {
            Tone::new(between(random, 1.0, 1.6), scaled(random, 0.7, 1.2), between(random, 0.3, 0.9))
        } else {
            Tone::new(between(random, 1.5, 3.4), between(random, 0.42, 0.8), between(random, 0.25, 0.6))
        };
        let lit = |level: f32| 255.0 * tone.encode(ratio * tone.decode(level / 255.0));
        let range = |level: f32, low: f32, high: f32| (low..high).contains(&lit(level));
        if plain || range(3.0, 65.0, 125.0) && range(10.0, 150.0, 225.0) {
            return tone;
        }
    }
}

/// Sensor primaries to sRGB: each sRGB value takes 8–50 % of itself from the neighbors' crosstalk; gray stays gray.
fn matrix(random: &mut Random) -> Mat3 {
    let mut off = |strong: f32| -between(random, 0.02, strong);
    // Rows: red loses green most, green loses red and blue, blue loses green most.
    let rows = [[0.0, off(0.6), off(0.12)], [off(0.2), 0.0, off(0.35)], [off(0.08), off(0.5), 0.0]];
    let row = |i: usize| {
        let mut row = Vec3::from(rows[i]);
        row[i] = 1.0 - row.element_sum();
        row
    };
    Mat3::from_cols(row(0), row(1), row(2)).transpose()
}

/// A camera's own file: fine, 4:2:2 or 4:2:0.
fn first_file(random: &mut Random) -> Jpeg {
    let quality = between(random, 92.0, 98.0) as u8;
    Jpeg { quality, sampling: if chance(random, 0.5) { F_2_1 } else { F_2_2 } }
}

/// The files of known captures are quality 95 at 4:2:0; others spread around.
fn kept_file(random: &mut Random) -> Jpeg {
    let usual = chance(random, 0.7);
    let quality = if usual { 95 } else { between(random, 90.0, 98.0) as u8 };
    Jpeg { quality, sampling: if usual || chance(random, 0.6) { F_2_2 } else { F_2_1 } }
}

/// Linear sRGB of a black body, relative to green, from a table between 2400 and 10000 K.
const BLACK_BODY: [(f32, [f32; 3]); 7] = [
    (2400.0, [3.05, 1.0, 0.13]),
    (2850.0, [2.36, 1.0, 0.26]),
    (3500.0, [1.79, 1.0, 0.45]),
    (4300.0, [1.42, 1.0, 0.65]),
    (5300.0, [1.17, 1.0, 0.86]),
    (6600.0, [1.0, 1.0, 1.05]),
    (10000.0, [0.80, 1.0, 1.35]),
];

/// Linear sRGB of a black body relative to green.
pub fn black_body(kelvin: f32) -> Vec3 {
    let right = BLACK_BODY.partition_point(|(k, _)| *k < kelvin).clamp(1, BLACK_BODY.len() - 1);
    let ((k0, low), (k1, high)) = (BLACK_BODY[right - 1], BLACK_BODY[right]);
    // Color is smooth in the inverse temperature.
    let t = ((1.0 / kelvin - 1.0 / k0) / (1.0 / k1 - 1.0 / k0)).clamp(0.0, 1.0);
    Vec3::from(low).lerp(Vec3::from(high), t)
}

/// What the light's color leaves in the pictures after a white balance that is often set for daylight.
pub fn cast(random: &mut Random) -> Vec3 {
    let share = random.unit();
    let kelvin = match () {
        () if share < 0.2 => 6600.0,
        () if share < 0.85 => 1.0 / between(random, 1.0 / 6000.0, 1.0 / 2800.0),
        () => between(random, 6600.0, 10000.0),
    };
    let tint = (0.04 * normal(random)).exp();
    black_body(kelvin) * Vec3::new(1.0, tint, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_keep_gray_and_differ() {
        let cameras: Vec<Body> = (0..50).map(|i| body(&mut Random::new(&[5, i]))).collect();
        for camera in &cameras {
            assert!((camera.matrix * Vec3::ONE - Vec3::ONE).length() < 1e-5);
            assert!(camera.matrix.determinant() > 0.5);
            assert!((30.0..=50.0).contains(&camera.ratio));
        }
        let differ = cameras.windows(2).filter(|pair| pair[0].gains != pair[1].gains).count();
        assert_eq!(differ, 49);
    }

    /// The measured response of green lies inside the spread of the random ones, at every knot.
    #[test]
    fn the_measured_camera_is_one_of_them() {
        let cameras: Vec<Body> = (0..200).map(|i| body(&mut Random::new(&[6, i]))).collect();
        for (dark, lit) in [(1.1, 41.0), (2.4, 81.0), (3.9, 112.0), (5.9, 142.0), (9.4, 181.0), (12.6, 202.0)] {
            let mut levels: Vec<f32> =
                cameras.iter().map(|c| 255.0 * c.tone.encode(c.ratio * c.tone.decode(dark / 255.0))).collect();
            levels.sort_by(f32::total_cmp);
            assert!(levels[30] < lit && lit < levels[170], "{dark}: {lit} in {}..{}", levels[30], levels[170]);
        }
    }

    #[test]
    fn black_bodies_go_from_red_to_blue() {
        let (warm, day, sky) = (black_body(2600.0), black_body(6600.0), black_body(9000.0));
        assert!(warm.x > 2.0 && warm.z < 0.3 && (day.x - 1.0).abs() < 0.01 && sky.z > 1.1);
    }
}
