//! Parts of a model.

use super::Splats;

/// The splats of these indices.
pub(crate) fn select(splats: &Splats, indices: &[usize]) -> Splats {
    let row = 3 * Splats::coefficients(splats.sh_degree);
    Splats {
        means: indices.iter().map(|i| splats.means[*i]).collect(),
        quats: indices.iter().map(|i| splats.quats[*i]).collect(),
        log_scales: indices.iter().map(|i| splats.log_scales[*i]).collect(),
        logit_opacities: indices.iter().map(|i| splats.logit_opacities[*i]).collect(),
        sh: indices.iter().flat_map(|i| &splats.sh[i * row..][..row]).copied().collect(),
        sh_degree: splats.sh_degree,
    }
}

/// The same splats without the bands above `degree`.
pub(crate) fn with_bands(splats: &Splats, degree: u32) -> Splats {
    if degree >= splats.sh_degree {
        return splats.clone();
    }
    let [row, kept] = [splats.sh_degree, degree].map(|degree| 3 * Splats::coefficients(degree));
    let sh = splats.sh.chunks_exact(row).flat_map(|sh| &sh[..kept]).copied().collect();
    Splats { sh, sh_degree: degree, ..splats.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splat::reference::{cloud, splats};

    #[test]
    fn rows_stay_together_and_low_bands_stay() {
        let all = splats(&cloud(5, 3));
        let part = select(&all, &[3, 1]);
        assert_eq!((part.means[0], part.logit_opacities[1]), (all.means[3], all.logit_opacities[1]));
        assert_eq!(part.sh[..48], all.sh[3 * 48..4 * 48]);
        let flat = with_bands(&part, 1);
        assert_eq!((flat.sh.len(), flat.sh_degree), (24, 1));
        assert_eq!(flat.sh[12..], part.sh[48..60]);
        assert_eq!(with_bands(&part, 3), part);
    }
}
