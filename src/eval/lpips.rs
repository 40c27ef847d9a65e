//! LPIPS 0.1 with AlexNet (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"): the
//! distance of two pictures in the features of a network trained on photographs, weighted to agree with people.
//!
//! The weights are the user's: torchvision's of AlexNet (`features.0.weight`, …) and LPIPS' own (`lin0.model.1.weight`,
//! …), whose licenses are others than this program's.

use super::Counted;
use super::config::Config;
use crate::capture::Image;
use crate::enhance::weights::{Tensor, Weights};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::path::PathBuf;

/// A convolution of AlexNet: its index in torchvision's `features`, inputs, outputs, side of the window, step, padding,
/// and whether its input is pooled first (maxima over 3 × 3, step 2).
#[derive(Clone, Copy)]
struct Shape {
    index: usize,
    inputs: usize,
    outputs: usize,
    window: usize,
    step: usize,
    padding: usize,
    pooled: bool,
}

const fn shape(index: usize, inputs: usize, outputs: usize, window: usize, step: usize, pooled: bool) -> Shape {
    Shape { index, inputs, outputs, window, step, padding: if window == 3 { 1 } else { 2 }, pooled }
}

const SHAPES: [Shape; 5] = [
    shape(0, 3, 64, 11, 4, false),
    shape(3, 64, 192, 5, 1, true),
    shape(6, 192, 384, 3, 1, true),
    shape(8, 384, 256, 3, 1, false),
    shape(10, 256, 256, 3, 1, false),
];
/// What LPIPS subtracts from values of −1 to 1, and divides them by.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
const REMEDY: &str = "give AlexNet's weights of torchvision and LPIPS' lin weights for it (alex.pth), \
                      or a safetensors file of both";

struct Layer {
    shape: Shape,
    /// `[outputs, inputs, window, window]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Weight of each output's squared difference.
    linear: Vec<f32>,
}

/// The network with its weights.
pub struct Lpips {
    layers: Vec<Layer>,
}

/// Values of channels by rows and columns.
struct Planes {
    width: usize,
    height: usize,
    channels: Vec<Vec<f32>>,
}

impl Lpips {
    /// The network of `config`; `None` where it asks for none.
    ///
    /// # Errors
    /// Files that cannot be read, and [`Error::Input`] that names the file and the tensor that is missing or misshaped.
    pub fn open(config: &Config) -> Result<Option<Self>> {
        if config.lpips == "none" {
            return Ok(None);
        }
        Self::read(&Self::files(config)).map(Some)
    }

    /// The files that `config` names.
    pub fn files(config: &Config) -> Vec<PathBuf> {
        let names = config.lpips.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
        names.map(PathBuf::from).collect()
    }

    fn read(paths: &[PathBuf]) -> Result<Self> {
        let files = paths.iter().map(Weights::read).collect::<Result<Vec<_>>>()?;
        let take = |names: [String; 2], wanted: &[usize]| -> Result<Vec<f32>> {
            let found = files.iter().find_map(|file| {
                let tensor = names.iter().find_map(|name| file.tensors.get(name))?;
                Some((file, tensor))
            });
            match found {
                Some((_, Tensor { shape, values })) if shape == wanted => Ok(values.clone()),
                Some((file, tensor)) => {
                    let found =
                        format!("`{}` has the shape {:?}, not {wanted:?}: another network", names[0], tensor.shape);
                    Err(Error::input(&file.name, found, REMEDY))
                }
                None => {
                    let all: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                    Err(Error::input(all.join(", "), format!("no tensor `{}`", names[0]), REMEDY))
                }
            }
        };
        let layer = |(at, shape): (usize, Shape)| {
            let Shape { index, inputs, outputs, window, .. } = shape;
            // As torchvision calls them, and as a saved LPIPS does.
            let of = |what: &str| [format!("features.{index}.{what}"), format!("net.slice{}.{index}.{what}", at + 1)];
            let linear = [format!("lin{at}.model.1.weight"), format!("lins.{at}.model.1.weight")];
            Ok(Layer {
                shape,
                weight: take(of("weight"), &[outputs, inputs, window, window])?,
                bias: take(of("bias"), &[outputs])?,
                linear: take(linear, &[1, outputs, 1, 1])?,
            })
        };
        Ok(Self { layers: SHAPES.into_iter().enumerate().map(layer).collect::<Result<_>>()? })
    }

    /// The distance of two pictures with display values of 0 to 1, rounded to 8 bits; 0 for equal ones. A place of the
    /// network's layers counts as much as the pixels there that are `counted`, or all. `None` if nothing counts, the sizes
    /// differ or the pictures are too small for the network (31 pixels a side).
    pub fn distance(&self, render: &Image, reference: &Image, counted: Option<&Counted>) -> Option<f64> {
        if (render.width, render.height) != (reference.width, reference.height) {
            return None;
        }
        let [mut a, mut b] = [render, reference].map(Planes::of);
        let mut sum = 0.0;
        for layer in &self.layers {
            (a, b) = (layer.features(&a)?, layer.features(&b)?);
            let weights = counted.map(|counted| counted.shares(a.width as u32, a.height as u32));
            sum += layer.difference(&a, &b, weights.as_deref())?;
        }
        Some(sum)
    }
}

impl Planes {
    /// A picture as the network takes it.
    fn of(image: &Image) -> Self {
        let bytes = image.to_rgb8();
        let value = |byte: u8, channel: usize| (f32::from(byte) / 127.5 - 1.0 - SHIFT[channel]) / SCALE[channel];
        let plane = |channel: usize| bytes.pixels().map(|pixel| value(pixel.0[channel], channel)).collect();
        let (width, height) = (image.width as usize, image.height as usize);
        Self { width, height, channels: (0..3).map(plane).collect() }
    }

    /// Maxima over 3 × 3, step 2, without padding.
    fn pooled(&self) -> Option<Self> {
        let [width, height] = [self.width, self.height].map(|side| side.checked_sub(3).map(|rest| rest / 2 + 1));
        let (width, height) = (width?, height?);
        let pool = |plane: &Vec<f32>| {
            let at = |x: usize, y: usize| {
                let rows = (2 * y..2 * y + 3).map(|y| &plane[y * self.width + 2 * x..][..3]);
                rows.flatten().copied().fold(f32::NEG_INFINITY, f32::max)
            };
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
        };
        Some(Self { width, height, channels: self.channels.par_iter().map(pool).collect() })
    }

    /// With a border of zeros.
    fn padded(&self, border: usize) -> Self {
        let (width, height) = (self.width + 2 * border, self.height + 2 * border);
        let pad = |plane: &Vec<f32>| {
            let mut padded = vec![0.0; width * height];
            let rows = padded.chunks_exact_mut(width).skip(border);
            rows.zip(plane.chunks_exact(self.width))
                .for_each(|(to, row)| to[border..][..self.width].copy_from_slice(row));
            padded
        };
        Self { width, height, channels: self.channels.iter().map(pad).collect() }
    }

    /// Every `step`-th column of each row from `first` on, so that a window's column lies in one piece.
    fn columns(&self, first: usize, step: usize, count: usize) -> Vec<Vec<f32>> {
        let row = |row: &[f32]| row[first..].iter().step_by(step).take(count).copied().collect::<Vec<_>>();
        self.channels.iter().map(|plane| plane.chunks_exact(self.width).flat_map(row).collect()).collect()
    }
}

impl Layer {
    /// The features of `input`, which are not negative.
    fn features(&self, input: &Planes) -> Option<Planes> {
        let Shape { window, step, padding, pooled, .. } = self.shape;
        let pooled = if pooled { Some(input.pooled()?) } else { None };
        let input = pooled.as_ref().unwrap_or(input).padded(padding);
        let side = |side: usize| side.checked_sub(window).map(|rest| rest / step + 1);
        let (width, height) = (side(input.width)?, side(input.height)?);
        let columns: Vec<_> = (0..window).map(|first| input.columns(first, step, width)).collect();
        let channels = (0..self.shape.outputs).into_par_iter().map(|output| {
            let mut plane = vec![self.bias[output]; width * height];
            for (place, weight) in self.weights_of(output).iter().enumerate() {
                let (channel, dy, dx) = (place / (window * window), place / window % window, place % window);
                let source = columns[dx][channel].chunks_exact(width).skip(dy).step_by(step);
                for (sums, values) in plane.chunks_exact_mut(width).zip(source) {
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
                }
            }
            plane.iter_mut().for_each(|value| *value = value.max(0.0));
            plane
        });
        Some(Planes { width, height, channels: channels.collect() })
    }

    fn weights_of(&self, output: usize) -> &[f32] {
        let length = self.shape.inputs * self.shape.window * self.shape.window;
        &self.weight[output * length..][..length]
    }

    /// The mean over all places, each by its weight, of the weighted squared difference of features of unit length. `None`
    /// where no place has a weight.
    fn difference(&self, a: &Planes, b: &Planes, weights: Option<&[f32]>) -> Option<f64> {
        let places = a.width * a.height;
        let [a_length, b_length] = [a, b].map(|planes| {
            let squares = |place: usize| planes.channels.iter().map(|plane| plane[place] * plane[place]).sum::<f32>();
            (0..places).map(|place| squares(place).sqrt() + 1e-10).collect::<Vec<f32>>()
        });
        let of = |place: usize| {
            let channels = a.channels.iter().zip(&b.channels).zip(&self.linear);
            let square = |((a, b), weight): ((&Vec<f32>, &Vec<f32>), &f32)| {
                weight * (a[place] / a_length[place] - b[place] / b_length[place]).powi(2)
            };
            f64::from(channels.map(square).sum::<f32>())
        };
        let weight = |place: usize| weights.map_or(1.0, |weights| f64::from(weights[place]));
        let total: f64 = (0..places).map(weight).sum();
        (total > 0.0).then(|| (0..places).map(|place| weight(place) * of(place)).sum::<f64>() / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    /// Weights from a formula.
    fn tensors() -> Weights {
        let tensor = |shape: &[usize], stream: u64, low: f64, high: f64| {
            let count: usize = shape.iter().product();
            let value = |at: usize| (low + (high - low) * uniform(7, stream, at as u64)) as f32;
            Tensor { shape: shape.to_vec(), values: (0..count).map(value).collect() }
        };
        let mut weights = Weights::default();
        for (at, Shape { index, inputs, outputs, window, .. }) in SHAPES.into_iter().enumerate() {
            let reach = (6.0 / (inputs * window * window) as f64).sqrt();
            let stream = 3 * at as u64;
            let mut add = |name: String, tensor| drop(weights.tensors.insert(name, tensor));
            add(format!("features.{index}.weight"), tensor(&[outputs, inputs, window, window], stream, -reach, reach));
            add(format!("features.{index}.bias"), tensor(&[outputs], stream + 1, -0.1, 0.1));
            add(format!("lin{at}.model.1.weight"), tensor(&[1, outputs, 1, 1], stream + 2, 0.0, 1.0));
        }
        weights
    }

    fn picture(width: u32, height: u32, stream: u64) -> Image {
        let value = |at: u32| (uniform(3, stream, u64::from(at)) * 255.0).floor() as f32 / 255.0;
        let pixels = (0..width * height).map(|i| [value(3 * i), value(3 * i + 1), value(3 * i + 2)]).collect();
        Image { width, height, pixels }
    }

    /// A convolution by its definition, in f64.
    fn direct(input: &Planes, layer: &Layer) -> Vec<f64> {
        let Shape { window, step, padding, inputs, .. } = layer.shape;
        let out = |side: usize| (side + 2 * padding - window) / step + 1;
        let mut all = Vec::new();
        for output in 0..layer.shape.outputs {
            for (y, x) in (0..out(input.height)).flat_map(|y| (0..out(input.width)).map(move |x| (y, x))) {
                let mut sum = f64::from(layer.bias[output]);
                for (channel, dy, dx) in (0..inputs * window * window)
                    .map(|place| (place / (window * window), place / window % window, place % window))
                {
                    let (y, x) = (y * step + dy, x * step + dx);
                    if (padding..padding + input.height).contains(&y) && (padding..padding + input.width).contains(&x) {
                        let weight = layer.weight[((output * inputs + channel) * window + dy) * window + dx];
                        let value = input.channels[channel][(y - padding) * input.width + x - padding];
                        sum += f64::from(weight) * f64::from(value);
                    }
                }
                all.push(sum.max(0.0));
            }
        }
        all
    }

    fn network() -> (tempfile::TempDir, Lpips) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("both.safetensors");
        tensors().write(&path).unwrap();
        let config = Config { lpips: path.display().to_string() };
        let network = Lpips::open(&config).unwrap().unwrap();
        (folder, network)
    }

    #[test]
    fn features_agree_with_the_definition() {
        let (_folder, network) = network();
        let first = Planes::of(&picture(35, 39, 0));
        let features = network.layers[0].features(&first).unwrap();
        let expected = direct(&first, &network.layers[0]);
        let found = features.channels.concat();
        assert_eq!((features.width, features.height, found.len()), (8, 9, expected.len()));
        let off = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4 && expected.iter().any(|v| *v > 0.5), "{off}");
        let pooled = features.pooled().unwrap();
        assert_eq!((pooled.width, pooled.height), (3, 4));
        let window = (4..7).flat_map(|y| (2..5).map(move |x| y * 8 + x)).map(|at| features.channels[5][at]);
        assert_eq!(pooled.channels[5][2 * 3 + 1], window.fold(0.0, f32::max));
        let (second, expected) = (network.layers[1].features(&features).unwrap(), direct(&pooled, &network.layers[1]));
        let off = second.channels.concat().into_iter().zip(&expected).map(|(a, b)| (f64::from(a) - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-3);
    }

    #[test]
    fn equal_pictures_have_no_distance_and_small_ones_none() {
        let (_folder, network) = network();
        let (a, b) = (picture(37, 33, 0), picture(37, 33, 1));
        assert_eq!(network.distance(&a, &a, None), Some(0.0));
        let (there, back) = (network.distance(&a, &b, None).unwrap(), network.distance(&b, &a, None).unwrap());
        assert!(there > 0.01 && (there - back).abs() < 1e-9, "{there} {back}");
        assert_eq!(network.distance(&a, &picture(37, 32, 1), None), None);
        assert_eq!(network.distance(&picture(12, 40, 0), &picture(12, 40, 1), None), None);
    }

    #[test]
    fn what_a_mask_hides_does_not_make_the_rest_closer() {
        let (_folder, network) = network();
        let (a, b) = (picture(96, 64, 0), picture(96, 64, 1));
        let whole = network.distance(&a, &b, None).unwrap();
        let counted = |columns: usize| {
            Counted::new(96, 64, &(0..96 * 64).map(|at| f32::from(u8::from(at % 96 < columns))).collect::<Vec<_>>())
        };
        assert!((network.distance(&a, &b, Some(&counted(96))).unwrap() - whole).abs() < 1e-6);
        let half = counted(48);
        let masked = network.distance(&half.merged(&a, &b), &b, Some(&half)).unwrap();
        let diluted = network.distance(&half.merged(&a, &b), &b, None).unwrap();
        assert!(masked > 1.25 * diluted && masked < 1.1 * whole, "{masked} {diluted} {whole}");
        assert_eq!(network.distance(&a, &b, Some(&counted(0))), None);
    }

    #[test]
    fn other_networks_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let open = |weights: &Weights| {
            let path = folder.path().join("w.safetensors");
            weights.write(&path).unwrap();
            Lpips::open(&Config { lpips: path.display().to_string() }).err().map(|error| error.to_string())
        };
        let mut none = tensors();
        none.tensors.remove("lin3.model.1.weight");
        let message = open(&none).unwrap();
        assert!(message.contains("w.safetensors") && message.contains("lin3.model.1.weight"), "{message}");
        let mut other = tensors();
        other.tensors.insert("features.0.weight".into(), Tensor { shape: vec![1], values: vec![0.0] });
        assert!(open(&other).unwrap().contains("features.0.weight"));
        assert!(Lpips::open(&Config::default()).unwrap().is_none());
    }
}
