//! Parses COLMAP's progress messages, of versions 3.8 to 4.

/// `k` of `n` done, from a line such as `Processed file [3/30]`, `Matching block [2/3, 1/3]` (its blocks are walked
/// through row by row), or `Processing image [4/300]`; such a line stands before the work it names, except the first.
pub fn fraction(line: &str) -> Option<(u64, u64)> {
    let (before, rest) = line.split_once('[')?;
    // Version 4 puts a date and the place in the source before its words, and may put them in brackets.
    let known = ["Processed file", "Matching block", "Processing block", "Matching image", "Processing image"];
    if !known.iter().any(|words| before.trim_end().ends_with(words)) {
        return None;
    }
    let (inside, _) = rest.split_once(']')?;
    let pairs: Vec<(u64, u64)> = inside.split(',').map(pair).collect::<Option<_>>()?;
    let done_before = |k: u64| k.saturating_sub(1);
    match pairs[..] {
        [(k, n)] if before.contains("Processed") => Some((k.min(n), n)),
        [(k, n)] => Some((done_before(k).min(n), n)),
        [(i, rows), (j, columns)] => {
            let total = rows.checked_mul(columns)?;
            Some((done_before(i).saturating_mul(columns).saturating_add(done_before(j)).min(total), total))
        }
        _ => None,
    }
}

fn pair(text: &str) -> Option<(u64, u64)> {
    let (k, n) = text.split_once('/')?;
    Some((k.trim().parse().ok()?, n.trim().parse().ok()?))
}

/// Images with a pose so far, from `Registering image #7 (12)` or `Registering image #7 (num_reg_frames=12)`.
pub fn registered(line: &str) -> Option<u64> {
    let (_, after) = line.split_once("Registering image #")?;
    let (_, count) = after.split_once('(')?;
    let digits: String = count.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The last `most` characters of `text`, its lines joined by ` | `.
pub fn end(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines.join(" | ");
    let skipped = joined.chars().count().saturating_sub(most);
    joined.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_in_the_words_of_several_versions() {
        assert_eq!(fraction("Processed file [3/30]"), Some((3, 30)));
        let prefixed = "I20250901 10:00:00.000000 1234 feature_extraction.cc:254] Processed file [3/30]";
        assert_eq!(fraction(prefixed), Some((3, 30)));
        assert_eq!(fraction("Matching block [1/3, 1/3]"), Some((0, 9)));
        assert_eq!(fraction("Matching block [3/3, 2/3] in 3.1s"), Some((7, 9)));
        assert_eq!(fraction("Processing block [2/3, 1/3]"), Some((3, 9)));
        assert_eq!(fraction("Matching image [4/300]"), Some((3, 300)));
        for other in ["Loading images [3/4]", "Elapsed time: 5.581 [minutes]", "Processed file [x/3]", "", "[", "a[1]"]
        {
            assert_eq!(fraction(other), None, "{other}");
        }
        assert_eq!(registered("Registering image #7 (12)"), Some(12));
        assert_eq!(registered("x.cc:3] Registering image #7 (num_reg_frames=12)"), Some(12));
        assert_eq!(registered("=> Image sees 70 / 500 points"), None);
    }

    #[test]
    fn the_end_of_a_text() {
        assert_eq!(end("one\n\n  two\nthree\n", 100), "one | two | three");
        assert_eq!(end("äöü", 2), "öü");
    }
}
