//! Choice among kernel variants: their results are equal but for rounding, and their speeds differ by adapter.
//!
//! An explicit choice takes precedence over what was measured on this machine ([`remember_variants_in`]), and that over the
//! default for the kind of adapter.

use super::Capabilities;
use crate::error::{Error, Result};
use crate::hash::hex;
use crate::sync::lock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

/// Pixels of a tile that a thread of the raster kernels owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RasterBy {
    /// Four in a row: many threads.
    Wide,
    /// A block of 4 × 4: for subgroups of eight lanes on adapters that pay for loads, exchanges and additions by the
    /// instruction, and have few threads to keep busy.
    Tall,
}

/// The algorithm for large sorts. Small ones need no prefix sum and use [`SortBy::Columns`] on every adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// In blocks, six bits a pass; every thread counts its keys in a column of its own.
    Columns,
    /// In blocks, eight bits a pass; subgroups rank their keys by ballots.
    Ballots,
    /// In few long runs, ten bits a pass: for few cores.
    Lanes,
}

impl RasterBy {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Wide, Self::Tall];

    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Tall => "tall",
        }
    }

    /// Whether an adapter can run it.
    pub fn runs_on(self, info: &wgpu::AdapterInfo, capabilities: Capabilities) -> bool {
        self == Self::Wide || (capabilities.subgroups && info.subgroup_max_size == 8)
    }
}

impl SortBy {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Columns, Self::Ballots, Self::Lanes];

    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Ballots => "ballots",
            Self::Lanes => "lanes",
        }
    }

    /// Whether a device with `capabilities` can run it.
    pub fn runs_with(self, capabilities: Capabilities) -> bool {
        self != Self::Ballots || capabilities.subgroups
    }
}

/// What a device runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variants {
    /// Forward and backward raster kernels, and the loss.
    pub raster: RasterBy,
    /// The sorts of many pairs.
    pub sort: SortBy,
}

impl std::fmt::Display for Variants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "raster={}, sort={}", self.raster.name(), self.sort.name())
    }
}

/// The explicitly wanted variants; the rest is chosen. As text `raster=wide,sort=ballots`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One of the raster kernels.
    pub raster: Option<RasterBy>,
    /// One of the sorts.
    pub sort: Option<SortBy>,
}

impl From<Variants> for Wanted {
    fn from(Variants { raster, sort }: Variants) -> Self {
        Self { raster: Some(raster), sort: Some(sort) }
    }
}

impl FromStr for Wanted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut wanted = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (what, name) = part.split_once('=').unwrap_or((part, ""));
            let raster = RasterBy::ALL.into_iter().find(|by| what == "raster" && by.name() == name);
            let sort = SortBy::ALL.into_iter().find(|by| what == "sort" && by.name() == name);
            if raster.is_none() && sort.is_none() {
                let remedy = "use raster=wide or tall, sort=columns, ballots or lanes, separated by commas";
                return Err(Error::setting("variants", format!("unknown variant '{part}'"), remedy));
            }
            wanted = Self { raster: raster.or(wanted.raster), sort: sort.or(wanted.sort) };
        }
        Ok(wanted)
    }
}

/// The folder of the choices that were measured on this machine.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Lets devices run what [`record`] describes in `folder` (which need not exist). It holds for the whole process.
pub fn remember_variants_in(folder: &Path) {
    *lock(&FOLDER) = Some(folder.to_path_buf());
}

/// The recorded result of a measurement on an adapter.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    driver: String,
    variants: Variants,
}

/// The file that holds which variants are the fastest with `driver` ([`super::Gpu::driver`]), and its content; nothing where
/// no folder is known.
pub fn record(driver: &str, variants: Variants) -> Option<(PathBuf, String)> {
    let path = file(driver)?;
    let content = serde_json::to_string_pretty(&Record { driver: driver.into(), variants }).ok()?;
    Some((path, content + "\n"))
}

fn file(driver: &str) -> Option<PathBuf> {
    let folder = lock(&FOLDER).clone()?;
    Some(folder.join(format!("{}.variants.json", &hex(Sha256::digest(driver))[..16])))
}

/// The record of `driver`; an invalid or unreadable file counts as absent.
fn recorded(driver: &str) -> Option<Variants> {
    let record: Record = serde_json::from_slice(&std::fs::read(file(driver)?).ok()?).ok()?;
    (record.driver == driver).then_some(record.variants)
}

/// Chooses the variants for an adapter.
///
/// # Errors
/// [`Error::Setting`] where it cannot run what is asked for.
pub(super) fn choose(
    info: &wgpu::AdapterInfo,
    capabilities: Capabilities,
    driver: &str,
    wanted: &Wanted,
) -> Result<Variants> {
    let cannot = |what: &str| {
        let remedy = "leave it out, or choose another adapter";
        Err(Error::setting("variants", format!("{} with {capabilities:?} cannot run {what}", info.name), remedy))
    };
    let recorded = recorded(driver);
    let raster = match wanted.raster {
        Some(by) if !by.runs_on(info, capabilities) => return cannot(&format!("raster={}", by.name())),
        Some(by) => by,
        None => {
            let suits = if RasterBy::Tall.runs_on(info, capabilities) { RasterBy::Tall } else { RasterBy::Wide };
            recorded.map(|r| r.raster).filter(|by| by.runs_on(info, capabilities)).unwrap_or(suits)
        }
    };
    let sort = match wanted.sort {
        Some(by) if !by.runs_with(capabilities) => return cannot(&format!("sort={}", by.name())),
        Some(by) => by,
        None => {
            let suits = match (RasterBy::Tall.runs_on(info, capabilities), capabilities.subgroups) {
                (true, _) => SortBy::Lanes,
                (false, true) => SortBy::Ballots,
                (false, false) => SortBy::Columns,
            };
            recorded.map(|r| r.sort).filter(|by| by.runs_with(capabilities)).unwrap_or(suits)
        }
    };
    Ok(Variants { raster, sort })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Gpu, Mask};

    #[test]
    fn text_names_variants() {
        let wanted: Wanted = "raster=wide, sort=lanes".parse().unwrap();
        assert_eq!(wanted, Wanted { raster: Some(RasterBy::Wide), sort: Some(SortBy::Lanes) });
        assert_eq!("".parse::<Wanted>().unwrap(), Wanted::default());
        for wrong in ["sort", "sort=", "sort=wide", "raster=lanes", "tall"] {
            let message = wrong.parse::<Wanted>().unwrap_err().to_string();
            assert!(message.contains(wrong) && message.contains("sort=columns"), "{message}");
        }
    }

    #[test]
    fn what_is_asked_for_comes_before_what_was_measured() {
        let gpu = Gpu::open_with(&Choice::Best, Mask::default(), &Wanted::default()).unwrap();
        let (info, capabilities) = (gpu.info(), gpu.capabilities());
        let dir = tempfile::tempdir().unwrap();
        remember_variants_in(dir.path());
        // A driver of its own: other tests open adapters meanwhile.
        let driver = "driver of this test";
        let suits = choose(info, capabilities, driver, &Wanted::default()).unwrap();
        let measured = Variants { raster: RasterBy::Wide, sort: SortBy::Columns };
        let (path, content) = record(driver, measured).unwrap();
        std::fs::write(&path, content).unwrap();
        assert_eq!(choose(info, capabilities, driver, &Wanted::default()).unwrap(), measured);
        let asked = Wanted { sort: Some(SortBy::Lanes), ..Wanted::default() };
        assert_eq!(choose(info, capabilities, driver, &asked).unwrap(), Variants { sort: SortBy::Lanes, ..measured });
        assert_eq!(choose(info, capabilities, "another driver", &Wanted::default()).unwrap(), suits);
        // What an adapter cannot run is refused where it was asked for, and passed over on record.
        let none = Capabilities { subgroups: false, ..capabilities };
        let (path, content) = record(driver, Variants { raster: RasterBy::Tall, sort: SortBy::Ballots }).unwrap();
        std::fs::write(&path, content).unwrap();
        assert_eq!(choose(info, none, driver, &Wanted::default()).unwrap(), measured);
        let refused = Wanted { sort: Some(SortBy::Ballots), ..Wanted::default() };
        let message = choose(info, none, driver, &refused).unwrap_err().to_string();
        assert!(message.contains("sort=ballots") && message.contains(gpu.name()), "{message}");
        std::fs::write(path, "{").unwrap();
        assert_eq!(choose(info, capabilities, driver, &Wanted::default()).unwrap(), suits);
    }
}
