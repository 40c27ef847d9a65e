//! Local correction: the chroma network on the views of a capture, at its working size.

use super::balance::Balance;
use super::camera::BUILT_IN as BUILT_IN_CAMERAS;
use super::config::Config;
use super::network::{Maps, Network, Statistics};
use super::weights::Weights;
use crate::capture::{Image, resize_area};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::hash::hex;
use crate::sync::lock;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

static MODELS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/enhance/models");
/// The network that comes with the program.
const BUILT_IN: &str = "chroma.safetensors";
/// The metadata key of a weights file that states what the overall colors must match: `response`, or nothing.
const BALANCE: &str = "balance";
/// Most views whose pixels the statistics of a capture are measured on …
pub const SAMPLED: usize = 12;
/// … and their longest side where the network works at full size.
const SAMPLED_SIDE: u32 = 448;

/// The network on one capture.
pub struct Correction<'g> {
    /// One pass at a time: two would need twice the memory, and the device runs them one after the other anyway.
    network: Mutex<Network<'g>>,
    name: String,
    /// Longest side at which maps are predicted; 0: that of the image.
    working: u32,
    /// What all views share.
    statistics: Option<Statistics>,
    sampled: usize,
    /// Whether the overall colors must match the response, as the weights ask, and the balance that all views share.
    balanced: bool,
    balance: Option<Balance>,
    /// Maps that measuring the balance has made already, by the view's name.
    made: BTreeMap<String, Maps>,
    spent: Mutex<(Duration, u32)>,
}

fn built_in() -> Option<&'static [u8]> {
    MODELS.get_file(BUILT_IN).map(|file| file.contents())
}

/// The network that comes with the program, if one does.
///
/// # Errors
/// Those of [`Weights::from_bytes`].
pub fn built_in_weights() -> Result<Option<Weights>> {
    built_in().map(|bytes| Weights::from_bytes(BUILT_IN, bytes)).transpose()
}

/// SHA-256 (hex) of the built-in network and cameras: results of other ones have to be made again.
pub fn built_in_hash() -> String {
    let mut hash = Sha256::new();
    hash.update(built_in().unwrap_or_default());
    BUILT_IN_CAMERAS.iter().for_each(|(_, text)| hash.update(text));
    hex(hash.finalize())
}

impl<'g> Correction<'g> {
    /// The network that `config` asks for; none for `none`, and for `auto` unless `suitable` and one is built in.
    ///
    /// # Errors
    /// Those of [`Weights::read`] and [`Network::new`].
    pub fn open(gpu: &'g Gpu, config: &Config, suitable: bool) -> Result<Option<Self>> {
        let weights = match config.weights.as_str() {
            "none" => None,
            "auto" if suitable => built_in_weights()?,
            "auto" => None,
            path => Some(Weights::read(path)?),
        };
        let Some(weights) = weights else { return Ok(None) };
        let working = match config.working {
            0 => own_working_size(&weights)?,
            size => size,
        };
        let name = if config.weights == "auto" { "built in".into() } else { weights.name.clone() };
        let balanced = weights.metadata.get(BALANCE).is_some_and(|value| value == "response");
        let network = Mutex::new(Network::new(gpu, &weights)?);
        let (statistics, balance) = (None, None);
        let (made, spent) = (BTreeMap::new(), Mutex::default());
        Ok(Some(Self { network, name, working, statistics, sampled: 0, balanced, balance, made, spent }))
    }

    /// `dark` at the size at which the capture's statistics are measured.
    pub fn sampled(&self, dark: &Image) -> Image {
        let size = shrunk_size(dark, if self.working == 0 { SAMPLED_SIDE } else { self.working });
        resize_area(dark, size.0, size.1)
    }

    /// Measures the statistics and the balance that all views will share on `views`: names, dark images
    /// ([`Correction::sampled`]) and their responses.
    pub fn measure(&mut self, views: &[(&str, Image, Image)]) -> Result<()> {
        let pairs: Vec<_> = views.iter().map(|(_, dark, uncorrected)| (dark, uncorrected)).collect();
        self.statistics = Some(lock(&self.network).statistics(&pairs)?);
        self.sampled = views.len();
        if !self.balanced {
            return Ok(());
        }
        let mut lit = Vec::with_capacity(views.len());
        for (name, dark, uncorrected) in views {
            let maps = self.timed(|network| network.maps(dark, uncorrected, self.statistics.as_ref()))?;
            lit.push(lock(&self.network).apply(&maps, uncorrected)?);
            self.made.insert((*name).to_string(), maps);
        }
        self.balance = Some(Balance::between(&views.iter().map(|view| &view.2).zip(&lit).collect::<Vec<_>>()));
        Ok(())
    }

    /// The maps of the view `name`, predicted at the working size from its dark image and its `response`; of an image
    /// that is not larger the response is `uncorrected`.
    pub fn maps(
        &self,
        name: &str,
        dark: &Image,
        uncorrected: &Image,
        response: impl Fn(&Image) -> Result<Image>,
    ) -> Result<Maps> {
        let statistics = self.statistics.as_ref();
        let size = shrunk_size(dark, self.working);
        if let Some(maps) = self.made.get(name).filter(|maps| (maps.width, maps.height) == size) {
            return Ok(maps.clone());
        }
        if size == (uncorrected.width, uncorrected.height) {
            return self.timed(|network| network.maps(dark, uncorrected, statistics));
        }
        let small = resize_area(dark, size.0, size.1);
        let uncorrected = response(&small)?;
        self.timed(|network| network.maps(&small, &uncorrected, statistics))
    }

    /// The lit image.
    pub fn apply(&self, maps: &Maps, uncorrected: &Image) -> Result<Image> {
        let lit = lock(&self.network).apply(maps, uncorrected)?;
        Ok(match &self.balance {
            Some(balance) => balance.apply(lit),
            None if self.balanced => Balance::between(&[(uncorrected, &lit)]).apply(lit),
            None => lit,
        })
    }

    /// The network in a few words.
    pub fn describe(&self) -> String {
        let size = match self.working {
            0 => "at full size".into(),
            size => format!("at most {size} pixels a side"),
        };
        match self.sampled {
            0 => format!("{} ({size}, statistics of each view)", self.name),
            views => format!("{} ({size}, statistics of {views} views)", self.name),
        }
    }

    /// Milliseconds that the maps of a view took, on average.
    pub fn milliseconds(&self) -> f64 {
        let (total, count) = *lock(&self.spent);
        total.as_secs_f64() * 1e3 / f64::from(count.max(1))
    }

    fn timed(&self, work: impl FnOnce(&Network<'g>) -> Result<Maps>) -> Result<Maps> {
        let network = lock(&self.network);
        let start = Instant::now();
        let maps = work(&network);
        let mut spent = lock(&self.spent);
        *spent = (spent.0 + start.elapsed(), spent.1 + 1);
        maps
    }
}

/// The longest side that a file of weights was trained for; 0 where it does not say.
fn own_working_size(weights: &Weights) -> Result<u32> {
    let Some(text) = weights.metadata.get("working") else { return Ok(0) };
    text.parse().map_err(|_| {
        Error::input(&weights.name, format!("working size '{text}'"), "set it, such as `enhance.working = 448`")
    })
}

/// The size of `image` with a longest side of at most `side` (0: its own).
fn shrunk_size(image: &Image, side: u32) -> (u32, u32) {
    let longest = image.width.max(image.height);
    if side == 0 || longest <= side {
        return (image.width, image.height);
    }
    let scaled = |n: u32| ((f64::from(n) * f64::from(side) / f64::from(longest)).round() as u32).max(1);
    (scaled(image.width), scaled(image.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_side_is_the_working_size_and_small_images_stay() {
        let size = |width, height, side| shrunk_size(&Image::new(width, height), side);
        assert_eq!(size(1764, 1172, 448), (448, 298));
        assert_eq!(size(1764, 1172, 0), (1764, 1172));
        assert_eq!(size(1764, 1172, 1764), (1764, 1172));
        assert_eq!(size(1, 900, 448), (1, 448));
    }

    #[test]
    fn a_working_size_that_is_no_number_is_named() {
        let mut weights = Weights { name: "w.safetensors".into(), ..Weights::default() };
        assert_eq!(own_working_size(&weights).unwrap(), 0);
        weights.metadata.insert("working".into(), "448".into());
        assert_eq!(own_working_size(&weights).unwrap(), 448);
        weights.metadata.insert("working".into(), "many".into());
        assert!(own_working_size(&weights).unwrap_err().to_string().contains("w.safetensors"));
    }
}
