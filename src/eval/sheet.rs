//! The picture sheet: sections of pictures in columns, with a title above each column and captions below the pictures.

use super::text::{LINE, Text};
use crate::capture::Image;
use crate::error::Result;

const GAP: u32 = 4;
const PAPER: [f32; 3] = [0.07, 0.075, 0.09];
const INK: [f32; 3] = [0.88, 0.87, 0.84];
/// Height of a line of text with the space around it.
const CAPTION: u32 = LINE + 2 * GAP;

/// A place of the sheet.
#[derive(Clone, Copy, Default)]
pub struct Cell<'a> {
    /// What stands there; nothing where `None`.
    pub picture: Option<&'a Image>,
    /// Stands below the picture, and below those to the right of it that have none.
    pub caption: &'a str,
}

impl<'a> Cell<'a> {
    /// The cells of `pictures` beside each other, with one caption below.
    pub fn row(caption: &'a str, pictures: &[Option<&'a Image>]) -> Vec<Self> {
        let captions = std::iter::once(caption).chain(std::iter::repeat(""));
        pictures.iter().zip(captions).map(|(picture, caption)| Self { picture: *picture, caption }).collect()
    }
}

/// Rows of pictures under titles of their own.
pub struct Section<'a> {
    /// One for each column.
    pub titles: Vec<&'a str>,
    /// The cells of each row.
    pub rows: Vec<Vec<Cell<'a>>>,
}

/// Lays out `sections` below each other. Cells take the size of the largest picture; smaller pictures keep their pixels and
/// are centered. Cells beyond the titles of their section are left out.
///
/// # Errors
/// None that a user could cause.
pub fn sheet(sections: &[Section]) -> Result<Image> {
    let text = Text::new()?;
    let cells = || sections.iter().flat_map(|section| &section.rows).flatten();
    let pictures = || cells().filter_map(|cell| cell.picture);
    let (width, height) = (pictures().map(|p| p.width).max(), pictures().map(|p| p.height).max());
    let (width, height) = (width.unwrap_or(160), height.unwrap_or(120));
    let columns = sections.iter().map(|section| section.titles.len()).max().unwrap_or_default() as u32;
    let rows: u32 = sections.iter().map(|section| CAPTION + section.rows.len() as u32 * (height + CAPTION)).sum();
    let mut out = Image::new(GAP + (width + GAP) * columns, rows.max(1));
    out.pixels.fill(PAPER);
    let left = |column: usize| GAP + (width + GAP) * column as u32;
    let mut top = 0;
    for section in sections {
        for (column, title) in section.titles.iter().enumerate() {
            text.write(&mut out, title, [left(column), top + GAP], width, INK);
        }
        top += CAPTION;
        for row in &section.rows {
            let row = &row[..row.len().min(section.titles.len())];
            for (column, cell) in row.iter().enumerate() {
                if let Some(picture) = cell.picture {
                    let (dx, dy) = ((width - picture.width) / 2, (height - picture.height) / 2);
                    paste(&mut out, picture, left(column) + dx, top + dy);
                }
                let free = row[column + 1..].iter().take_while(|cell| cell.caption.is_empty()).count();
                let room = left(column + free) + width - left(column);
                text.write(&mut out, cell.caption, [left(column), top + height + GAP], room, INK);
            }
            top += height + CAPTION;
        }
    }
    Ok(out)
}

fn paste(out: &mut Image, picture: &Image, x: u32, y: u32) {
    let rows = out.pixels.chunks_mut(out.width.max(1) as usize).skip(y as usize);
    for (row, source) in rows.zip(picture.pixels.chunks(picture.width.max(1) as usize)) {
        row.iter_mut().skip(x as usize).zip(source).for_each(|(pixel, value)| *pixel = *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, value: f32) -> Image {
        Image { width, height, pixels: vec![[value; 3]; (width * height) as usize] }
    }

    #[test]
    fn pictures_stand_under_their_titles() {
        let (big, small) = (plain(40, 30, 0.9), plain(20, 10, 0.4));
        let cell = |picture, caption| Cell { picture, caption };
        let sections = [
            Section { titles: vec!["A", "B"], rows: vec![vec![cell(Some(&big), "0001"), cell(None, "")]] },
            Section { titles: vec!["C"], rows: vec![vec![cell(Some(&small), ""), cell(Some(&big), "left out")]] },
        ];
        let out = sheet(&sections).unwrap();
        assert_eq!((out.width, out.height), (4 + 2 * 44, 2 * (CAPTION + 30 + CAPTION)));
        let count = |value: [f32; 3]| out.pixels.iter().filter(|p| **p == value).count();
        assert_eq!((count([0.9; 3]), count([0.4; 3])), (40 * 30, 20 * 10));
        assert_eq!(out.at(4, CAPTION), [0.9; 3]);
        assert_eq!(out.at(4 + 10, 2 * CAPTION + 30 + CAPTION + 10), [0.4; 3]);
        assert_eq!(out.at(48, CAPTION), PAPER);
        let is_ink = |y: u32| (0..out.width).any(|x| out.at(x, y)[0] > 0.6);
        assert!((0..CAPTION).any(is_ink) && (CAPTION + 30..2 * CAPTION + 30).any(is_ink));
    }

    #[test]
    fn nothing_at_all_is_still_a_picture() {
        let empty = sheet(&[]).unwrap();
        assert!(!empty.pixels.is_empty() && empty.pixels.len() == (empty.width * empty.height) as usize);
        let long = Section { titles: vec!["a title longer than its column can hold"], rows: vec![vec![]] };
        let long = sheet(&[long]).unwrap();
        assert_eq!(long.pixels.len(), (long.width * long.height) as usize);
    }
}
