//! The picture sheet: one row a view, one column a state of the picture, a line of text above each column.

use super::font::{CELL_HEIGHT, CELL_WIDTH, ink};
use crate::capture::Image;

const GAP: u32 = 4;
const PAPER: [f32; 3] = [0.07, 0.075, 0.09];
const EMPTY: [f32; 3] = [0.12, 0.125, 0.14];
const TEXT: [f32; 3] = [0.88, 0.87, 0.84];
/// Dots of a letter are squares of this many pixels.
const DOT: u32 = 2;
const CAPTION: u32 = CELL_HEIGHT as u32 * DOT + 2 * GAP;

/// A row of the sheet: the view's name and its pictures, `None` where there is none.
pub struct Row<'a> {
    pub label: &'a str,
    pub pictures: Vec<Option<&'a Image>>,
}

/// Lays out `rows` under the titles of the `columns`. Cells take the size of the largest picture; smaller pictures
/// keep their pixels and are centred, larger tables than the titles are cut to them. Cells without a picture stay grey.
pub fn sheet(columns: &[&str], rows: &[Row]) -> Image {
    let cells = || rows.iter().flat_map(|row| row.pictures.iter().take(columns.len()).flatten());
    let cell_width = cells().map(|p| p.width).max().unwrap_or(160);
    let cell_height = cells().map(|p| p.height).max().unwrap_or(120);
    let (step_x, step_y) = (cell_width + GAP, cell_height + CAPTION);
    let width = GAP + step_x * columns.len() as u32;
    let mut out = Image::new(width, CAPTION + step_y * rows.len() as u32);
    out.pixels.fill(PAPER);
    for (i, title) in columns.iter().enumerate() {
        write(&mut out, title, GAP + step_x * i as u32, GAP, cell_width);
    }
    for (j, row) in rows.iter().enumerate() {
        let y = CAPTION + step_y * j as u32;
        for i in 0..columns.len() {
            let x = GAP + step_x * i as u32;
            fill(&mut out, x, y, cell_width, cell_height, EMPTY);
            if let Some(picture) = row.pictures.get(i).copied().flatten() {
                let (dx, dy) = ((cell_width - picture.width) / 2, (cell_height - picture.height) / 2);
                paste(&mut out, picture, x + dx, y + dy);
            }
        }
        write(&mut out, row.label, GAP, y + cell_height + GAP, width - GAP);
    }
    out
}

/// Writes a line of text from its upper left corner, cut after `room` pixels.
fn write(out: &mut Image, text: &str, x: u32, y: u32, room: u32) {
    let cell = CELL_WIDTH as u32 * DOT;
    for (i, character) in text.chars().take((room / cell) as usize).enumerate() {
        for (column, row) in (0..CELL_WIDTH).flat_map(|c| (0..CELL_HEIGHT).map(move |r| (c, r))) {
            if ink(character, column, row) {
                fill(out, x + i as u32 * cell + column as u32 * DOT, y + row as u32 * DOT, DOT, DOT, TEXT);
            }
        }
    }
}

fn fill(out: &mut Image, x: u32, y: u32, width: u32, height: u32, color: [f32; 3]) {
    for row in out.pixels.chunks_mut(out.width.max(1) as usize).skip(y as usize).take(height as usize) {
        row.iter_mut().skip(x as usize).take(width as usize).for_each(|pixel| *pixel = color);
    }
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
        let rows = [
            Row { label: "0001", pictures: vec![Some(&big), None] },
            Row { label: "0002", pictures: vec![None, Some(&small)] },
        ];
        let out = sheet(&["A", "B"], &rows);
        assert_eq!((out.width, out.height), (4 + 2 * 44, CAPTION + 2 * (30 + CAPTION)));
        let count = |value: [f32; 3]| out.pixels.iter().filter(|p| **p == value).count();
        assert_eq!((count([0.9; 3]), count([0.4; 3])), (40 * 30, 20 * 10));
        assert_eq!(out.at(4, CAPTION), [0.9; 3]);
        assert_eq!(out.at(48 + 10, CAPTION + 30 + CAPTION + 10), [0.4; 3]);
        assert_eq!(out.at(48, CAPTION), EMPTY);
        assert!(count(TEXT) > 40);
    }

    #[test]
    fn nothing_at_all_is_still_a_picture() {
        let out = sheet(&[], &[]);
        assert_eq!(out.pixels.len(), (out.width * out.height) as usize);
        let long = sheet(&["a title longer than its column can hold"], &[Row { label: "", pictures: vec![] }]);
        assert_eq!(long.pixels.len(), (long.width * long.height) as usize);
    }
}
