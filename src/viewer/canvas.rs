//! The window's surface with egui on it.

use crate::error::{Error, Result};
use crate::gpu::{Choice, Gpu, Mask, Surface};
use egui_winit::winit::event::WindowEvent;
use egui_winit::winit::event_loop::ActiveEventLoop;
use egui_winit::winit::window::Window;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The output of egui for a frame, between its layout and its drawing.
pub struct Layout {
    platform: egui::PlatformOutput,
    shapes: Vec<egui::epaint::ClippedShape>,
    pixels_per_point: f32,
}

/// A window, its surface and what egui needs.
pub struct Canvas {
    pub window: Arc<Window>,
    surface: Surface,
    context: egui::Context,
    state: egui_winit::State,
    renderer: egui_wgpu::Renderer,
    /// Textures that nothing needs once the frame is drawn.
    unused: Vec<egui::TextureId>,
    /// When egui wants to draw again, if at all.
    pub due: Option<Instant>,
}

impl Canvas {
    /// Opens the device that can draw to `window`.
    ///
    /// # Errors
    /// As [`Gpu::open_for_window`].
    pub fn new(window: Window, choice: &Choice, mask: Mask) -> Result<(Gpu, Self)> {
        let window = Arc::new(window);
        let size = window.inner_size().into();
        let (gpu, surface) = Gpu::open_for_window(Arc::clone(&window), size, choice, mask)?;
        let context = egui::Context::default();
        super::style::set(&context);
        let largest = gpu.limits().max_texture_dimension_2d as usize;
        let scale = window.scale_factor() as f32;
        let state =
            egui_winit::State::new(context.clone(), egui::ViewportId::ROOT, &window, Some(scale), None, Some(largest));
        // Values on the screen must be those of the picture: no dithering.
        let options = egui_wgpu::RendererOptions { dithering: false, ..Default::default() };
        let renderer = egui_wgpu::Renderer::new(&gpu.device, surface.format(), options);
        Ok((gpu, Self { window, surface, context, state, renderer, unused: Vec::new(), due: None }))
    }

    /// Gives an event to egui and to the surface.
    pub fn event(&mut self, gpu: &Gpu, event: &WindowEvent) {
        if let WindowEvent::Resized(size) = event {
            self.surface.resize(gpu, (*size).into());
        }
        if self.state.on_window_event(&self.window, event).repaint {
            self.window.request_redraw();
        }
    }

    /// Whether there is nothing to draw on: a minimized window.
    pub fn is_empty(&self) -> bool {
        let size = self.window.inner_size();
        size.width == 0 || size.height == 0
    }

    /// Lays the user interface out.
    pub fn layout(&mut self, gpu: &Gpu, ui: impl FnMut(&mut egui::Ui)) -> Layout {
        self.unused.drain(..).for_each(|id| self.renderer.free_texture(&id));
        let input = self.state.take_egui_input(&self.window);
        let egui::FullOutput { platform_output, mut textures_delta, shapes, pixels_per_point, viewport_output } =
            self.context.run_ui(input, ui);
        for (id, deltas) in &textures_delta.set {
            for delta in deltas {
                self.renderer.update_texture(&gpu.device, &gpu.queue, *id, delta);
            }
        }
        self.unused.extend(&textures_delta.free);
        // egui wants to see that it was done.
        textures_delta.clear();
        let delay = viewport_output.get(&egui::ViewportId::ROOT).map_or(Duration::MAX, |view| view.repaint_delay);
        self.due = Instant::now().checked_add(delay);
        Layout { platform: platform_output, shapes, pixels_per_point }
    }

    /// Makes `view` a texture for egui: in place of `id`, if given. It is magnified smoothly or in squares.
    pub fn texture(&mut self, gpu: &Gpu, view: &wgpu::TextureView, id: Option<egui::TextureId>) -> egui::TextureId {
        match id {
            Some(id) => {
                let filter = wgpu::FilterMode::Linear;
                self.renderer.update_egui_texture_from_wgpu_texture(&gpu.device, view, filter, id);
                id
            }
            None => self.renderer.register_native_texture(&gpu.device, view, wgpu::FilterMode::Linear),
        }
    }

    /// Draws the laid-out frame, and shows it.
    ///
    /// # Errors
    /// Those of the device and the surface.
    pub fn draw(&mut self, gpu: &Gpu, event_loop: &ActiveEventLoop, layout: Layout) -> Result<()> {
        let Layout { platform, shapes, pixels_per_point } = layout;
        self.state.handle_platform_output_with_event_loop(&self.window, event_loop, platform);
        if let Some(frame) = self.surface.frame(gpu)? {
            let triangles = self.context.tessellate(shapes, pixels_per_point);
            self.paint(gpu, &frame, &triangles, pixels_per_point);
            self.window.pre_present_notify();
            gpu.queue.present(frame);
        }
        gpu.check()
    }

    fn paint(
        &mut self,
        gpu: &Gpu,
        frame: &wgpu::SurfaceTexture,
        triangles: &[egui::ClippedPrimitive],
        pixels_per_point: f32,
    ) {
        let screen = egui_wgpu::ScreenDescriptor { size_in_pixels: self.surface.size(), pixels_per_point };
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("window") });
        let own = self.renderer.update_buffers(&gpu.device, &gpu.queue, &mut encoder, triangles, &screen);
        let view = frame.texture.create_view(&wgpu::TextureViewDescriptor::default());
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("window"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                resolve_target: None,
                depth_slice: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        self.renderer.render(&mut pass.forget_lifetime(), triangles, &screen);
        gpu.queue.submit(own.into_iter().chain([encoder.finish()]));
    }
}

/// The windowing system's message as an error, without winit's source line at its beginning.
pub fn no_window(error: impl std::fmt::Display) -> Error {
    let text = error.to_string();
    let words = text.split_once(".rs:").and_then(|(_, rest)| rest.split_once(": "));
    Error::NoWindow(words.map_or(text.as_str(), |(_, words)| words).trim_end_matches('.').to_string())
}

#[cfg(test)]
mod tests {
    use super::no_window;

    #[test]
    fn errors_do_not_name_lines_of_source() {
        let text = "os error at /x/winit-0.30.13/src/platform_impl/linux/mod.rs:765: neither is set.";
        assert!(no_window(text).to_string().starts_with("no window: neither is set; "));
        assert!(no_window("not supported").to_string().starts_with("no window: not supported; "));
    }
}
