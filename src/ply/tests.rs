//! Headers as programs write them.

use super::*;
use std::fs;

const NAMES: [&str; 3] = ["float x", "float y", "float z"];

/// The rows of a file whose header has these lines between `ply` and `end_header`.
fn rows(start: &str, lines: &[&[u8]], line_end: &str, data: &[u8]) -> Vec<Vec<f32>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ply");
    let mut content = format!("{start}ply{line_end}").into_bytes();
    for line in lines {
        content.extend(*line);
        content.extend(line_end.as_bytes());
    }
    content.extend(format!("end_header{line_end}").as_bytes());
    content.extend(data);
    fs::write(&path, content).unwrap();
    let file = ElementFile::vertices(&path).unwrap();
    let columns = ["x", "y", "z"].map(|name| file.column(name).unwrap());
    let mut rows = Vec::new();
    file.for_each_row(|row: &[f32]| rows.push(columns.map(|i| row[i]).to_vec())).unwrap();
    rows
}

fn binary(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Line ends, blanks and marks: none of them may move the first row of a binary file by a byte.
#[test]
fn headers_of_every_system_are_read() {
    // The first value begins with the bytes of line ends.
    let first = f32::from_le_bytes(*b"\r\n\r\n");
    let data = binary(&[first, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let properties: Vec<Vec<u8>> = NAMES.iter().map(|name| format!("  property\t{name}  ").into_bytes()).collect();
    for format in ["binary_little_endian", "ascii"] {
        let format = format!("format {format} 1.0");
        let mut lines: Vec<&[u8]> =
            vec![format.as_bytes(), b"", b"comment caf\xe9 \xff", b"comment", b"obj_info \xb5m"];
        lines.extend([&b"\telement  vertex 2 "[..], b"   "]);
        lines.extend(properties.iter().map(|line| &line[..]));
        for start in ["", "\u{feff}", " \n\n"] {
            for line_end in ["\n", "\r\n", "\r"] {
                let text = format!("7 2 3{line_end}{line_end} 4 5 6{line_end}");
                let is_text = format.contains("ascii");
                let found = rows(start, &lines, line_end, if is_text { text.as_bytes() } else { &data });
                let first = if is_text { 7.0 } else { first };
                assert_eq!(found, [[first, 2.0, 3.0], [4.0, 5.0, 6.0]], "{start:?} {line_end:?} {format}");
            }
        }
    }
}

#[test]
fn numbers_that_are_none_are_read_as_c_libraries_print_them() {
    let lines: [&[u8]; 5] =
        [b"format ascii 1.0", b"element vertex 3", b"property float x", b"property float y", b"property float z"];
    let data = b"-nan(ind) nan -nan\n-inf inf 1.#QNAN\n-1.#IND -1.#INF 1.#INF\n";
    let found = rows("", &lines, "\n", data);
    let kind = |v: &f32| if v.is_nan() { 0 } else { v.signum() as i32 * i32::from(v.is_infinite()) };
    let kinds: Vec<Vec<i32>> = found.iter().map(|row| row.iter().map(kind).collect()).collect();
    assert_eq!(kinds, [[0, 0, 0], [-1, 1, 0], [0, -1, 1]]);
}

#[test]
fn names_that_are_no_words_keep_their_place_in_a_row() {
    let lines: [&[u8]; 8] = [
        b"format binary_little_endian 1.0",
        b"element vertex 1",
        b"property float scalar_C2C distances[<0.5]",
        b"property float x",
        b"property float gr\xf6\xdfe",
        b"property float x",
        b"property float y",
        b"property float z",
    ];
    let found = rows("", &lines, "\n", &binary(&[9.0, 1.0, 9.0, 9.0, 2.0, 3.0]));
    assert_eq!(found, [[1.0, 2.0, 3.0]]);
}

#[test]
fn an_element_behind_the_vertices_is_read_as_whole_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ply");
    let header = "ply\nformat binary_big_endian 1.0\nelement vertex 1\nproperty float x\nelement more 2\n\
                  property uint word\nproperty ushort half\nend_header\n";
    let mut content = header.as_bytes().to_vec();
    content.extend(1f32.to_be_bytes());
    for (word, half) in [(0xfedc_ba98u32, 1u16), (3, 65_535)] {
        content.extend(word.to_be_bytes());
        content.extend(half.to_be_bytes());
    }
    fs::write(&path, &content).unwrap();
    let file = ElementFile::open(&path, "more").unwrap().unwrap();
    assert_eq!([file.integer_bytes(0), file.integer_bytes(1)], [Some(4), Some(2)]);
    let mut rows = Vec::new();
    file.for_each_row(|row: &[u32]| rows.push(row.to_vec())).unwrap();
    assert_eq!(rows, [[0xfedc_ba98, 1], [3, 65_535]]);
    assert!(ElementFile::open(&path, "less").unwrap().is_none());
    fs::write(&path, &content[..content.len() - 1]).unwrap();
    let message = ElementFile::open(&path, "more").err().unwrap().to_string();
    assert!(message.contains("2 rows of `more` (12 bytes)") && message.contains("11 bytes"), "{message}");
}
