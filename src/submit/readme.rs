//! `readme.txt`, in the form that challenge servers of the NTIRE series ask for.

use super::run::FinishedRun;
use crate::pipeline::record::Stage;

/// The author's statements about a submission. The rest is taken from the runs' records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readme {
    /// Whether anything but the scene's own photographs was learned from.
    pub extra_data: Option<bool>,
    /// What the authors say of their method.
    pub description: Option<String>,
}

impl Readme {
    /// The text for `scenes`, each with the runs that its pictures come from. Averaged runs add up their times.
    pub fn text(&self, scenes: &[&[FinishedRun]]) -> String {
        let images: usize = scenes.iter().filter_map(|runs| runs.first()).map(|run| run.scene.test.len()).sum();
        let seconds: f64 = scenes
            .iter()
            .flat_map(|runs| runs.iter())
            .map(|run| run.seconds_per_image() * run.scene.test.len() as f64)
            .sum();
        let runs = || scenes.iter().flat_map(|runs| runs.iter());
        let cpu = runs().any(|run| run.record.adapter.as_deref().is_some_and(is_software));
        let extra = self.extra_data.unwrap_or_else(|| runs().any(learned_elsewhere));
        let description = self.description.clone().unwrap_or_else(|| description(scenes));
        format!(
            "runtime per image [s] : {:.3}\nCPU[1] / GPU[0] : {}\nExtra Data [1] / No Extra Data [0] : {}\n\
             Other description : {}\n",
            seconds / images.max(1) as f64,
            u8::from(cpu),
            u8::from(extra),
            description.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    }
}

/// Whether an adapter of this name computes on the CPU.
fn is_software(adapter: &str) -> bool {
    let name = adapter.to_lowercase();
    ["llvmpipe", "lavapipe", "swiftshader", "basic render driver"].iter().any(|word| name.contains(word))
}

/// The chroma network was trained on pictures that are not the scene's.
fn learned_elsewhere(run: &FinishedRun) -> bool {
    let network = run.record.stage(Stage::ENHANCE).and_then(|stage| stage.counts.get("network")?.as_str());
    network.is_some_and(|network| network != "none")
}

fn description(scenes: &[&[FinishedRun]]) -> String {
    let mut versions: Vec<&str> = scenes.iter().flat_map(|r| r.iter()).map(|run| run.record.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    let models = |runs: &&[FinishedRun]| runs.iter().map(FinishedRun::models).sum::<u64>();
    let averaged = scenes.iter().map(models).max().unwrap_or(1);
    let mean = if averaged > 1 { format!(", mean of up to {averaged} models a scene") } else { String::new() };
    format!("naka-gs {}: 3D Gaussian splatting of lit photographs, optimized per scene{mean}", versions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::is_software;

    #[test]
    fn software_adapters_are_known_by_name() {
        assert!(is_software("llvmpipe (LLVM 15.0.6, 256 bits)") && is_software("Microsoft Basic Render Driver"));
        assert!(!is_software("NVIDIA H100 80GB HBM3") && !is_software("AMD Radeon RX 7900 XTX (RADV NAVI31)"));
    }
}
