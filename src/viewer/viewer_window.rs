//! An open window: its contents and drawing.

use super::album::Album;
use super::canvas::{Canvas, no_window};
use super::crop_model::{Crop, CropAction};
use super::options::Options;
use super::picture::{Picture, Shot};
use super::scene::{Model, Scene, title};
use super::ui_state::{Command, Device, UiState, Work};
use super::{layout, panel, screenshot};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use egui_winit::winit::dpi::{LogicalSize, PhysicalSize};
use egui_winit::winit::event_loop::{ActiveEventLoop, EventLoopProxy};
use egui_winit::winit::window::{Fullscreen, Window};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What other threads tell the window.
pub(super) enum Wake {
    Loaded(PathBuf, Box<Result<Scene>>),
    /// The distilled model of a run of several: the file, and its splats.
    Distilled(PathBuf, Box<Result<Model>>),
    /// There is something new to draw.
    Redraw,
}

/// A window that is open. Fields are dropped in this order: the device comes after everything made by it.
pub(super) struct ViewerWindow {
    pub canvas: Canvas,
    pub picture: Picture,
    pub texture: egui::TextureId,
    pub state: UiState,
    pub album: Album,
    /// A screenshot that waits for the whole picture.
    pub screenshot: Option<PathBuf>,
    pub gpu: Arc<Gpu>,
}

impl ViewerWindow {
    /// Opens the window, and the device that draws to it.
    pub fn new(event_loop: &ActiveEventLoop, options: &Options, proxy: &EventLoopProxy<Wake>) -> Result<Self> {
        let attributes = Window::default_attributes().with_title("naka-gs").with_visible(false);
        let window = event_loop.create_window(attributes).map_err(no_window)?;
        let scale = window.scale_factor();
        let wanted = match options.size {
            Some([width, height]) => {
                PhysicalSize::new(width + (f64::from(panel::WIDTH) * scale).round() as u32, height)
            }
            None => LogicalSize::new(1280.0, 760.0).to_physical(scale),
        };
        // A smaller screen may reduce the size; an event reports that.
        let _ = window.request_inner_size(wanted);
        window.set_visible(true);
        let (gpu, mut canvas) = Canvas::new(window, &options.adapter, options.mask)?;
        tracing::info!("adapter: {}", gpu.name());
        let picture = Picture::new(&gpu)?;
        let texture = canvas.texture(&gpu, &picture.screen.view, None);
        let screenshot = options.screenshot.clone();
        let proxy = proxy.clone();
        let album = Album::new(move || redraw(&proxy));
        canvas.window.request_redraw();
        Ok(Self { canvas, picture, texture, state: UiState::new(), album, screenshot, gpu: Arc::new(gpu) })
    }

    /// Shows a scene.
    pub fn show(&mut self, scene: Scene, camera: Option<usize>, proxy: &EventLoopProxy<Wake>) {
        self.canvas.window.set_title(&format!("{} — naka-gs", title(&scene.path)));
        self.state.open(scene, camera);
        let proxy = proxy.clone();
        self.album = Album::new(move || redraw(&proxy));
        self.canvas.window.request_redraw();
    }

    /// Reads `path` on a thread of its own.
    pub fn read(&mut self, proxy: &EventLoopProxy<Wake>, path: PathBuf, cameras: Option<PathBuf>) {
        self.state.loading = Some(path.clone());
        let (gpu, proxy) = (Arc::clone(&self.gpu), proxy.clone());
        std::thread::spawn(move || {
            let scene = Scene::load(&gpu, &path, cameras.as_deref());
            if proxy.send_event(Wake::Loaded(path, Box::new(scene))).is_err() {
                tracing::debug!("the window is closed");
            }
        });
    }

    /// Reads the splats that a run has made of several models, on a thread of its own. The window shows the last of these.
    pub fn read_distilled(&self, proxy: &EventLoopProxy<Wake>) {
        let Some((scene, file)) = self.state.scene.as_ref().and_then(|scene| Some((scene, scene.file.clone()?))) else {
            return;
        };
        let (gpu, proxy, frame, bounds) = (Arc::clone(&self.gpu), proxy.clone(), scene.frame, scene.bounds());
        std::thread::spawn(move || {
            let model = Scene::read_again(&gpu, &file, &frame, bounds);
            if proxy.send_event(Wake::Distilled(file, Box::new(model))).is_err() {
                tracing::debug!("the window is closed");
            }
        });
    }

    /// Shows them, if the scene is still the same.
    pub fn show_distilled(&mut self, file: &Path, model: Result<Model>) {
        if self.state.scene.as_ref().is_some_and(|scene| scene.file.as_deref() == Some(file)) {
            match model {
                Ok(model) => {
                    self.state.show_result(model);
                    self.state.messages.note(format!("{} is shown: one model fitted to the mean of all", shown(file)));
                }
                Err(error) => self.state.messages.error(&error),
            }
        }
    }

    /// Lays out and draws. Returns what is left to do.
    pub fn frame(&mut self, event_loop: &ActiveEventLoop, mut work: Work<'_, '_>) -> Result<Vec<Command>> {
        // The device is busy: show its current picture first.
        if self.canvas.is_empty() || self.picture.busy(&self.gpu)? {
            return Ok(Vec::new());
        }
        let device =
            Device { adapter: self.gpu.name(), peak_bytes: self.gpu.peak_bytes(), figures: self.picture.figures };
        let (state, album, texture) = (&mut self.state, &mut self.album, self.texture);
        let layout = self.canvas.layout(&self.gpu, |ui| layout::show(state, ui, texture, album, &mut work, &device));
        let moving = self.state.moving();
        if let Some((shot, model)) = self.state.shot() {
            match self.picture.draw(&self.gpu, model.tensors(), &shot, moving) {
                Ok(()) => {}
                // The screenshot reports this failure.
                Err(Error::OutOfMemory(_)) if self.screenshot.is_some() => {}
                Err(error @ Error::OutOfMemory(_)) => self.state.messages.error(&error),
                Err(error) => return Err(error),
            }
            if self.picture.take_fresh() {
                self.canvas.texture(&self.gpu, &self.picture.screen.view, Some(self.texture));
            }
        }
        self.canvas.draw(&self.gpu, event_loop, layout)?;
        Ok(std::mem::take(&mut self.state.commands))
    }

    pub fn run(&mut self, command: Command) {
        match command {
            Command::Screenshot => self.screenshot = Some(screenshot::name(SystemTime::now())),
            Command::SaveLook => self.save_look(),
            Command::Crop(action) => {
                if let Err(error) = self.crop(action) {
                    self.state.messages.error(&error);
                }
            }
            Command::Focus(place) => {
                if let Err(error) = self.focus(place) {
                    self.state.messages.error(&error);
                }
            }
            Command::FullScreen => {
                let full = self.canvas.window.fullscreen().is_none().then_some(Fullscreen::Borderless(None));
                self.canvas.window.set_fullscreen(full);
            }
            Command::Open(_) | Command::Train(_) | Command::Film(_) | Command::Quit => {}
        }
        self.canvas.window.request_redraw();
    }

    /// Carries out actions of a crop that need the device or a file.
    fn crop(&mut self, action: CropAction) -> Result<()> {
        let (state, gpu) = (&mut self.state, &self.gpu);
        let Some(scene) = &state.scene else { return Ok(()) };
        if let (CropAction::Begin, Some(model)) = (action, &scene.splats) {
            // Read back from the device: a file may be gone, and a training's model has none in this frame.
            state.crop = Some(Crop::new(model.tensors().to_splats(gpu)?, scene.frame)?);
        }
        let Some(crop) = &mut state.crop else { return Ok(()) };
        // What depends on the scene's size stays that of the whole.
        let bounds = scene.bounds();
        match action {
            CropAction::Begin => {}
            CropAction::Apply => {
                let model = Model::part(gpu, &crop.rest()?, bounds)?;
                state.show_splats(model);
            }
            CropAction::Reset | CropAction::End => {
                crop.reset()?;
                let model = Model::part(gpu, crop.whole(), bounds)?;
                state.show_splats(model);
                if action == CropAction::End {
                    state.crop = None;
                }
            }
            CropAction::Save => {
                let Some(file) = &scene.file else { return Ok(()) };
                let path = crop.save(file, scene.antialiased)?;
                state.messages.note(format!("Saved {}", shown(&path)));
            }
        }
        Ok(())
    }

    fn save_look(&mut self) {
        let Some(look) = self.state.scene.as_ref().and_then(|scene| scene.look.as_ref()) else { return };
        let display = &self.state.display;
        match look.save(display.stops, display.warmth, Path::new("")) {
            Ok((_, words)) => self.state.messages.note(words),
            Err(error) => self.state.messages.error(&error),
        }
    }

    /// Turns to what is at a place of the picture.
    fn focus(&mut self, [x, y]: [f64; 2]) -> Result<()> {
        let Some((Shot { camera, .. }, model)) = self.state.shot() else { return Ok(()) };
        if let Some(depth) = self.picture.depth_at(&self.gpu, model.tensors(), x, y)? {
            let point = camera.unproject(x * f64::from(camera.width), y * f64::from(camera.height), depth);
            self.state.navigator.focus(point);
        }
        Ok(())
    }

    /// Writes the requested screenshot, once the picture is complete. Returns whether it did.
    ///
    /// # Errors
    /// A picture that does not fit the device, a file that cannot be written.
    pub fn take_screenshot(&mut self) -> Result<bool> {
        let Some((shot, _)) = self.state.shot() else { return Ok(false) };
        if let Some(error) = self.picture.failure(&shot)
            && self.screenshot.take().is_some()
        {
            return Err(error);
        }
        let whole = self.picture.holds(&shot);
        let Some(path) = self.screenshot.take_if(|_| whole) else { return Ok(false) };
        let picture = self.picture.screen.read(&self.gpu)?;
        screenshot::write(&path, &picture)?;
        self.state.messages.note(format!("Saved {}", shown(&path)));
        self.canvas.window.request_redraw();
        Ok(true)
    }
}

/// Wakes the window from another thread.
pub(super) fn redraw(proxy: &EventLoopProxy<Wake>) {
    if proxy.send_event(Wake::Redraw).is_err() {
        tracing::debug!("the window is closed");
    }
}

/// A path in full, as messages name it.
pub(super) fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}
