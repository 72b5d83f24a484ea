//! The path of a field, as errors name it: `tools."fs.read".policy.timeout`, `rules[0].role`.

/// The path of the member `name` of the table at `parent`, which is empty at the top.
pub(crate) fn member(parent: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    // as TOML has it: what is no bare key is quoted, so that a dot in a name is told from one between names
    let name = if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("{name:?}") };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

/// The path of an element of the list at `parent`.
pub(crate) fn element(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Whether the field is part of the other one.
#[cfg(feature = "config-file")]
pub(crate) fn is_part_of(field: &str, whole: &str) -> bool {
    match field.strip_prefix(whole) {
        Some(rest) if whole.is_empty() => !rest.is_empty(),
        Some(rest) => rest.starts_with(['.', '[']),
        None => false,
    }
}
