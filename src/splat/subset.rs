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

/// The same splats with bands up to `degree`, those that were not there being zero.
pub(crate) fn raise_bands(splats: Splats, degree: u32) -> Splats {
    if degree <= splats.sh_degree {
        return splats;
    }
    let [row, raised] = [splats.sh_degree, degree].map(|degree| 3 * Splats::coefficients(degree));
    let mut sh = vec![0.0; raised * splats.len()];
    sh.chunks_exact_mut(raised).zip(splats.sh.chunks_exact(row)).for_each(|(to, from)| to[..row].copy_from_slice(from));
    Splats { sh, sh_degree: degree, ..splats }
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
        let raised = raise_bands(flat.clone(), 3);
        assert_eq!((raised.sh.len(), raised.sh_degree, raised.sh[48 + 12..].iter().sum::<f32>()), (96, 3, 0.0));
        assert_eq!(with_bands(&raised, 1), flat);
    }
}
