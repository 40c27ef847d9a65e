//! The window's event loop: events in, pictures out, files read in the background.

use super::canvas::no_window;
use super::filming::{self, Filming};
use super::options::Options;
use super::training::{self, News, Training};
use super::ui_state::{Command, Work};
use super::viewer_window::{ViewerWindow, Wake, redraw, shown};
use crate::error::{Error, Result};
use crate::pipeline::{Job, Outcome, SettingsFor};
use crate::progress::Progress;
use egui_winit::winit::application::ApplicationHandler;
use egui_winit::winit::event::WindowEvent;
use egui_winit::winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy};
use egui_winit::winit::window::WindowId;
use std::path::Path;
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

/// Between two looks at the request to stop.
const STOP_EVERY: Duration = Duration::from_millis(200);
/// Interval of polling whether the device has finished a picture.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Interval of looking at a run, where nothing else triggers it.
const TRAINING_EVERY: Duration = Duration::from_secs(1);

/// What a window is opened in.
#[derive(Clone, Copy)]
pub struct ViewerContext<'env> {
    /// Told of the stages of runs; its request to stop closes the window.
    pub progress: &'env dyn Progress,
    /// The run that a scene folder is trained by.
    pub job: &'env dyn Fn(&Path) -> Job,
    /// The settings for the frames of a video ([`Shared::settings`](crate::pipeline::Shared)).
    pub settings: SettingsFor<'env>,
    /// Called, on the run's thread, with what a run made.
    pub finished: &'env (dyn Fn(&Job, &Outcome) + Sync),
}

/// Opens the window and runs it until it is closed, or the progress is asked to stop. A run that is still active is ended with
/// a checkpoint.
///
/// # Errors
/// [`Error::NoWindow`] where there is no desktop session, [`Error::NoAdapter`] where nothing can draw to the window,
/// [`Error::DeviceLost`]; what ended the last run that was not finished; with [`Options::screenshot`], whatever keeps it
/// from being written.
pub fn open(options: Options, context: ViewerContext<'_>) -> Result<()> {
    let event_loop = EventLoop::<Wake>::with_user_event().build().map_err(no_window)?;
    let proxy = event_loop.create_proxy();
    std::thread::scope(|threads| {
        let mut app =
            App { options, context, threads, proxy, training: None, filming: None, open: None, failure: None };
        let ran = event_loop.run_app(&mut app).map_err(no_window);
        // The window goes first: the end of a run may take a moment.
        drop(app.open.take());
        let filmed = app.filming.take().map_or(Ok(()), |camera| {
            camera.stop();
            camera.outcome().map(drop)
        });
        let ended = app.training.take().and_then(|training| {
            training.stop();
            training.join()
        });
        let failure = app.failure.take().or(ended.and_then(Result::err)).or(filmed.err());
        ran.and(failure.map_or(Ok(()), Err))
    })
}

struct App<'scope, 'env> {
    options: Options,
    context: ViewerContext<'env>,
    threads: &'scope Scope<'scope, 'env>,
    proxy: EventLoopProxy<Wake>,
    /// The run under way, or the last one.
    training: Option<Training<'scope>>,
    filming: Option<filming::Camera<'scope>>,
    open: Option<ViewerWindow>,
    /// What ended the window, or the last run.
    failure: Option<Error>,
}

impl App<'_, '_> {
    fn start(&mut self, event_loop: &ActiveEventLoop) -> Result<()> {
        let open = self.open.insert(ViewerWindow::new(event_loop, &self.options, &self.proxy)?);
        match self.options.path.clone() {
            Some(path) if training::is_capture(&path) => self.train((self.context.job)(&path)),
            Some(path) => open.read(&self.proxy, path, self.options.cameras.clone()),
            None => {}
        }
        Ok(())
    }

    /// Begins a run, unless one is under way.
    fn train(&mut self, job: Job) {
        let Some(open) = &mut self.open else { return };
        if self.training.as_ref().is_some_and(Training::at_work) {
            open.state.messages.note("a run is under way: stop it before another one begins");
            return;
        }
        self.failure = None;
        let (gpu, proxy) = (Arc::clone(&open.gpu), self.proxy.clone());
        let wake = move || redraw(&proxy);
        let ViewerContext { progress, settings, finished, .. } = self.context;
        self.training = Some(Training::start(self.threads, job, gpu, progress, settings, finished, wake));
    }

    /// Begins to film, of the model as it is now.
    fn film(&mut self, filming: Filming) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let Some(model) = open.state.scene.as_ref().and_then(|scene| scene.splats.as_ref()) else { return Ok(()) };
        let splats = model.tensors().to_splats(&open.gpu)?;
        let (gpu, proxy) = (Arc::clone(&open.gpu), self.proxy.clone());
        self.filming = Some(filming::Camera::start(self.threads, filming, gpu, splats, move || redraw(&proxy)));
        Ok(())
    }

    /// Takes over news of the run and of filming.
    fn look(&mut self) -> Result<()> {
        if let (Some(camera), Some(open)) = (self.filming.take_if(|camera| camera.is_over()), &mut self.open) {
            match camera.outcome() {
                Ok(path) => open.state.messages.note(format!("Saved {}", shown(&path))),
                Err(error) => open.state.messages.error(&error),
            }
        }
        let (Some(open), Some(training)) = (&mut self.open, &mut self.training) else { return Ok(()) };
        for answer in training.answers() {
            match answer {
                Ok(words) => open.state.messages.note(words),
                Err(error) => open.state.messages.error(&error),
            }
        }
        match training.look(&open.gpu, open.picture.figures.time)? {
            Some(News::Begun(scene)) => {
                open.show(*scene, self.options.camera.take(), &self.proxy);
            }
            Some(News::Model(snapshot)) => {
                let shown = open.state.scene.as_ref().is_some_and(|scene| scene.path == training.job.scene);
                if shown {
                    open.state.replace(snapshot);
                }
            }
            None => {}
        }
        match training.outcome() {
            Some(Ok(_)) => {
                open.state.messages.note(format!("the run is finished: {}", shown(&training.job.out)));
                match &open.state.scene {
                    // All of it was there already.
                    None => open.read(&self.proxy, training.job.out.clone(), None),
                    Some(scene) if scene.path == training.job.scene && training.job.settings.seeds > 1 => {
                        open.read_distilled(&self.proxy);
                    }
                    Some(_) => {}
                }
            }
            Some(Err(error)) => {
                open.state.messages.error(&error);
                self.failure = Some(error);
            }
            None => {}
        }
        Ok(())
    }

    /// Ends the window, with the error if there is one.
    fn end(&mut self, event_loop: &ActiveEventLoop, outcome: Result<()>) {
        self.failure = self.failure.take().or(outcome.err());
        event_loop.exit();
    }

    fn frame(&mut self, event_loop: &ActiveEventLoop) {
        if let Err(error) = self.look() {
            return self.end(event_loop, Err(error));
        }
        let Some(open) = &mut self.open else { return };
        let work = Work { training: self.training.as_mut(), filming: self.filming.as_ref() };
        let commands = match open.frame(event_loop, work) {
            Ok(commands) => commands,
            Err(error) => return self.end(event_loop, Err(error)),
        };
        let (mut begin, mut film) = (None, None);
        for command in commands {
            match command {
                Command::Open(path) if training::is_capture(&path) => {
                    open.state.proposal = Some((self.context.job)(&path))
                }
                Command::Open(path) => open.read(&self.proxy, path, None),
                Command::Train(job) => begin = Some(*job),
                Command::Film(filming) => film = Some(*filming),
                Command::Quit => return self.end(event_loop, Ok(())),
                command => open.run(command),
            }
        }
        match open.take_screenshot() {
            Ok(true) if self.options.screenshot.is_some() => self.end(event_loop, Ok(())),
            Ok(_) => {}
            Err(error) if self.options.screenshot.is_some() => self.end(event_loop, Err(error)),
            Err(error) => open.state.messages.error(&error),
        }
        if let Some(job) = begin {
            self.train(job);
        }
        if let Some(Err(error)) = film.map(|filming| self.film(filming))
            && let Some(open) = &mut self.open
        {
            open.state.messages.error(&error);
        }
    }
}

impl ApplicationHandler<Wake> for App<'_, '_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.open.is_none()
            && let Err(error) = self.start(event_loop)
        {
            self.end(event_loop, Err(error));
        }
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, wake: Wake) {
        let Some(open) = &mut self.open else { return };
        open.canvas.window.request_redraw();
        let (path, scene) = match wake {
            Wake::Loaded(path, scene) => (path, scene),
            Wake::Distilled(file, model) => return open.show_distilled(&file, *model),
            Wake::Redraw => return,
        };
        if open.state.loading.as_ref() != Some(&path) {
            // Something else was opened since.
            return;
        }
        open.state.loading = None;
        match *scene {
            Ok(scene) => {
                open.show(scene, self.options.camera.take(), &self.proxy);
            }
            Err(error) if self.options.screenshot.is_some() => self.end(event_loop, Err(error)),
            Err(error) => open.state.messages.error(&error),
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(open) = &mut self.open else { return };
        match event {
            WindowEvent::CloseRequested => self.end(event_loop, Ok(())),
            WindowEvent::RedrawRequested => self.frame(event_loop),
            event => open.canvas.event(&open.gpu, &event),
        }
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        if self.context.progress.stop().requested() {
            return self.end(event_loop, Ok(()));
        }
        let now = Instant::now();
        let mut next = now + STOP_EVERY;
        let training = self.training.as_ref().is_some_and(Training::pending) || self.filming.is_some();
        if let Some(open) = &mut self.open {
            if training && open.canvas.due.is_none_or(|due| due > now + TRAINING_EVERY) {
                open.canvas.due = Some(now + TRAINING_EVERY);
            }
            let was_busy = open.picture.drawing();
            match open.picture.busy(&open.gpu) {
                Err(error) => return self.end(event_loop, Err(error)),
                Ok(true) => next = now + ASK_EVERY,
                // The finished picture may have to be drawn again, at full size or with more room.
                Ok(false) if was_busy => open.canvas.window.request_redraw(),
                Ok(false) => match open.canvas.due {
                    Some(due) if due <= now => open.canvas.window.request_redraw(),
                    Some(due) => next = next.min(due),
                    None => {}
                },
            }
        }
        event_loop.set_control_flow(ControlFlow::WaitUntil(next));
    }
}
