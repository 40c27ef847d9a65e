//! The training images, packed to 8 bits: in device memory up to a budget, then in host memory, where those
//! stay that are needed again soonest, and decoded again beyond that. Decoding is ahead of training on all cores.

use crate::capture::{Image, View, resize_area};
use crate::color::exposed;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu};
use crate::limits;
use crate::splat::{TILE, plane_len, tiles};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// A training image on its way to the device: RGBA, 8 bits each, one word a pixel, rows padded to whole tiles. A is how
/// much the pixel counts; colors are multiplied by it.
type Packed = Vec<u32>;

/// A view, and by how much its image is downscaled.
pub type Key = (usize, u32);

/// Bytes of packed images on the device and on the host, and of images that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    device: u64,
    host: u64,
    in_work: u64,
}

/// Bytes of a photograph's pixel while it is decoded and scaled.
const DECODED: u64 = 36;
/// Largest budget of host memory, in bytes.
const MOST_MEMORY: u64 = 16 << 30;

/// Number of trainings running in this process.
static TRAININGS: AtomicU64 = AtomicU64::new(0);

impl Budget {
    /// What suits a device. No backend tells how much memory it has, and some page what does not fit instead of refusing
    /// it: half a gibibyte is 60 images of 2 megapixels, and little beside a model that would not fit otherwise. What is
    /// beyond that comes from the host, in a small part of the time that decoding takes. A software adapter takes all of
    /// it from the host, where a step takes much longer than decoding its image.
    pub fn of(gpu: &Gpu) -> Self {
        match gpu.is_software() {
            true => Self { device: 128 << 20, host: 64 << 20, in_work: 512 << 20 },
            // Trainings under way may not have used their part of what is free yet, so it is shared with them.
            false => Self::beside(limits::free() / (1 + TRAININGS.load(Ordering::Relaxed))),
        }
    }

    /// A quarter each of so much free memory of the host, but no less than 1 GiB and 512 MiB, and at most [`MOST_MEMORY`].
    fn beside(free: u64) -> Self {
        let quarter = (free / 4).min(MOST_MEMORY);
        Self { device: 512 << 20, host: quarter.max(1 << 30), in_work: quarter.max(512 << 20) }
    }

    /// How many photographs of so many pixels may be in work at a time.
    fn most_in_work(&self, pixels: u64) -> usize {
        (self.in_work / (DECODED * pixels).max(1)).clamp(1, rayon::current_num_threads() as u64) as usize
    }
}

/// Where the images of all views are.
pub struct Targets {
    views: Vec<View>,
    budget: Budget,
    /// Permanently on the device.
    resident: HashMap<Key, Arc<Buffer<u32>>>,
    resident_bytes: u64,
    kept: HashMap<Key, Packed>,
    kept_bytes: u64,
    coming: HashMap<Key, Receiver<Result<Packed>>>,
    /// The last image that is not resident.
    passing: Option<Arc<Buffer<u32>>>,
    /// Images that were not there yet when they were asked for.
    pub waits: u32,
}

impl Drop for Targets {
    fn drop(&mut self) {
        TRAININGS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Targets {
    /// The images of `views`, which must all have one.
    pub fn new(views: Vec<View>, budget: Budget) -> Self {
        TRAININGS.fetch_add(1, Ordering::Relaxed);
        Self {
            views,
            budget,
            resident: HashMap::new(),
            resident_bytes: 0,
            kept: HashMap::new(),
            kept_bytes: 0,
            coming: HashMap::new(),
            passing: None,
            waits: 0,
        }
    }

    /// The image of `key`, to be used before the next call: planes of one word a pixel. `ahead` are the images that will be
    /// asked for after it, in this order.
    ///
    /// # Errors
    /// The image cannot be read any more; the device fails.
    pub fn get(&mut self, gpu: &Gpu, key: Key, ahead: &[Key]) -> Result<Arc<Buffer<u32>>> {
        self.forget_other_sizes(key.1);
        if let Some(target) = self.resident.get(&key) {
            return Ok(target.clone());
        }
        if let Some(packed) = self.kept.get(&key) {
            return upload(&mut self.passing, gpu, &self.views, key, packed);
        }
        let packed = match self.coming.remove(&key) {
            Some(receiver) => {
                let there = receiver.try_recv();
                self.waits += u32::from(matches!(there, Err(TryRecvError::Empty)));
                let stopped = |e| Error::Gpu(format!("image decoder stopped: {e}"));
                there.or_else(|_| receiver.recv()).map_err(stopped)??
            }
            None => {
                self.waits += 1;
                load(&self.views[key.0], key.1)?
            }
        };
        if let Some(target) = self.reside(gpu, key, &packed)? {
            return Ok(target);
        }
        let target = upload(&mut self.passing, gpu, &self.views, key, &packed)?;
        self.keep(key, packed, ahead);
        Ok(target)
    }

    /// Starts to decode the first of the images that will be asked for, as many as there are threads and memory for.
    pub fn prefetch(&mut self, ahead: &[Key]) {
        for key in ahead.iter().take(rayon::current_num_threads()) {
            let view = &self.views[key.0];
            let pixels = u64::from(view.camera.width) * u64::from(view.camera.height);
            if self.coming.len() >= self.budget.most_in_work(pixels) {
                return;
            }
            if self.resident.contains_key(key) || self.kept.contains_key(key) || self.coming.contains_key(key) {
                continue;
            }
            let (sender, receiver) = channel();
            let (view, downscale) = (view.clone(), key.1);
            rayon::spawn(move || {
                let _ = sender.send(load(&view, downscale));
            });
            self.coming.insert(*key, receiver);
        }
    }

    /// Drops images of other sizes: a new size replaces the old one.
    fn forget_other_sizes(&mut self, downscale: u32) {
        if self.resident.keys().chain(self.kept.keys()).any(|key| key.1 != downscale) {
            self.resident.clear();
            self.kept.clear();
            (self.resident_bytes, self.kept_bytes) = (0, 0);
            self.coming.retain(|key, _| key.1 == downscale);
        }
    }

    /// Keeps an image on the device, where the budget and the device have room for it.
    fn reside(&mut self, gpu: &Gpu, key: Key, packed: &Packed) -> Result<Option<Arc<Buffer<u32>>>> {
        let len = self.plane(key);
        let bytes = 4 * len as u64;
        if self.resident_bytes + bytes > self.budget.device {
            return Ok(None);
        }
        let target = match gpu.buffer("target", len) {
            Ok(target) => Arc::new(target),
            Err(Error::OutOfMemory(_)) => {
                // What is left is for the model.
                self.budget.device = 0;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        target.write(gpu, 0, packed);
        self.resident_bytes += bytes;
        self.resident.insert(key, target.clone());
        Ok(Some(target))
    }

    /// Keeps an image in host memory unless those that are there will all be needed before it.
    fn keep(&mut self, key: Key, packed: Packed, ahead: &[Key]) {
        let bytes = size_of_val(packed.as_slice()) as u64;
        let next: HashMap<&Key, usize> = ahead.iter().enumerate().rev().map(|(step, key)| (key, step)).collect();
        let need = |key: &Key| next.get(key).copied().unwrap_or(usize::MAX);
        while self.kept_bytes + bytes > self.budget.host {
            // The view's number decides between equals: the order of a hash map varies.
            let latest = self.kept.keys().max_by_key(|kept| (need(kept), kept.0)).copied();
            let Some(latest) = latest.filter(|latest| need(latest) > need(&key)) else { return };
            if let Some(packed) = self.kept.remove(&latest) {
                self.kept_bytes -= size_of_val(packed.as_slice()) as u64;
            }
        }
        self.kept_bytes += bytes;
        self.kept.insert(key, packed);
    }

    fn plane(&self, key: Key) -> usize {
        plane(&self.views, key)
    }
}

/// Words of an image on the device.
fn plane(views: &[View], (view, downscale): Key) -> usize {
    let camera = views[view].camera.downscaled(downscale);
    plane_len(camera.width, camera.height)
}

/// Writes an image to `passing`, which has room for the largest.
fn upload(
    passing: &mut Option<Arc<Buffer<u32>>>,
    gpu: &Gpu,
    views: &[View],
    key: Key,
    packed: &Packed,
) -> Result<Arc<Buffer<u32>>> {
    let wanted = plane(views, key);
    let target = match passing.take().filter(|buffer| buffer.len() >= wanted) {
        Some(buffer) => buffer,
        None => {
            let largest = (0..views.len()).map(|view| plane(views, (view, key.1))).max().unwrap_or(0);
            Arc::new(gpu.buffer("target", largest)?)
        }
    };
    target.write(gpu, 0, packed);
    Ok(passing.insert(target).clone())
}

/// The lit image of `view` at `width` × `height`, exposed as the capture is.
///
/// # Errors
/// It cannot be read.
pub fn lit_image(view: &View, width: u32, height: u32) -> Result<Image> {
    let mut image = view.read()?;
    if let Some(gain) = view.gain {
        image.pixels.par_iter_mut().for_each(|pixel| *pixel = std::array::from_fn(|c| exposed(pixel[c], gain[c])));
    }
    Ok(if (image.width, image.height) == (width, height) { image } else { resize_area(&image, width, height) })
}

fn load(view: &View, downscale: u32) -> Result<Packed> {
    let camera = view.camera.downscaled(downscale);
    let (width, height) = (camera.width, camera.height);
    let image = lit_image(view, width, height)?;
    let weights = view.read_weights(width, height)?;
    let pack = |(p, weight): (&[f32; 3], f32)| {
        let [r, g, b] = p.map(|v| (v.clamp(0.0, 1.0) * weight * 255.0).round() as u32);
        r | g << 8 | b << 16 | ((weight * 255.0).round() as u32) << 24
    };
    let weight = |row: usize, column: usize| weights.as_ref().map_or(1.0, |all| all[row * width as usize + column]);
    let pitch = (tiles(width, height)[0] * TILE) as usize;
    let mut packed = vec![0; pitch * height as usize];
    let rows = packed.par_chunks_exact_mut(pitch).zip(image.pixels.par_chunks_exact(width as usize)).enumerate();
    rows.for_each(|(row, (packed, pixels))| {
        let pixels = pixels.iter().enumerate();
        let words = pixels.map(|(column, pixel)| pack((pixel, weight(row, column))));
        packed.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    });
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Camera;
    use crate::gpu::{Choice, Mask};
    use glam::DMat4;
    use std::path::Path;

    /// A view whose pixels all have its number.
    fn view(folder: &Path, index: usize, [width, height]: [u32; 2]) -> View {
        let path = folder.join(format!("{index}.png"));
        image::RgbImage::from_pixel(width, height, image::Rgb([index as u8 + 1; 3])).save(&path).unwrap();
        let [cx, cy] = [width, height].map(|side| f64::from(side) / 2.0);
        let camera = Camera { width, height, fx: 9.0, fy: 9.0, cx, cy, viewmat: DMat4::IDENTITY, reduction: 1.0 };
        let name = path.display().to_string();
        View { name, image: Some(path), camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    }

    fn check(gpu: &Gpu, targets: &mut Targets, order: &[Key]) {
        for (step, key) in order.iter().enumerate() {
            let ahead = &order[step + 1..];
            let found = gpu.read(&targets.get(gpu, *key, ahead).unwrap()).unwrap();
            let gray = (key.0 as u32 + 1) * 0x0001_0101;
            assert_eq!(found[0], 0xff00_0000 | gray, "step {step}, view {}", key.0);
            targets.prefetch(ahead);
        }
    }

    #[test]
    fn images_come_from_the_device_from_memory_and_from_files() {
        let folder = tempfile::tempdir().unwrap();
        // 16 × 16 words each, on the device and packed alike.
        let views: Vec<_> = (0..6).map(|index| view(folder.path(), index, [16, 16])).collect();
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let mut targets = Targets::new(views, Budget { device: 2 * 1024, host: 2 * 1024, in_work: 1 << 30 });
        let order: Vec<Key> = [0, 1, 2, 3, 4, 5, 5, 3, 4, 2, 1, 0, 0, 1, 2, 3, 4, 5].map(|view| (view, 1)).to_vec();
        check(&gpu, &mut targets, &order);
        assert_eq!((targets.resident.len(), targets.resident_bytes), (2, 2048));
        assert_eq!((targets.kept.len(), targets.kept_bytes), (2, 2048));
        // Another size: nothing of the old one stays.
        check(&gpu, &mut targets, &[(0, 2), (1, 2)]);
        assert_eq!((targets.resident.len(), targets.kept.len(), targets.kept_bytes), (2, 0, 0));
    }

    #[test]
    fn what_is_needed_soonest_stays_in_memory() {
        let mut targets = Targets::new(Vec::new(), Budget { device: 0, host: 2 * 40, in_work: 0 });
        let key = |view: usize| (view, 1);
        let ahead: Vec<Key> = [4, 2, 0, 4, 1].map(key).to_vec();
        let kept = |targets: &Targets| {
            let mut views: Vec<usize> = targets.kept.keys().map(|key| key.0).collect();
            views.sort_unstable();
            views
        };
        targets.keep(key(0), vec![0; 10], &ahead);
        targets.keep(key(1), vec![0; 10], &ahead);
        assert_eq!(kept(&targets), [0, 1]);
        targets.keep(key(2), vec![0; 10], &ahead);
        assert_eq!(kept(&targets), [0, 2], "1 is needed last");
        targets.keep(key(3), vec![0; 10], &ahead);
        assert_eq!(kept(&targets), [0, 2], "3 is not needed");
        targets.keep(key(4), vec![0; 10], &ahead);
        assert_eq!((kept(&targets), targets.kept_bytes), (vec![2, 4], 80));
    }

    /// A hundred photographs of 12 megapixels are decoded once beside 24 GiB of free memory, and four at a time beside 8 GiB.
    #[test]
    fn large_photographs_stay_in_memory_and_several_are_decoded_at_once() {
        let packed = |pixels: u64| 4 * pixels;
        let phone = 4032 * 3024;
        let budget = Budget::beside(24 << 30);
        assert!(budget.host + budget.device >= 100 * packed(phone), "{budget:?}");
        let threads = rayon::current_num_threads();
        assert_eq!(Budget::beside(8 << 30).most_in_work(phone), threads.min(4));
        assert_eq!(Budget::beside(8 << 30).most_in_work(1 << 40), 1, "there has to be one");
        // No less than there was without knowing, and nothing beyond half of what is free.
        assert_eq!(Budget::beside(0), Budget { device: 512 << 20, host: 1 << 30, in_work: 512 << 20 });
        let half = Budget::beside(64 << 30);
        assert_eq!(half.host + half.in_work, 32 << 30);
        assert_eq!(Budget::beside(1 << 40), half);
    }

    #[test]
    fn waits_for_images_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let views: Vec<_> = (0..2).map(|index| view(folder.path(), index, [16, 16])).collect();
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let mut targets = Targets::new(views, Budget { device: 1 << 20, host: 0, in_work: 1 << 30 });
        targets.get(&gpu, (0, 1), &[]).unwrap();
        assert_eq!(targets.waits, 1, "nobody had asked for it before");
        targets.get(&gpu, (0, 1), &[]).unwrap();
        targets.prefetch(&[(1, 1)]);
        // Long done.
        std::thread::sleep(std::time::Duration::from_millis(500));
        targets.get(&gpu, (1, 1), &[]).unwrap();
        assert_eq!(targets.waits, 1);
    }

    #[test]
    fn an_image_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let gone = view(folder.path(), 0, [16, 16]);
        std::fs::remove_file(folder.path().join("0.png")).unwrap();
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let mut targets = Targets::new(vec![gone], Budget::of(&gpu));
        targets.prefetch(&[(0, 1)]);
        let message = targets.get(&gpu, (0, 1), &[]).err().unwrap().to_string();
        assert!(message.contains("0.png"), "{message}");
    }
}
