//! Ridge regression of maps on inputs, from sums over pixels.

use naka_gs::least_squares::{cholesky, solve};
use std::array::from_fn;

/// What is added to the variance of every input, as a part of it.
const RIDGE: f64 = 1e-6;
/// Variance, as a part of the mean square, below which an input counts as constant.
const CONSTANT: f64 = 1e-12;

/// Sums over pixels of `N` inputs and `T` targets.
#[derive(Clone)]
pub struct Sums<const N: usize, const T: usize> {
    count: f64,
    inputs: [f64; N],
    targets: [f64; T],
    products: Products<N, T>,
}

/// Sums of products: of inputs with each other (the lower triangle), of each target with the inputs and with itself.
#[derive(Clone)]
pub struct Products<const N: usize, const T: usize> {
    inputs: [[f64; N]; N],
    cross: [[f64; N]; T],
    targets: [f64; T],
}

/// A factor for each input, for each target, and what is added.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<const N: usize, const T: usize> {
    /// Factors of the inputs.
    pub factors: [[f64; N]; T],
    /// The targets where all inputs are 0.
    pub offsets: [f64; T],
}

impl<const N: usize, const T: usize> Linear<N, T> {
    /// The targets at a pixel.
    pub fn apply(&self, inputs: &[f32; N]) -> [f64; T] {
        from_fn(|t| self.offsets[t] + dot(&self.factors[t], &inputs.map(f64::from)))
    }
}

impl<const N: usize, const T: usize> Default for Sums<N, T> {
    fn default() -> Self {
        Self { count: 0.0, inputs: [0.0; N], targets: [0.0; T], products: Products::default() }
    }
}

impl<const N: usize, const T: usize> Default for Products<N, T> {
    fn default() -> Self {
        Self { inputs: [[0.0; N]; N], cross: [[0.0; N]; T], targets: [0.0; T] }
    }
}

impl<const N: usize, const T: usize> Sums<N, T> {
    /// The sums of pixels with these inputs and targets.
    pub fn of<'a>(pixels: impl Iterator<Item = (&'a [f32; N], [f32; T])>) -> Self {
        let mut sums = Self::default();
        pixels.for_each(|(inputs, targets)| sums.add(inputs.map(f64::from), targets.map(f64::from)));
        sums
    }

    fn add(&mut self, inputs: [f64; N], targets: [f64; T]) {
        self.count += 1.0;
        for (i, input) in inputs.into_iter().enumerate() {
            self.inputs[i] += input;
            (0..=i).for_each(|j| self.products.inputs[i][j] += input * inputs[j]);
        }
        for (t, target) in targets.into_iter().enumerate() {
            self.targets[t] += target;
            self.products.targets[t] += target * target;
            (0..N).for_each(|i| self.products.cross[t][i] += target * inputs[i]);
        }
    }

    /// Adds the sums of other pixels.
    pub fn join(mut self, other: &Self) -> Self {
        self.count += other.count;
        join(&mut self.inputs, &other.inputs);
        join(&mut self.targets, &other.targets);
        self.products = self.products.join(&other.products);
        self
    }

    /// The products of differences from the means.
    pub fn centered(&self) -> Products<N, T> {
        let mut products = self.products.clone();
        for i in 0..N {
            // Rounding leaves something of constants.
            let least = CONSTANT * products.inputs[i][i];
            (0..=i).for_each(|j| products.inputs[i][j] -= self.inputs[i] * self.inputs[j] / self.count);
            if products.inputs[i][i] <= least {
                products.inputs[i][i] = 0.0;
            }
        }
        for t in 0..T {
            (0..N).for_each(|i| products.cross[t][i] -= self.targets[t] * self.inputs[i] / self.count);
            products.targets[t] = (products.targets[t] - self.targets[t].powi(2) / self.count).max(0.0);
        }
        products
    }

    /// The linear function of the inputs that `chosen` says yes to, with the least squares.
    pub fn fit(&self, chosen: impl Fn(usize) -> bool) -> Linear<N, T> {
        let factors = self.centered().fit(chosen);
        let offset = |t: usize| (self.targets[t] - dot(&factors[t], &self.inputs)) / self.count.max(1.0);
        Linear { offsets: from_fn(offset), factors }
    }
}

impl<const N: usize, const T: usize> Products<N, T> {
    /// Adds the products of other pixels.
    pub fn join(mut self, other: &Self) -> Self {
        self.inputs.iter_mut().zip(&other.inputs).for_each(|(to, from)| join(to, from));
        self.cross.iter_mut().zip(&other.cross).for_each(|(to, from)| join(to, from));
        join(&mut self.targets, &other.targets);
        self
    }

    /// The factors of the inputs that `chosen` says yes to; the others, and constants, get 0.
    pub fn fit(&self, chosen: impl Fn(usize) -> bool) -> [[f64; N]; T] {
        let scale: [f64; N] = from_fn(|i| {
            let square = self.inputs[i][i];
            if chosen(i) && square > 0.0 { square.sqrt().recip() } else { 0.0 }
        });
        let row = |i: usize| from_fn(|j| if i == j { 1.0 + RIDGE } else { scale[i] * scale[j] * self.inputs[i][j] });
        let Some(factor) = cholesky::<N>(from_fn(row)) else { return [[0.0; N]; T] };
        from_fn(|t| {
            let solved: [f64; N] = solve(&factor, from_fn(|i| scale[i] * self.cross[t][i]));
            from_fn(|i| scale[i] * solved[i])
        })
    }

    /// The squares of the targets `which` together, and what `factors` leave of them.
    pub fn squares(&self, factors: &[[f64; N]; T], which: std::ops::Range<usize>) -> [f64; 2] {
        let left = |t: usize| {
            let (factors, cross) = (&factors[t], &self.cross[t]);
            let symmetric = |i: usize, j: usize| self.inputs[i.max(j)][i.min(j)];
            let predicted: f64 = (0..N).map(|i| factors[i] * dot(&from_fn(|j| symmetric(i, j)), factors)).sum();
            self.targets[t] - 2.0 * dot(factors, cross) + predicted
        };
        [which.clone().map(|t| self.targets[t]).sum(), which.map(left).sum()]
    }
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn join(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
