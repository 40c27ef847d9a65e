//! Lines of text in pictures.

use crate::capture::Image;
use crate::error::{Error, Result};
use ab_glyph::{Font, FontRef, GlyphId, ScaleFont, point};
use epaint_default_fonts::UBUNTU_LIGHT;

/// Heights of a line that is written as it is and of the smallest one that a long text is shrunk to, in pixels.
pub const LINE: u32 = 20;
const SMALLEST: f32 = 11.0;
/// Marks the cut end of a text that is longer than its room.
const CUT: char = '…';

/// A font that knows Latin, Greek and Cyrillic letters; others show as `?`.
pub struct Text {
    font: FontRef<'static>,
}

impl Text {
    /// The built-in font.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn new() -> Result<Self> {
        let broken = |error| Error::CheckFailed(format!("the built-in font cannot be read ({error}): report this bug"));
        Ok(Self { font: FontRef::try_from_slice(UBUNTU_LIGHT).map_err(broken)? })
    }

    /// Writes `text` in `color` into `image`, its upper left corner at (`x`, `y`), within `room` pixels: smaller where it is
    /// long, and cut where even the smallest letters do not fit.
    pub fn write(&self, image: &mut Image, text: &str, [x, y]: [u32; 2], room: u32, color: [f32; 3]) {
        let room = room as f32;
        let whole: Vec<GlyphId> = text.chars().map(|character| self.glyph(character)).collect();
        let needed = self.width(&whole, LINE as f32);
        let size = if needed <= room { LINE as f32 } else { (LINE as f32 * room / needed).max(SMALLEST) };
        let glyphs = self.cut(whole, size, room);
        let scaled = self.font.as_scaled(size);
        let baseline = y as f32 + 0.5 * (LINE as f32 - scaled.height()) + scaled.ascent();
        let mut at = x as f32;
        for (index, id) in glyphs.iter().enumerate() {
            at += if index > 0 { scaled.kern(glyphs[index - 1], *id) } else { 0.0 };
            if let Some(outline) = self.font.outline_glyph(id.with_scale_and_position(size, point(at, baseline))) {
                let corner = outline.px_bounds().min;
                outline.draw(|column, row, coverage| {
                    let (x, y) = (corner.x as i64 + i64::from(column), corner.y as i64 + i64::from(row));
                    blend(image, x, y, coverage.clamp(0.0, 1.0), color);
                });
            }
            at += scaled.h_advance(*id);
        }
    }

    fn glyph(&self, character: char) -> GlyphId {
        let id = self.font.glyph_id(character);
        if id == GlyphId(0) { self.font.glyph_id('?') } else { id }
    }

    fn width(&self, glyphs: &[GlyphId], size: f32) -> f32 {
        let scaled = self.font.as_scaled(size);
        let kerns = glyphs.windows(2).map(|pair| scaled.kern(pair[0], pair[1])).sum::<f32>();
        glyphs.iter().map(|id| scaled.h_advance(*id)).sum::<f32>() + kerns
    }

    fn cut(&self, mut glyphs: Vec<GlyphId>, size: f32, room: f32) -> Vec<GlyphId> {
        // The rounding of the size must not cost a letter.
        if self.width(&glyphs, size) <= room + 0.5 {
            return glyphs;
        }
        let end = self.glyph(CUT);
        while !glyphs.is_empty() && self.width(&glyphs, size) + self.width(&[end], size) > room {
            glyphs.pop();
        }
        glyphs.push(end);
        glyphs
    }
}

fn blend(image: &mut Image, x: i64, y: i64, coverage: f32, color: [f32; 3]) {
    if (0..i64::from(image.width)).contains(&x) && (0..i64::from(image.height)).contains(&y) {
        let pixel = &mut image.pixels[y as usize * image.width as usize + x as usize];
        *pixel = std::array::from_fn(|c| pixel[c] + (color[c] - pixel[c]) * coverage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that have ink when `text` is written in white with `room` pixels.
    fn inked(text: &str, room: u32) -> Vec<u32> {
        let mut image = Image::new(400, LINE + 4);
        Text::new().unwrap().write(&mut image, text, [10, 2], room, [1.0; 3]);
        (0..400).filter(|x| (0..image.height).any(|y| image.at(*x, y)[0] > 0.3)).collect()
    }

    #[test]
    fn letters_have_ink_and_accents_are_not_question_marks() {
        assert!(inked("", 300).is_empty() && inked(" ", 300).is_empty());
        let draw = |text: &str| {
            let mut image = Image::new(20, LINE);
            Text::new().unwrap().write(&mut image, text, [2, 0], 20, [1.0; 3]);
            image.pixels
        };
        assert!(draw("é") != draw("?") && draw("é") != draw("e") && draw("ж") != draw("?"));
        assert!(draw("語") == draw("?"), "what the font does not have");
    }

    #[test]
    fn long_texts_are_shrunk_then_cut_and_never_leave_their_room() {
        let text = "a view with a rather long name.jpg";
        let (whole, shrunk, cut) = (inked(text, 390), inked(text, 200), inked(text, 80));
        assert!(whole.last() > Some(&220) && shrunk.last() > Some(&180) && shrunk.last() <= Some(&211));
        assert!(cut.first() >= Some(&10) && cut.last() <= Some(&91), "{cut:?}");
        // Beyond the picture nothing is drawn, and nothing fails.
        let mut small = Image::new(5, 5);
        Text::new().unwrap().write(&mut small, text, [2, 2], 100, [1.0; 3]);
    }
}
