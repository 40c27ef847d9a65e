//! The parts of a page that every report has: data, and the templates (`templates/`) that escape whatever comes from a
//! user or a file.

use crate::capture::{Image, resize_area};
use crate::error::{Error, Result};
use crate::eval::{Sampling, encode_jpeg};
use askama::Template;
use askama::filters::HtmlSafe;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Identifies pages of this program, which may be replaced.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"naka-gs\">";
/// Quality of embedded pictures: to look at, not to measure.
const QUALITY: u8 = 85;

/// A whole page. It may load nothing, from nowhere: all it shows is in it.
#[derive(Template)]
#[template(path = "document.html")]
pub struct Document<'a> {
    pub title: &'a str,
    /// Where the data is from, below the title.
    pub origin: &'a str,
    /// Named values, the large numbers on top.
    pub facts: Vec<(&'static str, String)>,
    pub sections: Vec<Section>,
    pub footer: &'a str,
}

impl Document<'_> {
    /// The page as HTML.
    ///
    /// # Errors
    /// None that a user can cause.
    pub fn html(&self) -> Result<String> {
        let page = self.render().map_err(|error| {
            Error::input("report.html", format!("cannot be put together ({error})"), "report this bug")
        })?;
        // Characters that no HTML document may hold.
        Ok(page.replace(|c: char| c.is_control() && !c.is_whitespace(), "\u{fffd}"))
    }
}

/// A part of a page with a heading; it is left out where it has no parts.
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub parts: Vec<Part>,
}

/// What stands in a section.
#[derive(Template)]
#[template(path = "part.html")]
pub enum Part {
    Table(Table),
    Charts(Vec<Chart>),
    Views {
        title: Option<&'static str>,
        views: Vec<ViewFigure>,
    },
    Paragraph(String),
    /// A line of links to files, by their relative paths.
    Links {
        title: &'static str,
        paths: Vec<String>,
    },
    /// A scene that failed, and why.
    Failure {
        scene: String,
        error: String,
    },
    /// A table that opens at a click.
    Details {
        summary: &'static str,
        table: Table,
    },
}

impl Part {
    /// A line of links; none where there are no files.
    pub fn links(title: &'static str, paths: Vec<String>) -> Option<Self> {
        (!paths.is_empty()).then_some(Self::Links { title, paths })
    }

    /// A group of views; none where there are none.
    pub fn views(title: Option<&'static str>, views: Vec<ViewFigure>) -> Option<Self> {
        (!views.is_empty()).then_some(Self::Views { title, views })
    }
}

/// A table; the first cell of each row is its heading.
#[derive(Template)]
#[template(path = "table.html")]
pub struct Table {
    caption: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// None where there are no rows.
    pub fn new(caption: &'static str, columns: &'static [&'static str], rows: Vec<Vec<Cell>>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self { caption, columns, rows })
    }
}

/// A cell of a [`Table`].
#[derive(Template)]
#[template(path = "cell.html")]
pub enum Cell {
    Text(String),
    /// A bar of this part (0–1) of the longest.
    Bar(f64),
    /// A link to a file, by its relative path.
    Link {
        path: String,
        text: String,
    },
}

impl Cell {
    /// A number with `digits` behind the point, or a dash.
    pub fn number(value: Option<f64>, digits: usize) -> Self {
        Self::Text(value.map_or("–".into(), |v| format!("{v:.digits$}")))
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// The pictures of one view on top of each other, two of which are seen at first, on both sides of a slider.
#[derive(Template)]
#[template(path = "view.html")]
pub struct ViewFigure {
    name: String,
    pictures: Vec<Picture>,
    /// What each side of the slider shows at first.
    sides: [(&'static str, usize); 2],
    numbers: String,
}

struct Picture {
    label: &'static str,
    /// The class of its element: the side of the slider that it is on, if any.
    class: &'static str,
    embedded: Embedded,
}

impl ViewFigure {
    /// The view `name` with those of `pictures` that exist, reduced to `side` pixels; `show` are the positions of the two
    /// that are seen first. None where no picture exists.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn new(
        name: &str,
        pictures: &[(&'static str, Option<Image>)],
        show: [usize; 2],
        side: u32,
        numbers: String,
    ) -> Result<Option<Self>> {
        let wanted = show.map(|i| pictures[i].0);
        let present: Vec<(&'static str, &Image)> =
            pictures.iter().filter_map(|(label, image)| Some((*label, image.as_ref()?))).collect();
        let Some(last) = present.len().checked_sub(1) else { return Ok(None) };
        let position = |label: &str| present.iter().position(|(other, _)| *other == label);
        let (left, right) = (position(wanted[0]).unwrap_or(0), position(wanted[1]).unwrap_or(last));
        let class = |i| match i {
            _ if i == right => "under",
            _ if i == left => "over",
            _ => "",
        };
        let picture = |(i, (label, image)): (usize, (&'static str, &Image))| -> Result<Picture> {
            Ok(Picture { label, class: class(i), embedded: Embedded::new(image, side)? })
        };
        let pictures = present.into_iter().enumerate().map(picture).collect::<Result<_>>()?;
        let sides = [("left", left), ("right", right)];
        Ok(Some(Self { name: name.into(), pictures, sides, numbers }))
    }
}

/// A picture inside the page.
struct Embedded {
    /// `data:image/jpeg;base64,…`
    uri: String,
    width: u32,
    height: u32,
}

impl Embedded {
    /// `image`, reduced until no side is longer than `side` pixels.
    fn new(image: &Image, side: u32) -> Result<Self> {
        let longest = image.width.max(image.height).max(1);
        let fit =
            |n: u32| ((u64::from(n) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest)).max(1) as u32;
        let small =
            if longest > side { resize_area(image, fit(image.width), fit(image.height)) } else { image.clone() };
        let bytes = encode_jpeg(&small, QUALITY, Sampling::Half)
            .map_err(|error| Error::input("report.html", format!("a picture for it: {error}"), "report this bug"))?;
        let uri = format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes));
        Ok(Self { uri, width: small.width, height: small.height })
    }
}

/// A curve as SVG; [`super::chart`] makes it.
#[derive(Template)]
#[template(path = "chart.html")]
pub struct Chart {
    pub name: String,
    pub x_name: &'static str,
    /// The curve in words, for screen readers.
    pub summary: String,
    /// Width and height of the drawing.
    pub size: [f64; 2],
    /// Left and right end of the grid.
    pub across: [f64; 2],
    pub marks: Vec<Mark>,
    /// The points, as SVG has them.
    pub line: String,
    /// The points by themselves, where they are few.
    pub dots: Vec<[String; 2]>,
}

/// A mark on both axes of a [`Chart`]: where it is and what it says.
pub struct Mark {
    pub at: [String; 2],
    /// Where the number of the vertical axis stands.
    pub baseline: String,
    pub says: [String; 2],
}

// The output of these templates is escaped already, so other templates insert it unchanged.
impl HtmlSafe for Part {}
impl HtmlSafe for Table {}
impl HtmlSafe for Cell {}
impl HtmlSafe for ViewFigure {}
impl HtmlSafe for Chart {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_user_becomes_markup() {
        let nasty = "</title><script>alert('x')</script>&\"\u{0}";
        let link = Cell::Link { path: "a b/ü\"<.html".into(), text: nasty.into() };
        let table = Table::new("", &["a"], vec![vec![Cell::text(nasty), link]]).unwrap();
        let failure = Part::Failure { scene: nasty.into(), error: nasty.into() };
        let view = ViewFigure::new(nasty, &[("render", Some(Image::new(4, 3)))], [0, 0], 9, nasty.into()).unwrap();
        let parts = vec![
            Part::Table(table),
            failure,
            Part::Paragraph(nasty.into()),
            Part::views(None, vec![view.unwrap()]).unwrap(),
        ];
        let sections = vec![Section { id: "a", title: "b", parts }];
        let document =
            Document { title: nasty, origin: nasty, facts: vec![("c", nasty.into())], sections, footer: nasty };
        let page = document.html().unwrap();
        assert!(!page.contains("alert('x')") && !page.contains('\u{0}'), "{page}");
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(page.contains("href=\"a%20b/%C3%BC%22%3C.html\""), "{page}");
        assert!(page.contains("class=\"failed\"") && page.contains("data:image/jpeg") && page.contains(GENERATOR));
    }

    #[test]
    fn pictures_are_small_and_keep_their_shape() {
        let picture = Embedded::new(&Image::new(1000, 501), 100).unwrap();
        assert_eq!((picture.width, picture.height), (100, 50));
        let small = Embedded::new(&Image::new(30, 20), 100).unwrap();
        assert_eq!((small.width, small.height), (30, 20));
        assert!(small.uri.starts_with("data:image/jpeg;base64,/9j/"));
        assert!(Embedded::new(&Image::default(), 100).is_err());
    }

    #[test]
    fn a_view_shows_what_there_is() {
        let plain = |value| Some(Image { width: 8, height: 6, pixels: vec![[value; 3]; 48] });
        let view = |name: &str, pictures: &[(&'static str, Option<Image>)]| {
            ViewFigure::new(name, pictures, [0, 1], 560, String::new()).unwrap().map(|view| view.to_string())
        };
        let all = [("render", plain(0.2)), ("reference", plain(0.3)), ("difference", plain(0.4))];
        let html = view("<a>.JPG", &all).unwrap();
        assert_eq!((html.matches("<img").count(), html.matches("<option").count()), (3, 6));
        assert!(html.contains("class=\"over\"") && html.contains("&#60;a&#62;.JPG") && !html.contains("<a>"), "{html}");
        assert_eq!(html.matches(" selected>").count(), 2);
        let html = view("a", &[("render", plain(0.2)), ("reference", None)]).unwrap();
        assert!(html.contains("class=\"under\"") && !html.contains("<input"), "{html}");
        assert!(view("a", &[("render", None), ("reference", None)]).is_none());
    }
}
