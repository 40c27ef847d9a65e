//! A render as a texture that the window draws, and that a screenshot reads.

use crate::error::Result;
use crate::gpu::{Binding, Gpu, Kernel, Recorder};
use crate::splat::{TILE, Workspace, plane_len, tiles};
use bytemuck::{Pod, Zeroable};

/// What of a render is shown, in the kernel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The picture.
    Color = 0,
    /// Distance along the viewing direction.
    Depth = 1,
    /// How much of the background is covered.
    Opacity = 2,
}

/// How a render is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// What is shown.
    pub channel: Channel,
    /// Factors of linear red, green and blue light.
    pub gain: [f32; 3],
    /// RGB behind the splats.
    pub background: [f32; 3],
    /// Depths at the ends of the color map, near and far.
    pub depths: [f32; 2],
}

/// Twin of `Show` in `shaders/viewer/show.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ShowUniform {
    size: [u32; 2],
    pitch: u32,
    plane: u32,
    background: [f32; 3],
    channel: u32,
    gain: [f32; 3],
    near: f32,
    far: f32,
    padding: [u32; 3],
}

/// A texture of a render's size, RGBA with 8 bits, in display values.
pub struct Screen {
    texture: wgpu::Texture,
    /// What is drawn to.
    pub view: wgpu::TextureView,
    size: [u32; 2],
}

impl Screen {
    /// A texture of `size` pixels, at least one.
    pub fn new(gpu: &Gpu, [width, height]: [u32; 2]) -> Self {
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: wgpu::Extent3d { width: width.max(1), height: height.max(1), depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::STORAGE_BINDING
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Self { texture, view, size: [width.max(1), height.max(1)] }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Reads the picture back. Waits for the device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn read(&self, gpu: &Gpu) -> Result<image::RgbImage> {
        let [width, height] = self.size;
        let pitch = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("screenshot"),
            size: u64::from(pitch) * u64::from(height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            self.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &staging, layout },
            self.texture.size(),
        );
        gpu.queue.submit([encoder.finish()]);
        let bytes = gpu.map(&staging)?;
        let at = |x: u32, y: u32| (y * pitch + 4 * x) as usize;
        Ok(image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([bytes[at(x, y)], bytes[at(x, y) + 1], bytes[at(x, y) + 2]])
        }))
    }
}

/// The kernels that show a render, as it is and exposed otherwise.
pub struct Show {
    plain: Kernel,
    exposed: Kernel,
    uniform: crate::gpu::Buffer<ShowUniform>,
}

impl Show {
    /// Compiles the kernels.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let (plain, exposed) = (gpu.kernel("viewer/show", &[])?, gpu.kernel("viewer/show", &[("EXPOSED", "true")])?);
        Ok(Self { plain, exposed, uniform: gpu.buffer("tone", 1)? })
    }

    /// Records the way from `work.image`, a render over black, to `screen` of the same size.
    pub fn record(&self, recorder: &mut Recorder<'_>, work: &Workspace, screen: &Screen, tone: &Tone) {
        let [width, height] = screen.size;
        self.uniform.write(
            recorder.gpu(),
            0,
            &[ShowUniform {
                size: screen.size,
                pitch: tiles(width, height)[0] * TILE,
                plane: plane_len(width, height) as u32,
                background: tone.background,
                channel: tone.channel as u32,
                gain: tone.gain,
                near: tone.depths[0],
                far: tone.depths[1],
                padding: [0; 3],
            }],
        );
        let bindings = [self.uniform.binding(), work.image.binding(), Binding::TextureView(&screen.view)];
        let kernel = if tone.gain == [1.0; 3] { &self.plain } else { &self.exposed };
        recorder.dispatch(kernel, &bindings, (width * height).div_ceil(64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::exposed;
    use crate::gpu::{Choice, Mask};

    /// The picture of planes that hold `pixel` (red, green, blue, transmittance, depth) at a place of 20 × 9 pixels.
    fn shown(gpu: &Gpu, tone: &Tone, pixel: impl Fn(u32, u32) -> [f32; 5]) -> image::RgbImage {
        let (width, height) = (20, 9);
        let work = Workspace::new(gpu, 1, 1, width, height).unwrap();
        let (pitch, plane) = ((tiles(width, height)[0] * TILE) as usize, plane_len(width, height));
        let mut planes = vec![7.0; 5 * plane];
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            for (index, value) in pixel(x, y).into_iter().enumerate() {
                planes[index * plane + y as usize * pitch + x as usize] = value;
            }
        }
        work.image.write(gpu, 0, &planes);
        let screen = Screen::new(gpu, [width, height]);
        let mut recorder = Recorder::new(gpu);
        Show::new(gpu).unwrap().record(&mut recorder, &work, &screen, tone);
        recorder.submit();
        screen.read(gpu).unwrap()
    }

    fn tone(channel: Channel) -> Tone {
        Tone { channel, gain: [2.0, 1.0, 0.5], background: [0.2, 0.4, 1.0], depths: [1.0, 3.0] }
    }

    #[test]
    fn colors_are_exposed_and_the_background_is_not() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let value = |x: u32, y: u32| (x + y) as f32 / 40.0;
        let picture = shown(&gpu, &tone(Channel::Color), |x, y| [value(x, y), 0.1, 0.9, 0.5, 0.0]);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let expected = [exposed(value(x, y), 2.0) + 0.1, 0.1 + 0.2, exposed(0.9, 0.5) + 0.5];
            let expected = expected.map(|v| (v.min(1.0) * 255.0).round());
            for (found, expected) in pixel.0.iter().zip(expected) {
                assert!((f32::from(*found) - expected).abs() <= 1.0, "{x} {y}: {pixel:?}");
            }
        }
    }

    #[test]
    fn depth_is_divided_by_opacity_and_colored_by_turbo() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        // Depths 1, 2, 3 at four fifths of opacity, and next to nothing.
        let planes = |x: u32, _: u32| match x % 4 {
            3 => [0.0, 0.0, 0.0, 0.99, 0.02],
            n => [0.0, 0.0, 0.0, 0.2, 0.8 * (n + 1) as f32],
        };
        let picture = shown(&gpu, &tone(Channel::Depth), planes);
        // From the published table of Turbo: its last, middle and first color. The polynomial is up to 32 levels off at
        // its ends.
        let expected = [[122, 4, 3], [164, 252, 60], [48, 18, 59], [51, 102, 255]];
        for (x, expected) in (0..4).zip(expected) {
            let found = picture.get_pixel(x, 5).0;
            let off = found.iter().zip(expected).map(|(a, b): (&u8, i32)| (i32::from(*a) - b).abs()).max();
            assert!(off < Some(34), "{x}: {found:?}, not {expected:?}");
        }
    }

    #[test]
    fn opacity_is_gray() {
        let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let picture = shown(&gpu, &tone(Channel::Opacity), |_, _| [1.0, 0.0, 0.0, 0.25, 9.0]);
        assert!(picture.pixels().all(|p| p.0.iter().all(|v| v.abs_diff(191) <= 1)));
    }
}
