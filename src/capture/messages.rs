//! Lists of names in messages.

/// Most names in a message; the rest are counted.
const NAMED: usize = 20;

/// The first of `names`, and how many more there are.
pub fn list_names(names: &[impl AsRef<str>]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
