//! Coordinate frames of files. [`Splats`] use that of the PLY layout: x right, y down, z forward ("RDF"). A file whose axes
//! point elsewhere along the same lines differs by signs, which are the same for reading and for writing.

use super::Splats;

/// Signs that take x, y, z of a file to those of the PLY layout, and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes([f32; 3]);

/// What [`Axes`] do to each part of a splat.
pub struct Signs {
    pub position: [f32; 3],
    /// Of w, x, y, z.
    pub rotation: [f32; 4],
    pub harmonics: [f32; 16],
}

impl Axes {
    /// Right, down, forward: the PLY layout.
    pub const RDF: Self = Self([1.0; 3]);
    /// Right, up, back: SPZ.
    pub const RUB: Self = Self([1.0, -1.0, -1.0]);

    /// Axes that point right, down and forward where a sign is positive, left, up and back where it is not.
    pub fn of_signs(signs: [f32; 3]) -> Self {
        Self(signs)
    }

    pub fn signs(self) -> Signs {
        let Self([x, y, z]) = self;
        Signs {
            position: [x, y, z],
            // A rotation axis is a pseudovector: mirroring x turns about y and z the other way.
            rotation: [1.0, y * z, x * z, x * y],
            // The polynomials of the harmonics: y z x, xy yz z² xz x², y xyz y z x z x.
            harmonics: [1.0, y, z, x, x * y, y * z, 1.0, x * z, 1.0, y, x * y * z, y, z, x, z, x],
        }
    }

    /// Turns splats in these axes into the frame of the PLY layout.
    pub fn to_ply(self, splats: &mut Splats) {
        if self == Self::RDF {
            return;
        }
        let Signs { position, rotation, harmonics } = self.signs();
        splats.means.iter_mut().flat_map(|v| v.iter_mut().zip(position)).for_each(|(v, sign)| *v *= sign);
        splats.quats.iter_mut().flat_map(|v| v.iter_mut().zip(rotation)).for_each(|(v, sign)| *v *= sign);
        let harmonics = harmonics.map(|sign| [sign; 3]);
        let width = 3 * Splats::coefficients(splats.sh_degree);
        let rows = splats.sh.chunks_exact_mut(width);
        rows.flat_map(|row| row.iter_mut().zip(harmonics.as_flattened())).for_each(|(v, sign)| *v *= sign);
    }
}
