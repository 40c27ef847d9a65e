//! Pairs where counting and emitting disagree, as they may where a driver makes other floats of the same test.

use super::*;
use crate::capture::Camera;
use crate::splat::reference::{camera, cloud, splats};
use crate::splat::{Style, TILE};

const UNTOUCHED: u32 = 77_777;

/// [`camera`] eight times as large: footprints of a few tiles and of more than a subgroup leaves to one thread.
fn large_camera() -> Camera {
    let small = camera();
    let [fx, fy, cx, cy] = [small.fx, small.fy, small.cx, small.cy].map(|value| 8.0 * value);
    Camera { width: 301, height: 187, fx, fy, cx, cy, ..small }
}

#[test]
fn a_splat_fills_the_room_that_was_counted_for_it_and_no_more() {
    Gpu::every_layout().iter().for_each(fills_what_was_counted);
}

fn fills_what_was_counted(gpu: &Gpu) {
    const ROOM: usize = 20_000;
    let camera = large_camera();
    let model = Tensors::from_splats(gpu, &splats(&cloud(50, 3)), 0).unwrap();
    let settings = RenderSettings { background: [0.2; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let renderer = Renderer::new(gpu).unwrap();
    let work = Workspace::new(gpu, 50, ROOM, camera.width, camera.height).unwrap();
    let mut recorder = Recorder::new(gpu);
    renderer.record(&mut recorder, &model, &camera, &settings, &work, Raster::Depth);
    recorder.submit();
    let [visible, pairs, ..] = gpu.read(&work.counters).unwrap()[..] else { panic!("no counters") };
    let image = gpu.read(&work.image).unwrap();
    assert!(visible > 20 && pairs > visible && ((pairs + visible) as usize) < ROOM, "{visible} visible, {pairs} pairs");
    let emit_again = |offsets: &[u32], total: u32| {
        work.tile_counts.write(gpu, 0, offsets);
        work.counters.write(gpu, 1, &[total]);
        work.pair_tiles.write(gpu, 0, &[UNTOUCHED; ROOM]);
        let mut recorder = Recorder::new(gpu);
        renderer.emit(&mut recorder, &work, 1);
        recorder.submit();
        gpu.read(&work.pair_tiles).unwrap()
    };
    let offsets = gpu.read_part(&work.tile_counts, 0, visible as usize).unwrap();
    assert!(offsets.windows(2).any(|pair| pair[1] - pair[0] > 32), "no splat is shared by a subgroup");
    // One fewer of the last splat that has any, which is the end of the list.
    let cut = emit_again(&offsets, pairs - 1);
    assert!(cut[pairs as usize - 1..].iter().all(|tile| *tile == UNTOUCHED));
    // One more of every splat: a pair of no tile, which nothing draws.
    let wider: Vec<u32> = (0..).zip(&offsets).map(|(i, offset)| offset + i).collect();
    let found = emit_again(&wider, pairs + visible);
    let [x, y] = tiles(camera.width, camera.height);
    let ends = wider[1..].iter().copied().chain([pairs + visible]);
    for (first, end) in wider.iter().zip(ends) {
        let of_splat = &found[*first as usize..end as usize];
        assert_eq!(of_splat.iter().position(|tile| *tile >= x * y), Some(of_splat.len() - 1), "{of_splat:?}");
        assert_eq!(of_splat.last(), Some(&(x * y)));
    }
    assert!(found[(pairs + visible) as usize..].iter().all(|tile| *tile == UNTOUCHED));
    let mut recorder = Recorder::new(gpu);
    recorder.clear(&work.tile_ranges);
    renderer.blend(&mut recorder, &work, [camera.width, camera.height], Raster::Depth);
    recorder.submit();
    assert!(gpu.read(&work.image).unwrap() == image, "pairs of no tile changed the picture");
}

#[test]
fn pairs_are_the_tiles_that_a_footprint_touches() {
    let mut cloud = cloud(300, 11);
    // From dots to needles and sheets that reach over the whole picture.
    for (i, scales) in cloud[2].chunks_mut(3).enumerate() {
        scales[i % 3] += [0.0, 1.5, -3.0, 2.5][i % 4];
    }
    let camera = large_camera();
    let [across, down] = tiles(camera.width, camera.height);
    for gpu in Gpu::every_layout() {
        let model = Tensors::from_splats(&gpu, &splats(&cloud), 0).unwrap();
        let settings =
            RenderSettings { background: [0.2; 3], sh_degree: 0, antialiased: false, style: Style::default() };
        let renderer = Renderer::new(&gpu).unwrap();
        let work = Workspace::new(&gpu, 300, 60_000, camera.width, camera.height).unwrap();
        let mut recorder = Recorder::new(&gpu);
        renderer.record(&mut recorder, &model, &camera, &settings, &work, Raster::Depth);
        recorder.submit();
        let [visible, pairs, ..] = gpu.read(&work.counters).unwrap()[..] else { panic!("no counters") };
        let (visible, pairs) = (visible as usize, pairs as usize);
        assert!(visible > 200 && (3000..60_000).contains(&pairs), "{visible} visible, {pairs} pairs");
        let projected = gpu.read(&work.projected).unwrap();
        let slots = gpu.read(work.slots_by_depth()).unwrap();
        let offsets = gpu.read_part(&work.tile_counts, 0, visible).unwrap();
        // Emitted once more: sorting uses the room of the pairs.
        let mut recorder = Recorder::new(&gpu);
        renderer.emit(&mut recorder, &work, 300_u32.div_ceil(WORKGROUP));
        recorder.submit();
        let found = gpu.read_part(&work.pair_tiles, 0, pairs).unwrap();
        let ends = offsets[1..].iter().map(|end| *end as usize).chain([pairs]);
        let mut spare = 0;
        for ((slot, first), end) in slots.iter().zip(&offsets).zip(ends) {
            let row = &projected[8 * *slot as usize..][..8];
            let touched = |margin: f64| {
                (0..across * down)
                    .filter(move |tile| min_power(row, [tile % across, tile / across], margin) <= f64::from(row[3]))
            };
            let tiles = &found[*first as usize..end];
            assert!(tiles.is_sorted() && tiles.iter().all(|tile| *tile < across * down), "{row:?}: {tiles:?}");
            let missing: Vec<u32> = touched(0.0).filter(|tile| !tiles.contains(tile)).collect();
            assert!(missing.is_empty(), "{row:?}: {tiles:?} without {missing:?}");
            let near: Vec<u32> = touched(0.1).collect();
            assert!(tiles.iter().all(|tile| near.contains(tile)), "{row:?}: {tiles:?}, of which {near:?} are near");
            spare += tiles.len() - touched(0.0).count();
        }
        assert!(spare < pairs / 20, "{spare} of {pairs} pairs touch nothing");
    }
}

/// The least power of a splat over the pixel centers of a tile, which are widened by `margin`.
fn min_power(row: &[f32], tile: [u32; 2], margin: f64) -> f64 {
    let value = |i: usize| f64::from(row[i]);
    let low: [f64; 2] = std::array::from_fn(|i| f64::from(tile[i] * TILE) + 0.5 - value(i) - margin);
    let high = low.map(|low| low + f64::from(TILE - 1) + 2.0 * margin);
    let (a, b, c) = (value(4), value(5), value(6));
    let power = |x: f64, y: f64| 0.5 * (a * x * x + c * y * y) + b * x * y;
    if low.iter().all(|low| *low <= 0.0) && high.iter().all(|high| *high >= 0.0) {
        return 0.0;
    }
    // On each edge the quadratic has its least value at its own minimum, or at the end that is nearest to it.
    let upright = [low[0], high[0]].map(|x| power(x, (-b * x / c).clamp(low[1], high[1])));
    let level = [low[1], high[1]].map(|y| power((-b * y / a).clamp(low[0], high[0]), y));
    upright.into_iter().chain(level).fold(f64::INFINITY, f64::min)
}
