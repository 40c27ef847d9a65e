//! The network as a whole: against the reference, in bands, with shared statistics, and on bad input.

use super::super::reference::{self, Tensor};
use super::super::*;
use super::{gpu, noise, noises};
use crate::enhance::weights::Tensor as Values;
use std::collections::BTreeMap;

/// Weights of widths b, 2b, 4b, 8b; `inner` is the width inside of the residual blocks.
pub fn weights(b: usize, inner: usize) -> Weights {
    let mut tensors = BTreeMap::new();
    let mut put = |name: String, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let spread = if count > shape[0] { 1.7 / ((count / shape[0]) as f32).sqrt() } else { 0.3 };
        let shift = if name.ends_with(".1.weight") { 1.0 } else { 0.0 };
        let values = noises(count, tensors.len() + 1).into_iter().map(|v| shift + spread * v).collect();
        tensors.insert(name, Values { shape: shape.to_vec(), values });
    };
    let mut conv = |name: &str, inputs: usize, outputs: usize| {
        put(format!("{name}.0.weight"), &[outputs, inputs, 3, 3]);
        put(format!("{name}.1.weight"), &[outputs]);
        put(format!("{name}.1.bias"), &[outputs]);
    };
    let mut squeezes = Vec::new();
    let mut rest =
        |conv: &mut dyn FnMut(&str, usize, usize), name: &str, width: usize, blocks: std::ops::Range<usize>| {
            for i in blocks.clone() {
                conv(&format!("{name}.{i}.conv1.block"), width, inner);
                conv(&format!("{name}.{i}.conv2.block"), inner, width);
            }
            squeezes.push((format!("{name}.{}.fc", blocks.end), width));
        };
    conv("stem.block", 18, b);
    for (name, inputs, width, residuals) in [("down1", b, b, 2), ("down2", b, 2 * b, 2), ("down3", 2 * b, 4 * b, 3)] {
        conv(&format!("{name}.block.0.block"), inputs, width);
        rest(&mut conv, &format!("{name}.block"), width, 1..1 + residuals);
        conv(&format!("{name}.down.block"), width, width);
    }
    conv("bottleneck.0.block", 4 * b, 8 * b);
    rest(&mut conv, "bottleneck", 8 * b, 1..3);
    for (name, inputs, width) in [("up3", 12 * b, 4 * b), ("up2", 6 * b, 2 * b), ("up1", 3 * b, b)] {
        conv(&format!("{name}.reduce.block"), inputs, width);
        rest(&mut conv, &format!("{name}.block"), width, 0..2);
    }
    conv("fuse.0.block", b, b);
    conv("fuse.1.conv1.block", b, inner);
    conv("fuse.1.conv2.block", inner, b);
    for (name, width) in squeezes {
        let hidden = 8.max(width / 8);
        put(format!("{name}.0.weight"), &[hidden, width, 1, 1]);
        put(format!("{name}.0.bias"), &[hidden]);
        put(format!("{name}.2.weight"), &[width, hidden, 1, 1]);
        put(format!("{name}.2.bias"), &[width]);
    }
    for (name, outputs) in [("mul_head", 1), ("add_head", 3)] {
        put(format!("{name}.weight"), &[outputs, b, 3, 3]);
        put(format!("{name}.bias"), &[outputs]);
    }
    Weights { name: "test weights".into(), tensors, metadata: BTreeMap::new() }
}

fn picture(width: u32, height: u32, seed: usize, shift: f32) -> Image {
    let value = |i: usize| shift + 0.3 * noise(i + 31 * seed) + 0.2 * (i as f32 / 50.0).sin();
    let pixels = (0..(width * height) as usize).map(|i| [value(3 * i), value(3 * i + 1), value(3 * i + 2)]).collect();
    Image { width, height, pixels }
}

fn planes(image: &Image) -> Tensor {
    Tensor::from_fn(3, image.height as usize, image.width as usize, |c, y, x| {
        f64::from(image.at(x as u32, y as u32)[c])
    })
}

fn largest(a: &Maps, b: &Maps) -> f32 {
    assert_eq!((a.width, a.height, a.mul.len()), (b.width, b.height, b.mul.len()));
    let pairs = a.mul.iter().zip(&b.mul).chain(a.add.as_flattened().iter().zip(b.add.as_flattened()));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |worst, e| if e <= worst { worst } else { e })
}

#[test]
fn the_whole_network_equals_the_reference() {
    for (b, inner, width, height) in [(6, 5, 21, 37), (4, 4, 16, 8), (9, 11, 10, 3)] {
        let weights = weights(b, inner);
        let network = Network::new(gpu(), &weights).unwrap().with_bands_of(8);
        let (dark, lit) = (picture(width, height, 1, 0.1), picture(width, height, 2, 0.5));
        let maps = network.maps(&dark, &lit, None).unwrap();
        let truth = reference::network(&Parts::read(&weights).unwrap(), &planes(&dark), &planes(&lit));
        for (i, (mul, add)) in maps.mul.iter().zip(&maps.add).enumerate() {
            for (c, value) in [*mul, add[0], add[1], add[2]].into_iter().enumerate() {
                let wanted = truth.plane(c)[i];
                assert!((f64::from(value) - wanted).abs() < 1e-4, "b {b}, map {c}, pixel {i}: {value} not {wanted}");
            }
        }
        let found = network.apply(&maps, &lit).unwrap();
        let truth = reference::apply(&truth, &planes(&lit));
        for (i, pixel) in found.pixels.iter().enumerate() {
            (0..3).for_each(|c| assert!((f64::from(pixel[c]) - truth.plane(c)[i]).abs() < 1e-4));
        }
    }
}

#[test]
fn bands_make_no_difference() {
    let weights = weights(4, 4);
    let whole = Network::new(gpu(), &weights).unwrap();
    let banded = Network::new(gpu(), &weights).unwrap().with_bands_of(16);
    for (width, height) in [(50, 83), (33, 17), (1, 40), (40, 1)] {
        let (dark, lit) = (picture(width, height, 3, 0.05), picture(width, height, 4, 0.4));
        let (a, b) = (whole.maps(&dark, &lit, None).unwrap(), banded.maps(&dark, &lit, None).unwrap());
        let worst = largest(&a, &b);
        println!("{width} × {height}: {worst:e}");
        assert!(worst < 1e-5, "{width} × {height}: {worst:e}");
    }
}

#[test]
fn strips_within_a_budget_make_no_difference() {
    let weights = weights(3, 3);
    let whole = Network::new(gpu(), &weights).unwrap();
    // Odd, so that every enlargement has a ratio of its own; strips of 40 and of 208 rows.
    let (dark, lit) = (picture(11, 683, 3, 0.05), picture(11, 683, 4, 0.4));
    let statistics = whole.statistics(&[(&dark, &lit)]).unwrap();
    let truth = whole.maps(&dark, &lit, Some(&statistics)).unwrap();
    for rows in [330, 500] {
        let tight = Network::new(gpu(), &weights).unwrap().with_budget_of(5 * 27 * 13 * rows);
        let maps = tight.maps(&dark, &lit, Some(&statistics)).unwrap();
        let worst = largest(&truth, &maps);
        println!("budget of {rows} rows: {worst:e}");
        assert!(worst < 1e-5, "budget of {rows} rows: {worst:e}");
        // Its own statistics are those of a copy; the maps are sane all the same.
        assert!(tight.maps(&dark, &lit, None).unwrap().mul.iter().all(|m| (0.39..=1.61).contains(m)));
    }
}

#[test]
fn statistics_are_shared_by_all_images() {
    let weights = weights(4, 4);
    let network = Network::new(gpu(), &weights).unwrap().with_bands_of(16);
    let [(a, a_lit), (b, b_lit)] = [(30, 41), (22, 19)].map(|(w, h)| (picture(w, h, 5, 0.1), picture(w, h, 6, 0.6)));
    let own = network.maps(&a, &a_lit, None).unwrap();
    // Given its own statistics, an image gets its own maps, and twice the same image has the statistics of one.
    for pairs in [vec![(&a, &a_lit)], vec![(&a, &a_lit), (&a, &a_lit)]] {
        let statistics = network.statistics(&pairs).unwrap();
        let worst = largest(&own, &network.maps(&a, &a_lit, Some(&statistics)).unwrap());
        assert!(worst < 5e-5, "{worst:e}");
    }
    let both = network.statistics(&[(&a, &a_lit), (&b, &b_lit)]).unwrap();
    assert!(largest(&own, &network.maps(&a, &a_lit, Some(&both)).unwrap()) > 1e-3);
    // The standardizer's first mean is that of all red values.
    let red = a.pixels.iter().chain(&b.pixels).map(|p| f64::from(p[0])).sum::<f64>();
    let mean = red / (a.pixels.len() + b.pixels.len()) as f64;
    assert!((f64::from(both.values[0][0]) - mean).abs() < 1e-6);
    let other = Network::new(gpu(), &self::weights(3, 3)).unwrap();
    assert!(other.maps(&a, &a_lit, Some(&both)).unwrap_err().to_string().contains("another network"));
    assert!(network.maps(&a, &b_lit, None).unwrap_err().to_string().contains("same size"));
}

#[test]
fn any_picture_gives_finite_maps() {
    let network = Network::new(gpu(), &weights(3, 3)).unwrap();
    let sane = |dark: &Image, lit: &Image| {
        let maps = network.maps(dark, lit, None).unwrap();
        assert!(maps.mul.iter().all(|m| (0.39..=1.61).contains(m)), "{:?}", &maps.mul[..1]);
        assert!(maps.add.as_flattened().iter().all(|a| (-0.26..=0.26).contains(a)));
        let out = network.apply(&maps, lit).unwrap();
        assert_eq!(out.pixels.len(), lit.pixels.len());
        assert!(out.pixels.as_flattened().iter().all(|v| (0.0..=1.0).contains(v)));
    };
    for (width, height) in [(1, 1), (1, 7), (9, 1), (17, 15)] {
        for value in [0.0, 1.0, 1e6, f32::NAN, f32::INFINITY] {
            let flat = Image { width, height, pixels: vec![[value; 3]; (width * height) as usize] };
            sane(&flat, &flat);
            sane(&flat, &picture(width, height, 1, 0.5));
        }
        let mut holed = picture(width, height, 2, 0.4);
        holed.pixels[0] = [f32::NAN, f32::NEG_INFINITY, 0.3];
        sane(&picture(width, height, 1, 0.1), &holed);
    }
    let none = Image::default();
    assert!(network.apply(&network.maps(&none, &none, None).unwrap(), &none).unwrap().pixels.is_empty());
}

#[test]
fn smaller_maps_are_enlarged_along_the_edges_of_the_response() {
    let network = Network::new(gpu(), &weights(3, 3)).unwrap();
    // Left dark, right bright; the edge lies inside a sample of the map.
    let at = |x: u32| if x < 43 { 0.2 } else { 0.8 };
    let lit = Image { width: 80, height: 60, pixels: (0..80 * 60).map(|i| [at(i % 80); 3]).collect() };
    let guide: Vec<[f32; 3]> = (0..20 * 15).map(|i| [if i % 20 < 11 { 0.2 } else { 0.8 }; 3]).collect();
    let mul = guide.iter().map(|g| if g[0] < 0.5 { 1.5 } else { 0.7 }).collect();
    let maps = Maps { width: 20, height: 15, mul, add: vec![[0.0; 3]; 300], guide };
    let out = network.apply(&maps, &lit).unwrap();
    for x in [4, 20, 38, 47, 60, 75] {
        let wanted = at(x) * if x < 43 { 1.5 } else { 0.7 };
        assert!((out.at(x, 30)[1] - wanted).abs() < 0.01, "{x}: {} not {wanted}", out.at(x, 30)[1]);
    }
    // Constant maps stay constant whatever the guide, in pieces of any height.
    let flat = Maps { mul: vec![1.2; 300], add: vec![[0.1, 0.0, -0.1]; 300], ..maps };
    let lit = picture(80, 61, 9, 0.4);
    let same = Maps { width: 80, height: 61, mul: vec![1.2; 4880], add: vec![[0.1, 0.0, -0.1]; 4880], guide: vec![] };
    let (small, full) = (network.apply(&flat, &lit).unwrap(), network.apply(&same, &lit).unwrap());
    let worst = |a: &Image, b: &Image| {
        let pairs = a.pixels.as_flattened().iter().zip(b.pixels.as_flattened());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max)
    };
    assert!(worst(&small, &full) < 1e-5);
    let pieces = Network::new(gpu(), &weights(3, 3)).unwrap().with_pieces_of(700);
    for maps in [&flat, &same] {
        assert_eq!(pieces.apply(maps, &lit).unwrap(), network.apply(maps, &lit).unwrap());
    }
}

#[test]
fn every_wrong_tensor_is_named() {
    let mut bad = weights(4, 4);
    bad.tensors.remove("down2.block.1.conv1.block.1.bias");
    bad.tensors.remove("fuse.0.block.0.weight");
    bad.tensors.insert("up1.reduce.block.0.weight".into(), Values { shape: vec![4, 9, 3, 3], values: vec![0.0; 324] });
    bad.tensors.insert("vgg.0.weight".into(), Values { shape: vec![1], values: vec![0.0] });
    let error = Network::new(gpu(), &bad).err().unwrap().to_string();
    for name in [
        "test weights",
        "down2.block.1.conv1.block.1.bias is missing",
        "fuse.0.block.0.weight is missing",
        "up1.reduce.block.0.weight has the shape [4, 9, 3, 3] instead of [n, 12, 3, 3]",
        "vgg.0.weight belongs to no layer",
    ] {
        assert!(error.contains(name), "{name}: {error}");
    }
    assert!(Network::new(gpu(), &Weights { tensors: BTreeMap::new(), ..bad }).is_err());
}

#[test]
fn three_filters_of_an_old_mul_head_are_averaged() {
    let new = weights(4, 4);
    let mut old = new.clone();
    let head = &new.tensors["mul_head.weight"].values;
    let three = [0.5, 1.0, 1.5].iter().flat_map(|f| head.iter().map(move |v| f * v)).collect();
    old.tensors.insert("mul_head.weight".into(), Values { shape: vec![3, 4, 3, 3], values: three });
    let bias = new.tensors["mul_head.bias"].values[0];
    let biases = vec![bias - 0.5, bias, bias + 0.5];
    old.tensors.insert("mul_head.bias".into(), Values { shape: vec![3], values: biases });
    let (dark, lit) = (picture(12, 9, 1, 0.1), picture(12, 9, 2, 0.5));
    let maps = |weights: &Weights| Network::new(gpu(), weights).unwrap().maps(&dark, &lit, None).unwrap();
    assert!(largest(&maps(&new), &maps(&old)) < 1e-5);
}
