//! Pairs where counting and emitting disagree, as they may where a driver makes other floats of the same test.

use super::*;
use crate::gpu::{Choice, Mask};
use crate::splat::Style;
use crate::splat::reference::{camera, cloud, splats};

const UNTOUCHED: u32 = 77_777;

#[test]
fn a_splat_fills_the_room_that_was_counted_for_it_and_no_more() {
    let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
    let model = Tensors::from_splats(&gpu, &splats(&cloud(50, 3)), 0).unwrap();
    let settings = RenderSettings { background: [0.2; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let renderer = Renderer::new(&gpu).unwrap();
    let work = Workspace::new(&gpu, 50, 4000, camera().width, camera().height).unwrap();
    let mut recorder = Recorder::new(&gpu);
    renderer.record(&mut recorder, &model, &camera(), &settings, &work, Raster::Depth);
    recorder.submit();
    let [visible, pairs, ..] = gpu.read(&work.counters).unwrap()[..] else { panic!("no counters") };
    let image = gpu.read(&work.image).unwrap();
    assert!(visible > 20 && pairs > visible && pairs + visible < 4000, "{visible} visible, {pairs} pairs");
    let emit_again = |offsets: &[u32], total: u32| {
        work.tile_counts.write(&gpu, 0, offsets);
        work.counters.write(&gpu, 1, &[total]);
        work.pair_tiles.write(&gpu, 0, &[UNTOUCHED; 4000]);
        let mut recorder = Recorder::new(&gpu);
        renderer.emit(&mut recorder, &work, 1);
        recorder.submit();
        gpu.read(&work.pair_tiles).unwrap()
    };
    let offsets = gpu.read_part(&work.tile_counts, 0, visible as usize).unwrap();
    // One fewer of the last splat that has any, which is the end of the list.
    let cut = emit_again(&offsets, pairs - 1);
    assert!(cut[pairs as usize - 1..].iter().all(|tile| *tile == UNTOUCHED));
    // One more of every splat: a pair of no tile, which nothing draws.
    let wider: Vec<u32> = (0..).zip(&offsets).map(|(i, offset)| offset + i).collect();
    let found = emit_again(&wider, pairs + visible);
    let [x, y] = tiles(camera().width, camera().height);
    let ends = wider[1..].iter().copied().chain([pairs + visible]);
    for (first, end) in wider.iter().zip(ends) {
        let of_splat = &found[*first as usize..end as usize];
        assert_eq!(of_splat.iter().position(|tile| *tile >= x * y), Some(of_splat.len() - 1), "{of_splat:?}");
        assert_eq!(of_splat.last(), Some(&(x * y)));
    }
    assert!(found[(pairs + visible) as usize..].iter().all(|tile| *tile == UNTOUCHED));
    let mut recorder = Recorder::new(&gpu);
    renderer.blend(&mut recorder, &work, [camera().width, camera().height], Raster::Depth);
    recorder.submit();
    assert!(gpu.read(&work.image).unwrap() == image, "pairs of no tile changed the picture");
}
