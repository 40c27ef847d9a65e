//! Names and shapes of the network's tensors, as PyTorch names them (NAKA-GS §3.2).

/// Channels of the input: dark, naka, their difference, and the three standardised.
const INPUTS: usize = 18;
/// Residual blocks of the three downward levels.
const RESIDUALS: [usize; 3] = [2, 2, 3];

/// Every tensor of the network with `base` channels at full resolution, in the order of its layers.
pub fn tensors(base: usize) -> Vec<(String, Vec<usize>)> {
    let mut list = List::default();
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
    list.0
}

#[derive(Default)]
struct List(Vec<(String, Vec<usize>)>);

impl List {
    fn add(&mut self, name: String, shape: &[usize]) {
        self.0.push((name, shape.to_vec()));
    }

    fn conv_act(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(format!("{name}.block.0.weight"), &[outputs, inputs, 3, 3]);
        self.add(format!("{name}.block.1.weight"), &[outputs]);
        self.add(format!("{name}.block.1.bias"), &[outputs]);
    }

    fn residual(&mut self, name: &str, channels: usize) {
        self.conv_act(&format!("{name}.conv1"), channels, channels);
        self.conv_act(&format!("{name}.conv2"), channels, channels);
    }

    /// `count` residual blocks from index `first` on, then squeeze and excitation.
    fn body(&mut self, name: &str, first: usize, count: usize, channels: usize) {
        for index in first..first + count {
            self.residual(&format!("{name}.{index}"), channels);
        }
        let (squeeze, hidden) = (format!("{name}.{}.fc", first + count), (channels / 8).max(8));
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
        let count = |base| tensors(base).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
        assert_eq!([count(8), count(32)], [344_236, 5_443_620]);
    }
}
