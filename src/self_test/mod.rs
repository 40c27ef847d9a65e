//! A quick check that a driver computes what it should: long loops, atomics, subgroup operations, sorts and prefix sums, one
//! tiny render with its gradient, a scene of some thousand splats, the loss and the optimizer. Drivers have been seen to fail
//! many of these silently.

mod scene;
mod seen;
mod sorts;
mod training;

pub use seen::{once, remember_in};

use crate::capture::Camera;
use crate::color::SH_C0;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder, SubgroupTrial};
use crate::splat::{RenderSettings, Renderer, Splats, Style, Tensors, plane_len};
use crate::train::Backward;
use glam::{DMat4, DVec3};
use serde::Serialize;

/// Iterations of the loop check: more than any kernel's invocation makes.
const LOOPS: u32 = 32_768;
const INVOCATIONS: usize = 4096;

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it is right.
    pub pass: bool,
    /// What was found.
    pub detail: String,
}

/// Runs every check on `gpu`; checks of features that the device does not use are left out.
///
/// # Errors
/// A device that fails altogether.
pub fn run(gpu: &Gpu) -> Result<Vec<Check>> {
    let mut checks = loops_and_atomics(gpu)?;
    if gpu.capabilities().subgroups {
        checks.push(subgroups(gpu)?);
    }
    checks.extend(sorts::run(gpu)?);
    checks.extend(render(gpu)?);
    checks.extend(scene::run(gpu)?);
    checks.extend(training::run(gpu)?);
    gpu.check()?;
    Ok(checks)
}

fn loops_and_atomics(gpu: &Gpu) -> Result<Vec<Check>> {
    let kernel = gpu.kernel("gpu/self_test", &[("LOOPS", &format!("{LOOPS}u"))])?;
    let seeds: Vec<u32> = (0..INVOCATIONS as u32).collect();
    let (states, count, sum) = (gpu.upload("states", &seeds)?, gpu.buffer("count", 1)?, gpu.buffer("sum", 1)?);
    let mut recorder = Recorder::new(gpu);
    recorder.dispatch(&kernel, &[states.binding(), count.binding(), sum.binding()], INVOCATIONS.div_ceil(64) as u32);
    recorder.submit();
    let states = gpu.read(&states)?;
    let right = seeds.iter().zip(&states).filter(|(seed, state)| advance(**seed) == **state).count();
    let (count, sum): (Vec<u32>, Vec<f32>) = (gpu.read(&count)?, gpu.read(&sum)?);
    Ok(vec![
        Check {
            name: "loops",
            pass: right == INVOCATIONS,
            detail: format!("{right} of {INVOCATIONS} invocations made {LOOPS} iterations"),
        },
        Check {
            name: "atomics",
            pass: count == [INVOCATIONS as u32] && sum == [INVOCATIONS as f32 * 0.5],
            detail: format!("count {count:?}, sum {sum:?}; expected {INVOCATIONS} and {}", INVOCATIONS / 2),
        },
    ])
}

fn advance(seed: u32) -> u32 {
    (0..LOOPS).fold(seed, |state, _| state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
}

fn subgroups(gpu: &Gpu) -> Result<Check> {
    let SubgroupTrial { invocations, wrong, lanes: [least, most] } = gpu.try_subgroups()?;
    let detail = format!("{wrong} of {invocations} lanes differ, in subgroups of {least} to {most}");
    Ok(Check { name: "subgroups", pass: wrong == 0, detail })
}

/// One splat in front of the camera: its opacity in the middle, and the gradient of the sum of all pixels with
/// respect to its constant color, which is Y₀₀ · Σ alpha.
fn render(gpu: &Gpu) -> Result<Vec<Check>> {
    let splats = Splats {
        means: vec![[0.0, 0.0, 0.0]],
        quats: vec![[1.0, 0.0, 0.0, 0.0]],
        log_scales: vec![[-1.5; 3]],
        logit_opacities: vec![0.0],
        sh: vec![0.5; 3],
        sh_degree: 0,
    };
    let viewmat = DMat4::from_translation(DVec3::new(0.0, 0.0, 4.0));
    let camera = Camera { width: 32, height: 32, fx: 40.0, fy: 40.0, cx: 16.5, cy: 16.5, viewmat, reduction: 1.0 };
    let settings = RenderSettings { background: [0.0; 3], sh_degree: 0, antialiased: false, style: Style::default() };
    let (renderer, model, mut work) = (Renderer::new(gpu)?, Tensors::from_splats(gpu, &splats, 0)?, None);
    let rendered = renderer.render_image(gpu, &model, &camera, &settings, &mut work)?;
    let middle = f64::from(rendered.alpha[16 * 32 + 16]);
    let opacity =
        Check { name: "render", pass: (middle - 0.5).abs() < 1e-4, detail: format!("alpha {middle:.6}, expected 0.5") };
    let Some(work) = work else { return Ok(vec![opacity]) };
    let plane = plane_len(camera.width, camera.height);
    let mut ones = vec![1.0_f32; 3 * plane];
    ones.resize(4 * plane, 0.0);
    let backward = Backward::new(gpu)?;
    let gradients = backward.gradients(gpu, 1, 0)?;
    let mut recorder = Recorder::new(gpu);
    backward.record(&mut recorder, &model, [32, 32], &work, &gpu.upload("ones", &ones)?, &gradients);
    recorder.submit();
    let found = f64::from(gradients.parameters.to_splats(gpu)?.sh[0]);
    let expected = f64::from(SH_C0) * rendered.alpha.iter().map(|a| f64::from(*a)).sum::<f64>();
    let pass = (found / expected - 1.0).abs() < 1e-3;
    Ok(vec![opacity, Check { name: "gradient", pass, detail: format!("{found:.5}, expected {expected:.5}") }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::SortBy;

    #[test]
    fn this_machine_passes_with_the_kernels_that_it_trains_with() {
        for gpu in Gpu::every_layout() {
            let checks = run(&gpu).unwrap();
            for check in &checks {
                assert!(check.pass, "{}: {}", check.name, check.detail);
            }
            let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
            for name in
                ["sort", "large sort", "large argsort", "prefix sum", "scene", "loss", "loss's gradient", "Adam"]
            {
                assert!(names.contains(&name), "{name} is not in {names:?}");
            }
            assert_eq!(names.contains(&"subgroups"), gpu.capabilities().subgroups);
            let sort = match gpu.variants().sort {
                SortBy::Columns => "gpu/sort_scatter",
                SortBy::Ballots => "gpu/ballot_scatter",
                SortBy::Lanes => "gpu/lane_scatter",
            };
            let compiled = gpu.kernel_names();
            for kernel in
                [sort, "gpu/scan_args", "gpu/scan_reduce", "train/ssim_backward", "train/loss_total", "train/adam"]
            {
                assert!(compiled.contains(kernel), "{kernel} is not among {compiled:?}");
            }
        }
    }
}
