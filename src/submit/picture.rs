//! Requirements on pictures of a submission: intact, of the frame's size, and not black.

use crate::capture::{Image, decode_image, encoded_size};
use crate::error::{Error, Result};
use std::path::Path;

/// A picture without any value above this is black: a JPEG of black has ringing of a level or two at most.
const BLACK: f32 = 3.5 / 255.0;

/// Decodes `bytes`, the content of `path`, clipped to 0–1: the picture as a server sees it, before its rounding.
///
/// # Errors
/// [`Error::Input`] for a picture that is not JPEG, does not decode, is not of `size` (width, height), or is black.
pub fn decode(path: &Path, bytes: &[u8], size: [u32; 2]) -> Result<Image> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(Error::input(path, "is not a JPEG file", "a submission holds JPEG files"));
    }
    // Before it is decoded: a picture of another size may take any memory.
    let (width, height) = encoded_size(path, bytes)?;
    if [width, height] != size {
        let found = format!("has {width}x{height} pixels, its test frame {}x{}", size[0], size[1]);
        return Err(Error::input(path, found, "render it again at the frame's own size"));
    }
    let mut image = decode_image(path, bytes)?;
    if image.pixels.iter().flatten().all(|v| *v <= BLACK) {
        let found = "is black";
        return Err(Error::input(path, found, "look at the run: did it train, and does this pose see the scene?"));
    }
    image.pixels.iter_mut().flatten().for_each(|v| *v = v.clamp(0.0, 1.0));
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Sampling, encode_jpeg};

    fn plain(value: f32) -> Image {
        Image { width: 20, height: 12, pixels: vec![[value, value, 0.0]; 240] }
    }

    fn refused(image: &Image, size: [u32; 2]) -> String {
        let bytes = encode_jpeg(image, 95, Sampling::Half).unwrap();
        decode(Path::new("a.JPG"), &bytes, size).unwrap_err().to_string()
    }

    #[test]
    fn black_and_sizes() {
        assert!(refused(&plain(0.0), [20, 12]).contains("black"));
        assert!(refused(&plain(2.0 / 255.0), [20, 12]).contains("black"));
        assert!(refused(&plain(0.5), [12, 20]).contains("20x12"));
        let mut lamp = plain(0.0);
        lamp.pixels[100..108].fill([0.4; 3]);
        let bytes = encode_jpeg(&lamp, 95, Sampling::Half).unwrap();
        assert!(decode(Path::new("a.JPG"), &bytes, [20, 12]).is_ok());
        assert!(decode(Path::new("a.JPG"), &bytes[..bytes.len() / 2], [20, 12]).is_err());
        assert!(decode(Path::new("a.JPG"), b"\x89PNG", [20, 12]).unwrap_err().to_string().contains("JPEG"));
    }
}
