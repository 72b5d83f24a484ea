//! A TOML value with its places: what stands where, and how it is read as a type although parts of it are wrong.

use crate::config::field_path::{element, is_part_of, member};
use core::ops::Range;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeValue, Error, ValueDeserializer};

/// A value of a TOML text with its place in it.
pub(super) type TomlValue<'t> = Spanned<DeValue<'t>>;

/// A value that is of the wrong type.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The path of the field.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) message: String,
    /// Where it stands, if the value itself is not where it stands.
    pub(super) span: Option<Range<usize>>,
}

/// The place of every value below `value`, by path.
pub(super) fn places(path: &str, value: &TomlValue<'_>, places: &mut BTreeMap<String, usize>) {
    places.insert(path.to_owned(), value.span().start);
    match value.get_ref() {
        DeValue::Table(table) => {
            for (name, value) in table {
                self::places(&member(path, name.get_ref()), value, places);
            }
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                self::places(&element(path, index), item, places);
            }
        }
        _ => {}
    }
}

/// The value as a type; what does not fit is left out, and told.
///
/// Reading stops at the first misfit. So that one does not hide the next, it is taken out and the rest is read again;
/// of a list that has one, all is taken out, lest the others change their places. No value if the rest does not fit.
pub(super) fn read<T: DeserializeOwned>(path: &str, mut value: TomlValue<'_>) -> (Option<T>, Vec<Misfit>) {
    let mut misfits: Vec<Misfit> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(read) => return (Some(read), misfits),
            Err(error) => error,
        };
        let way = error.path().clone();
        let field = field_of(path, &way);
        let error: Error = error.into_inner();
        // what is absent because it was taken out is no further fault
        let follows = misfits.iter().any(|misfit| is_part_of(&misfit.field, &field));
        if !follows {
            let message = format!("{field}: {}", error.message().replace('\n', " "));
            misfits.push(Misfit { field, message, span: error.span() });
        }
        if !take_out(&mut value, &way) {
            return (None, misfits);
        }
    }
}

fn field_of(path: &str, way: &Path) -> String {
    way.iter().fold(path.to_owned(), |path, segment| match segment {
        Segment::Seq { index } => element(&path, *index),
        Segment::Map { key } => member(&path, key),
        Segment::Enum { variant } => member(&path, variant),
        Segment::Unknown => path,
    })
}

/// Takes out what the way leads to, or the list on the way to it; tells whether anything was taken.
fn take_out(value: &mut TomlValue<'_>, way: &Path) -> bool {
    let mut node = value;
    let mut segments = way.iter().peekable();
    while let Some(segment) = segments.next() {
        let (Segment::Map { key }, DeValue::Table(table)) = (segment, node.get_mut()) else { return false };
        let is_list = matches!(segments.peek(), Some(Segment::Seq { .. }));
        if is_list || segments.peek().is_none() {
            return table.remove(key.as_str()).is_some();
        }
        match table.get_mut(key.as_str()) {
            Some(inner) => node = inner,
            None => return false,
        }
    }
    false
}
