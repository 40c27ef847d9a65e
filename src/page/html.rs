//! The parts of a page that every report has. Whatever comes from a user or a file goes through [`escape`].

use crate::capture::{Image, resize_area};
use crate::error::{Error, Result};
use crate::eval::{Sampling, encode_jpeg};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// What a page of this program says of itself, and how it is known for one that may be replaced.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"naka-gs\">";
/// Quality of embedded pictures: to look at, not to measure.
const QUALITY: u8 = 85;

/// `text` as content or attribute of an element.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Characters that no HTML document may hold.
            c if c.is_control() && !c.is_whitespace() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A relative path as a link.
pub fn link(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(char::from(byte)),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

/// A whole document. The page may load nothing, from nowhere: all it shows is in it.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{GENERATOR}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A picture inside the page.
pub struct Embedded {
    /// `data:image/jpeg;base64,…`
    pub uri: String,
    pub width: u32,
    pub height: u32,
}

impl Embedded {
    /// `image`, reduced until no side is longer than `side` pixels.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn new(image: &Image, side: u32) -> Result<Self> {
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

/// A table; the first cell of each row is its heading. Cells are text, or [`Cell::Bar`]s.
pub fn table(caption: &str, columns: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut out = format!("<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", escape(caption));
    columns.iter().for_each(|column| _ = write!(out, "<th scope=\"col\">{}</th>", escape(column)));
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let (open, close) = if i == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
            _ = write!(out, "{open}{}{close}", cell.html());
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// A cell of a [`table`].
pub enum Cell {
    Text(String),
    /// A bar of this part (0–1) of the longest.
    Bar(f64),
    /// A link: where to, and what it says.
    Link(String, String),
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

    fn html(&self) -> String {
        match self {
            Self::Text(text) => escape(text),
            Self::Bar(part) => {
                format!("<span class=\"bar\" style=\"width:{:.1}%\"></span>", 100.0 * part.clamp(0.0, 1.0))
            }
            Self::Link(to, text) => format!("<a href=\"{}\">{}</a>", escape(to), escape(text)),
        }
    }
}

/// Named values, the large numbers on top of a page.
pub fn facts(facts: &[(&str, String)]) -> String {
    let mut out = String::from("<dl class=\"facts\">");
    facts
        .iter()
        .for_each(|(name, value)| _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value)));
    out.push_str("</dl>\n");
    out
}

/// A line of links to files by their relative paths; nothing without any.
pub fn links<'p>(title: &str, paths: impl Iterator<Item = &'p str>) -> String {
    let links: Vec<String> =
        paths.map(|path| format!("<a href=\"{}\">{}</a>", escape(&link(path)), escape(path))).collect();
    if links.is_empty() { String::new() } else { format!("<p>{}: {}</p>\n", escape(title), links.join(", ")) }
}

/// A section with its heading; nothing where `content` is empty.
pub fn section(id: &str, title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{}</h2>\n{content}</section>\n", escape(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_user_becomes_markup() {
        let nasty = "</title><script>alert('x')</script>&\"\u{0}";
        let page =
            document(nasty, &table(nasty, &[nasty], &[vec![Cell::text(nasty), Cell::Link(link(nasty), nasty.into())]]));
        assert!(!page.contains("alert('x')") && !page.contains('\u{0}'));
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(link("a b/ü\"<.html"), "a%20b/%C3%BC%22%3C.html");
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
}
