use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Recorder};
use crate::splat::Tensors;
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    None,
    #[default]
    Default,
    Mcmc,
}
/// c
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// s
    pub strategy: Strategy,
}
#[derive(Debug, Default)]
pub struct Counts {
    pub before: usize,
    pub after: usize,
}
pub struct State<'a> {
    pub params: &'a mut Tensors,
    pub m: &'a mut Tensors,
    pub v: &'a mut Tensors,
}
pub struct Densifier;
impl Densifier {
    pub fn new(_gpu: &Gpu, _config: &Config) -> Result<Self> {
        Ok(Self)
    }
    pub fn due(&self, _step: u32) -> bool {
        false
    }
    pub fn reset_due(&self, _step: u32) -> bool {
        false
    }
    pub fn run(
        &mut self,
        _gpu: &Gpu,
        _state: State<'_>,
        _statistics: &Buffer<[f32; 2]>,
        _step: u32,
        _seed: u64,
        _scene_scale: f32,
    ) -> Result<Counts> {
        Ok(Counts::default())
    }
    pub fn record_reset(&self, _recorder: &mut Recorder, _params: &Tensors, _m: &Tensors, _v: &Tensors) {}
    pub fn record_noise(
        &self,
        _gpu: &Gpu,
        _recorder: &mut Recorder,
        _params: &Tensors,
        _lr_means: f32,
        _step: u32,
        _seed: u64,
    ) {
    }
    pub fn record_regularizers(
        &self,
        _gpu: &Gpu,
        _recorder: &mut Recorder,
        _params: &Tensors,
        _gradients: &Tensors,
        _opacity_weight: f32,
        _scale_weight: f32,
    ) {
    }
}
