//! A window's surface and the device that draws to it.

use super::adapter::{self, Choice, Mask};
use super::{Gpu, Wanted, lock};
use crate::error::{Error, Result};

/// The part of a window that the device draws to.
pub struct Surface {
    raw: wgpu::Surface<'static>,
    config: wgpu::SurfaceConfiguration,
}

impl Gpu {
    /// Opens the adapter that `choice` names among those that can draw to `window`, and the window's surface of `size`
    /// pixels. [`Choice::Best`] is the best of these; otherwise as [`Gpu::open`].
    ///
    /// # Errors
    /// As [`Gpu::open`]; [`Error::NoWindow`] where nothing can draw to the window.
    pub fn open_for_window(
        window: impl Into<wgpu::SurfaceTarget<'static>>,
        size: [u32; 2],
        choice: &Choice,
        mask: Mask,
    ) -> Result<(Self, Surface)> {
        let instance = adapter::instance();
        let raw = instance.create_surface(window).map_err(|e| Error::NoWindow(e.to_string()))?;
        let adapter = adapter::choose(&instance, choice, Some(&raw))?;
        let [width, height] = size.map(|side| side.max(1));
        let shows = raw.get_capabilities(&adapter);
        let mut config = raw
            .get_default_config(&adapter, width, height)
            .ok_or_else(|| Error::NoWindow(format!("{} cannot draw to it", adapter.get_info().name)))?;
        // Rendered values are display-referred already: they go to the screen as they are.
        let plain = shows.formats.iter().find(|format| !format.is_srgb());
        config.format = plain.copied().unwrap_or(config.format);
        config.present_mode = wgpu::PresentMode::AutoVsync;
        let gpu = Self::with_adapter(&adapter, mask, &Wanted::default())?;
        raw.configure(&gpu.device, &config);
        Ok((gpu, Surface { raw, config }))
    }
}

impl Surface {
    /// The format of its pixels.
    pub fn format(&self) -> wgpu::TextureFormat {
        self.config.format
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.config.width, self.config.height]
    }

    /// Follows the window to another size. A size without area (a minimized window) changes nothing.
    pub fn resize(&mut self, gpu: &Gpu, [width, height]: [u32; 2]) {
        let largest = gpu.limits().max_texture_dimension_2d;
        let size = [width.min(largest), height.min(largest)];
        if size != self.size() && !size.contains(&0) {
            [self.config.width, self.config.height] = size;
            self.raw.configure(&gpu.device, &self.config);
        }
    }

    /// The next picture to draw; nothing where the window cannot take one now.
    ///
    /// # Errors
    /// Those of [`Gpu::check`]; [`Error::Gpu`] where the surface is broken.
    pub fn frame(&mut self, gpu: &Gpu) -> Result<Option<wgpu::SurfaceTexture>> {
        use wgpu::CurrentSurfaceTexture as Current;
        match self.raw.get_current_texture() {
            Current::Success(frame) => return Ok(Some(frame)),
            Current::Suboptimal(frame) => {
                // Drawn as it is; the next resize event brings the size that fits.
                return Ok(Some(frame));
            }
            Current::Timeout | Current::Occluded => {}
            Current::Outdated | Current::Lost => self.raw.configure(&gpu.device, &self.config),
            Current::Validation => {
                gpu.check()?;
                let fault = lock(&gpu.faults).other.clone();
                return Err(Error::Gpu(fault.unwrap_or_else(|| "the window's surface is not valid".into())));
            }
        }
        gpu.check().map(|()| None)
    }
}
