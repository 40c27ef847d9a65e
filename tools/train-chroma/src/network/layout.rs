//! Names and shapes of the network's tensors, as PyTorch names them (NAKA-GS §3.2).

use crate::parameters::Parameters;
use std::collections::BTreeSet;

/// Channels of the input: dark, naka, their difference, and the three standardized.
pub const INPUTS: usize = 18;
/// Residual blocks of the three downward levels.
const RESIDUALS: [usize; 3] = [2, 2, 3];

/// How many channels are inside of the block of that name, which has as many channels as the second argument says.
pub type Inner<'a> = &'a dyn Fn(&str, usize) -> usize;

/// Every tensor of the network with `base` channels at full resolution, in the order of its layers. `inner` tells the
/// width of residual blocks between their convolutions and of the hidden layer of squeeze and excitation; the published
/// network takes the width it is given.
pub fn tensors(base: usize, inner: Inner<'_>) -> Vec<(String, Vec<usize>)> {
    let mut list = List { tensors: Vec::new(), inner };
    let width = [base, base, 2 * base, 4 * base, 8 * base];
    list.conv_act("stem", INPUTS, width[0]);
    for level in 1..=3 {
        let (name, residuals) = (format!("down{level}"), RESIDUALS[level - 1]);
        list.conv_act(&format!("{name}.block.0"), width[level - 1], width[level]);
        list.body(&format!("{name}.block"), 1, residuals, width[level]);
        list.conv_act(&format!("{name}.down"), width[level], width[level]);
    }
    list.conv_act("bottleneck.0", width[3], width[4]);
    list.body("bottleneck", 1, 2, width[4]);
    for level in (1..=3).rev() {
        let name = format!("up{level}");
        list.conv_act(&format!("{name}.reduce"), width[level + 1] + width[level], width[level]);
        list.body(&format!("{name}.block"), 0, 2, width[level]);
    }
    list.conv_act("fuse.0", base, base);
    list.residual("fuse.1", base);
    for (head, channels) in [("mul_head", 1), ("add_head", 3)] {
        list.add(format!("{head}.weight"), &[channels, base, 3, 3]);
        list.add(format!("{head}.bias"), &[channels]);
    }
    list.tensors
}

/// What is wrong with `parameters` as weights of the network, whatever its widths: nothing, or a line for each tensor.
pub fn problems(parameters: &Parameters) -> Vec<String> {
    let rows = |name: &str| parameters.0.get(name).and_then(|array| array.shape.first().copied());
    let Some(base) = rows("fuse.0.block.0.weight") else {
        return vec!["fuse.0.block.0.weight is missing".into()];
    };
    let first = |name: &str| {
        if name.ends_with(".fc") { format!("{name}.0.bias") } else { format!("{name}.conv1.block.1.bias") }
    };
    let expected = tensors(base, &|name, width| rows(&first(name)).unwrap_or(width));
    let mut problems: Vec<String> = expected
        .iter()
        .filter_map(|(name, shape)| match parameters.0.get(name) {
            None => Some(format!("{name} is missing")),
            Some(array) if array.shape != *shape => Some(format!("{name} is {:?}, not {shape:?}", array.shape)),
            Some(_) => None,
        })
        .collect();
    let known: BTreeSet<&String> = expected.iter().map(|(name, _)| name).collect();
    problems.extend(parameters.0.keys().filter(|name| !known.contains(name)).map(|name| format!("{name} is unknown")));
    problems
}

struct List<'a> {
    tensors: Vec<(String, Vec<usize>)>,
    inner: Inner<'a>,
}

impl List<'_> {
    fn add(&mut self, name: String, shape: &[usize]) {
        self.tensors.push((name, shape.to_vec()));
    }

    fn conv_act(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(format!("{name}.block.0.weight"), &[outputs, inputs, 3, 3]);
        self.add(format!("{name}.block.1.weight"), &[outputs]);
        self.add(format!("{name}.block.1.bias"), &[outputs]);
    }

    fn residual(&mut self, name: &str, channels: usize) {
        let inner = (self.inner)(name, channels);
        self.conv_act(&format!("{name}.conv1"), channels, inner);
        self.conv_act(&format!("{name}.conv2"), inner, channels);
    }

    /// `count` residual blocks from index `first` on, then squeeze and excitation.
    fn body(&mut self, name: &str, first: usize, count: usize, channels: usize) {
        for index in first..first + count {
            self.residual(&format!("{name}.{index}"), channels);
        }
        let squeeze = format!("{name}.{}.fc", first + count);
        let hidden = (self.inner)(&squeeze, (channels / 8).max(8));
        self.add(format!("{squeeze}.0.weight"), &[hidden, channels, 1, 1]);
        self.add(format!("{squeeze}.0.bias"), &[hidden]);
        self.add(format!("{squeeze}.2.weight"), &[channels, hidden, 1, 1]);
        self.add(format!("{squeeze}.2.bias"), &[channels]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_as_many_parameters_as_published() {
        let list = |base| tensors(base, &|_, width| width);
        let count = |base| list(base).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
        assert_eq!([count(8), count(32)], [344_236, 5_443_620]);
    }

    #[test]
    fn problems_name_the_tensor() {
        let whole = Parameters::initial(4, 0);
        assert!(problems(&whole).is_empty());
        let change = |name: &str, shape: &[usize]| {
            let mut parameters = whole.clone();
            parameters.0.remove(name);
            if !shape.is_empty() {
                parameters.insert(name, shape, vec![0.0; shape.iter().product()]);
            }
            problems(&parameters).join("; ")
        };
        assert_eq!(change("up1.reduce.block.1.bias", &[]), "up1.reduce.block.1.bias is missing");
        assert_eq!(change("add_head.bias", &[2]), "add_head.bias is [2], not [3]");
        assert_eq!(change("other", &[1]), "other is unknown");
    }
}
