use super::*;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// Largest difference from the reference's outputs.
const TOLERANCE: f32 = 2e-4;

fn golden() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    folder.is_dir().then_some(folder)
}

fn planar(file: &SafeTensors<'_>, name: &str, device: &Device) -> Tensor<4> {
    let view = file.tensor(name).unwrap();
    let bytes = view.data();
    let (shape, values): (Vec<usize>, Vec<f32>) = match view.dtype() {
        safetensors::Dtype::U8 => (view.shape().to_vec(), bytes.iter().map(|v| f32::from(*v) / 255.0).collect()),
        _ => (view.shape().to_vec(), bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
    };
    let tensor = Tensor::<3>::from_data(TensorData::new(values, shape.clone()), device);
    if shape[2] == 3 { tensor.permute([2, 0, 1]) } else { tensor }.unsqueeze()
}

fn worst(a: Tensor<4>, b: Tensor<4>) -> f32 {
    (a - b).abs().max().into_scalar()
}

#[test]
fn equals_the_published_network() {
    let Some(folder) = golden() else {
        eprintln!("skipped: ../shared/golden is not there");
        return;
    };
    let device = Device::flex();
    for name in ["enhance_00", "enhance_01"] {
        let weights = Parameters::read(&folder.join(format!("{name}.pth"))).unwrap().0;
        let data = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&data).unwrap();
        let [dark, naka, mul, add, lit] = ["low_u8", "naka", "full.mul_map", "full.add_map", "full.enhanced"]
            .map(|name| planar(&file, name, &device));
        let maps = Network::new(&weights, &device).forward(&dark, &naka);
        let found = apply(&maps, &naka, &low_frequencies(&naka));
        for (what, found, truth) in [("mul", maps.mul, mul), ("add", maps.add, add), ("enhanced", found, lit)] {
            let error = worst(found, truth);
            eprintln!("{name} {what}: {error:e}");
            assert!(error < TOLERANCE, "{name} {what}: {error}");
        }
    }
}

fn noise(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    use rand::{RngExt, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random_range(0.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn blocks_equal_single_operations_forwards_and_backwards() {
    let device = Device::flex().autodiff();
    for (size, seed) in [([3, 3, 24, 16], 1), ([2, 3, 21, 13], 2), ([1, 3, 32, 40], 3)] {
        let mut weights = Parameters::initial(4, seed);
        for (name, array) in &mut weights.0 {
            // Heads that do something, and norms that are not the identity.
            let shift = |i: usize| 0.1 * ((i * 7 + name.len()) % 11) as f32 - 0.5;
            if array.shape.len() == 1 || name.contains("head") {
                array.values.iter_mut().enumerate().for_each(|(i, v)| *v += shift(i));
            }
        }
        let (dark, naka) = (noise(size, seed, &device), noise(size, seed + 10, &device));
        let run = |network: Network| {
            let maps = network.forward(&dark, &naka);
            let loss = (maps.mul.clone() * naka.clone()).sum() + (maps.add.clone() * dark.clone()).sum();
            (maps.mul, maps.add, network.gradients(&loss.backward()))
        };
        let fused = run(Network::new(&weights, &device));
        let single = run(Network::new(&weights, &device).in_single_operations());
        let errors = [worst(fused.0, single.0), worst(fused.1, single.1)];
        assert!(errors.iter().all(|e| *e < 1e-4), "{size:?}: {errors:?}");
        for (name, array) in &single.2.0 {
            let largest = array.values.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            for (a, b) in array.values.iter().zip(&fused.2.0[name].values) {
                assert!((a - b).abs() < 2e-3 * largest, "{size:?} {name}: {a} {b}");
            }
        }
    }
}
