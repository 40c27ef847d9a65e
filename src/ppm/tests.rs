use super::*;
use std::path::Path;

fn cloud_of(positions: Vec<[f32; 3]>) -> PointCloud {
    let colors = positions.iter().map(|p| p.map(|v| (v.abs() * 91.0) as u8)).collect();
    PointCloud { positions, colors, ..PointCloud::default() }
}

fn random_cloud(n: usize, extent: f32) -> PointCloud {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * extent
    };
    cloud_of((0..n).map(|_| [next(), next(), next()]).collect())
}

fn loose() -> Config {
    Config { min_points: 10, tau0: 0.03, voxel_size: 0.002, ..Config::default() }
}

#[test]
fn golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    let files = (0..10).map(|i| folder.join(format!("points_{i:02}.safetensors"))).filter(|file| file.exists());
    let mut checked = 0;
    for file in files {
        for (name, error, tolerance) in golden_check(&file).unwrap() {
            println!("{}: {name}: {error:.3e} (tolerance {tolerance:.0e})", file.display());
            assert!(error <= tolerance, "{}: {name}: {error} > {tolerance}", file.display());
        }
        checked += 1;
    }
    if checked == 0 {
        println!("skipped: no points_*.safetensors in {}", folder.display());
    }
}

/// The published rule, written down plainly: all distances anew each iteration, by brute force.
#[test]
fn distances_are_to_the_nearest_survivor() {
    let cloud = random_cloud(700, 0.3);
    let config = loose();
    let (result, report) = run(cloud.clone(), &config, &DMat4::IDENTITY, &[]).unwrap();
    assert!(report.iterations.len() == 6 && report.output < report.pooled);
    let distances = |points: &[[f32; 3]]| -> Vec<f64> {
        let p = |i: usize| DVec3::from(points[i].map(f64::from));
        let nearest =
            |i: usize| (0..points.len()).filter(|&j| j != i).map(|j| p(i).distance(p(j))).fold(f64::MAX, f64::min);
        (0..points.len()).map(nearest).collect()
    };
    let mut tau = config.tau0;
    for i in 0..5 {
        let first = Config { iters: i + 1, ..config.clone() };
        let survivors = run(cloud.clone(), &first, &DMat4::IDENTITY, &[]).unwrap().0;
        let d = distances(&survivors.positions);
        let next = &report.iterations[i as usize + 1];
        assert!((next.mean_distance - d.iter().sum::<f64>() / d.len() as f64).abs() < 1e-7);
        tau *= (config.beta * report.iterations[i as usize].before as f64 / report.pooled as f64).exp();
        assert!((next.tau - tau).abs() < 1e-15);
        let keep = d.iter().map(|d| (d / (tau + 1e-8)).min(1.0)).sum::<f64>() / d.len() as f64;
        assert!((next.mean_keep - keep).abs() < 1e-5);
    }
    assert_eq!(result.len(), report.iterations[5].after);
}

#[test]
fn the_same_on_any_number_of_threads_and_another_with_another_seed() {
    let cloud = random_cloud(5000, 0.5);
    let config = loose();
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| run(cloud.clone(), &config, &DMat4::IDENTITY, &[]).unwrap())
    };
    assert_eq!(with_threads(1), with_threads(2));
    assert_eq!(with_threads(1), with_threads(3));
    let other = run(cloud.clone(), &Config { seed: 1, ..config.clone() }, &DMat4::IDENTITY, &[]).unwrap();
    assert_ne!(other.0, with_threads(1).0);
}

#[test]
fn an_iteration_that_leaves_too_few_is_undone() {
    let cloud = random_cloud(1000, 0.2);
    let config = Config { min_points: 900, ..loose() };
    let (result, report) = run(cloud.clone(), &config, &DMat4::IDENTITY, &[]).unwrap();
    let last = report.iterations.last().unwrap();
    assert!(last.undone && last.after < 900 && last.before == result.len());
}

#[test]
fn more_points_wanted_than_there_are() {
    let cloud = random_cloud(1000, 0.2);
    let config = Config { min_points: 5000, ..loose() };
    let (result, report) = run(cloud, &config, &DMat4::IDENTITY, &[]).unwrap();
    assert!(report.iterations.len() == 1 && report.iterations[0].undone && result.len() == report.pooled);
}

#[test]
fn floaters_need_cameras_and_go_before_the_pruning() {
    let config = Config { floaters: true, voxel_size: 0.0, iters: 0, ..Config::default() };
    let error = run(random_cloud(10, 1.0), &config, &DMat4::IDENTITY, &[]).unwrap_err();
    assert!(error.to_string().contains("ppm.floaters") && error.exit_code() == 2);
    // A wall, and one point halfway to the three cameras.
    let mut positions: Vec<[f32; 3]> =
        (0..4900).map(|i| [(i % 70) as f32 * 0.02 - 0.7, (i / 70) as f32 * 0.02 - 0.7, 2.0]).collect();
    positions.insert(17, [0.0, 0.0, 1.0]);
    let camera = |x: f64| {
        let viewmat = DMat4::from_translation(DVec3::new(x, 0.0, 0.0));
        Camera { width: 200, height: 200, fx: 200.0, fy: 200.0, cx: 100.0, cy: 100.0, viewmat, reduction: 1.0 }
    };
    let cameras = [-0.1, 0.0, 0.1].map(camera);
    let (result, report) = run(cloud_of(positions), &config, &DMat4::IDENTITY, &cameras).unwrap();
    assert_eq!((report.floaters, result.len()), (1, 4900));
    assert!(result.positions.iter().all(|p| p[2] == 2.0));
}

#[test]
fn lengths_are_meant_in_the_normalized_frame() {
    let cloud = random_cloud(2000, 0.3);
    let (expected, _) = run(cloud.clone(), &loose(), &DMat4::IDENTITY, &[]).unwrap();
    let move_away = DMat4::from_scale(DVec3::splat(64.0)) * DMat4::from_translation(DVec3::new(1.0, -2.0, 0.5));
    let shifted: Vec<[f32; 3]> = cloud
        .positions
        .iter()
        .map(|p| move_away.transform_point3(DVec3::from(p.map(f64::from))).as_vec3().to_array())
        .collect();
    let moved = PointCloud { positions: shifted, colors: cloud.colors.clone(), ..PointCloud::default() };
    let (result, _) = run(moved, &loose(), &move_away.inverse(), &[]).unwrap();
    let difference = result.len().abs_diff(expected.len());
    // Rounding to f32 may move single points across a voxel's face.
    assert!(difference < expected.len() / 20, "{difference}");
    let extent = |c: &PointCloud| c.positions.iter().map(|p| p[0]).fold(f32::MIN, f32::max);
    assert!((extent(&result) - (extent(&expected) + 1.0) * 64.0).abs() < 0.5);
}

#[test]
fn pooling_averages_positions_colors_and_normals() {
    let positions = vec![[0.001, 0.0, 0.0], [-0.001, 0.0, 0.0], [0.003, 0.004, 0.0]];
    let normals = vec![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
    let cloud = PointCloud { positions, colors: vec![[10, 0, 255], [7, 8, 9], [13, 1, 254]], normals };
    let (result, report) =
        run(cloud.clone(), &Config { iters: 0, ..Config::default() }, &DMat4::IDENTITY, &[]).unwrap();
    assert_eq!(result.positions, [[-0.001, 0.0, 0.0], [0.002, 0.002, 0.0]]);
    // Half a gray level rounds to even.
    assert_eq!(result.colors, [[7, 8, 9], [12, 0, 254]]);
    let half = 0.5f32.sqrt();
    assert_eq!(result.normals, [[0.0, 0.0, 1.0], [half, half, 0.0]]);
    assert_eq!((report.pooled, report.output), (2, 2));
}

#[test]
fn clouds_of_every_odd_kind() {
    let run_it = |positions: Vec<[f32; 3]>, voxel_size: f64| {
        let config = Config { min_points: 0, voxel_size, ..Config::default() };
        run(cloud_of(positions), &config, &DMat4::IDENTITY, &[]).unwrap()
    };
    assert_eq!(run_it(vec![], 0.01).0.len(), 0);
    assert_eq!(run_it(vec![[1.0; 3]], 0.01).0.len(), 1);
    let (one, report) = run_it(vec![[2.0; 3]; 3000], 0.01);
    assert_eq!((one.len(), report.pooled), (1, 1));
    // Without pooling all distances are 0, so no point is kept.
    assert_eq!(run_it(vec![[2.0; 3]; 3000], 0.0).0.len(), 0);
    let (kept, report) = run_it(vec![[f32::NAN, 0.0, 0.0], [f32::MAX; 3], [f32::MIN; 3], [0.0; 3]], 0.01);
    assert_eq!((kept.len(), report.dropped), (3, 1));
    assert!(kept.positions.iter().flatten().all(|v| v.is_finite()));
}

#[test]
fn parameters_out_of_range_are_named() {
    let config = Config { voxel_size: f64::NAN, ..Config::default() };
    let error = run(PointCloud::default(), &config, &DMat4::IDENTITY, &[]).unwrap_err();
    assert!(error.to_string().contains("ppm.voxel_size") && error.exit_code() == 2);
}
