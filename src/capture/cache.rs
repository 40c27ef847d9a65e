//! Decoded pictures, within a fixed number of bytes.

use super::{Image, View, resize_area};
use crate::error::Result;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

type Key = (PathBuf, u32, u32);

#[derive(Default)]
struct Entries {
    images: HashMap<Key, (Arc<Image>, u64)>,
    bytes: usize,
    clock: u64,
}

/// Decoded and area-averaged images, shared between threads. Beyond its bound the images that were not asked for
/// the longest time are dropped, so that a capture of thousands of images never lies in memory as a whole.
pub struct ImageCache {
    capacity: usize,
    entries: Mutex<Entries>,
}

impl ImageCache {
    /// A cache that holds at most `bytes` of pixels (12 bytes each) besides what its users still hold.
    pub fn new(bytes: usize) -> Self {
        Self { capacity: bytes, entries: Mutex::default() }
    }

    /// The image of `view`, averaged to `width` × `height`. Decodes outside the lock: two threads that miss the same
    /// image at the same time both decode it, and the second result is dropped.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn get(&self, view: &View, width: u32, height: u32) -> Result<Arc<Image>> {
        let key = (view.image.clone().unwrap_or_default(), width, height);
        if let Some(image) = self.lookup(&key) {
            return Ok(image);
        }
        let image = Arc::new(resize_area(&view.read()?, width, height));
        self.insert(key, &image);
        Ok(image)
    }

    /// Bytes of pixels held.
    pub fn bytes(&self) -> usize {
        self.entries().bytes
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lookup(&self, key: &Key) -> Option<Arc<Image>> {
        let mut entries = self.entries();
        entries.clock += 1;
        let now = entries.clock;
        entries.images.get_mut(key).map(|(image, used)| {
            *used = now;
            Arc::clone(image)
        })
    }

    fn insert(&self, key: Key, image: &Arc<Image>) {
        if size(image) > self.capacity {
            return;
        }
        let mut entries = self.entries();
        entries.clock += 1;
        let now = entries.clock;
        entries.bytes += size(image);
        if let Some((old, _)) = entries.images.insert(key, (Arc::clone(image), now)) {
            entries.bytes -= size(&old);
        }
        while entries.bytes > self.capacity {
            let Some(oldest) = entries.images.iter().min_by_key(|(_, (_, used))| *used).map(|(k, _)| k.clone()) else {
                return;
            };
            if let Some((image, _)) = entries.images.remove(&oldest) {
                entries.bytes -= size(&image);
            }
        }
    }
}

fn size(image: &Image) -> usize {
    size_of_val(image.pixels.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Camera;
    use glam::DMat4;

    fn view(folder: &std::path::Path, name: &str, level: u8) -> View {
        let path = folder.join(name);
        ::image::RgbImage::from_pixel(8, 6, ::image::Rgb([level; 3])).save(&path).unwrap();
        let camera = Camera {
            width: 8,
            height: 6,
            fx: 8.0,
            fy: 8.0,
            cx: 4.0,
            cy: 3.0,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        View { name: name.into(), image: Some(path), camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    }

    #[test]
    fn stays_within_its_bound_and_drops_the_least_recent() {
        let folder = tempfile::tempdir().unwrap();
        let views: Vec<_> = (0..4).map(|i| view(folder.path(), &format!("{i}.png"), 10 * i as u8)).collect();
        let one = 4 * 3 * 12;
        let cache = ImageCache::new(2 * one);
        let first = cache.get(&views[0], 4, 3).unwrap();
        cache.get(&views[1], 4, 3).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&views[0], 4, 3).unwrap()));
        cache.get(&views[2], 4, 3).unwrap();
        assert_eq!(cache.bytes(), 2 * one);
        assert!(Arc::ptr_eq(&first, &cache.get(&views[0], 4, 3).unwrap()), "0 was used after 1");
        assert_eq!(cache.get(&views[3], 8, 6).unwrap().at(0, 0)[0], 30.0 / 255.0);
        assert!(cache.bytes() <= 2 * one, "an image beyond the bound is not kept");
    }

    #[test]
    fn is_shared_by_threads() {
        let folder = tempfile::tempdir().unwrap();
        let views: Vec<_> = (0..6).map(|i| view(folder.path(), &format!("{i}.png"), i as u8)).collect();
        let cache = ImageCache::new(3 * 4 * 3 * 12);
        std::thread::scope(|scope| {
            for t in 0..4 {
                let (cache, views) = (&cache, &views);
                scope.spawn(move || {
                    for i in 0..24 {
                        let k = (i * (t + 1)) % views.len();
                        let image = cache.get(&views[k], 4, 3).unwrap();
                        assert!((image.at(1, 1)[2] - k as f32 / 255.0).abs() < 1e-7);
                    }
                });
            }
        });
        assert!(cache.bytes() <= 3 * 4 * 3 * 12);
    }

    #[test]
    fn a_view_without_an_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let bare = View { image: None, ..view(folder.path(), "pose.png", 0) };
        let message = ImageCache::new(1).get(&bare, 1, 1).unwrap_err().to_string();
        assert!(message.contains("pose.png") && message.contains("no image"), "{message}");
    }
}
