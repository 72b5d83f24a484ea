//! `Overrides`: environment variables that take the place of values in a file.

use super::tree::TomlValue;
use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Environment variables that take the place of values in a file, or add to it.
///
/// A variable's name is a prefix and the keys on the way to the value, with two underscores between them:
/// `FUSEBOX__DEFAULTS__TIMEOUT`. A key is found among those of the file whatever its case, with `-`, `.` and `_` taken as
/// one; if the file has no such key, it is added in lower case. What is spelt in another way (a category's name, a new
/// tool's) is written in the value: `FUSEBOX__DEFAULTS__CATEGORIES='{ RateLimit = { trips = false } }'`.
///
/// The value is TOML where it is any (`3`, `true`, `["a", "b"]`, `{ limit = "2/s" }`), otherwise text (`5s`); text that
/// would be TOML is quoted (`"3"`). It takes the place of the whole value; lists have no keys and are given whole.
/// Variables are applied in the order of their names, so that one for a whole table comes before those for its members.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Overrides {
    /// The keys as they are in the variable's name, and its value, by the variable's whole name.
    variables: BTreeMap<String, (String, String)>,
}

impl Overrides {
    /// The prefix of variables where a program has none of its own.
    pub const PREFIX: &'static str = "FUSEBOX";

    /// Those of the variables whose names start with the prefix and two underscores.
    pub fn new<N, V>(prefix: &str, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let start = format!("{prefix}__");
        let of_ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into();
            let keys = name.strip_prefix(&start)?.to_owned();
            Some((name, (keys, value.into())))
        });
        Self { variables: of_ours.collect() }
    }

    /// Those of the process's variables that start with the prefix and two underscores. What is no Unicode in a value is
    /// read as the replacement character.
    pub fn of_process(prefix: &str) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self::new(prefix, std::env::vars_os().filter_map(text))
    }

    /// The variables' names in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Puts all values in their places; `span` gives the place that the values of the n-th variable bear. What is wrong
    /// with a variable's name is told with its number.
    pub(super) fn apply<'t>(
        &'t self,
        root: &mut TomlValue<'t>,
        span: impl Fn(usize) -> Range<usize>,
    ) -> Vec<(usize, String)> {
        let mut faults = Vec::new();
        for (index, (keys, value)) in self.variables.values().enumerate() {
            if let Err(fault) = set(root, keys, value_of(value, &span(index)), &span(index)) {
                faults.push((index, fault));
            }
        }
        faults
    }
}

fn set<'t>(mut node: &mut TomlValue<'t>, keys: &str, value: TomlValue<'t>, span: &Range<usize>) -> Result<(), String> {
    let mut way: Vec<String> = Vec::new();
    for key in keys.split("__") {
        if key.is_empty() {
            return Err("an empty key: allowed is PREFIX__KEY__KEY, with two underscores between them".to_owned());
        }
        let DeValue::Table(table) = node.get_mut() else {
            return Err(format!("{} has no key {key:?}: allowed is a value for it as a whole", way.join(".")));
        };
        let key = key_in(table, key)?;
        way.push(key.clone());
        let name = Spanned::new(span.clone(), Cow::Owned(key));
        node = table.entry(name).or_insert_with(|| Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
    }
    *node = value;
    Ok(())
}

/// The key of the table that is meant.
fn key_in(table: &DeTable<'_>, key: &str) -> Result<String, String> {
    let alike = |name: &str| name.to_lowercase().replace(['-', '.'], "_");
    let meant: Vec<_> = table.keys().map(|name| &**name.get_ref()).filter(|name| alike(name) == alike(key)).collect();
    match meant[..] {
        [] => Ok(key.to_lowercase()),
        [name] => Ok(name.to_owned()),
        _ => Err(format!("{key:?} could be any of {}: allowed is a key that is like one of them", meant.join(", "))),
    }
}

/// A variable's value: TOML where it is any, otherwise text.
fn value_of<'t>(text: &'t str, span: &Range<usize>) -> TomlValue<'t> {
    match DeValue::parse(text) {
        Ok(value) => placed(value.into_inner(), span),
        Err(_) => Spanned::new(span.clone(), DeValue::String(Cow::Borrowed(text))),
    }
}

/// The same value, all of it at one place.
fn placed<'t>(value: DeValue<'t>, span: &Range<usize>) -> TomlValue<'t> {
    let value = match value {
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| placed(item.into_inner(), span)).collect())
        }
        DeValue::Table(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (Spanned::new(span.clone(), name.into_inner()), placed(value.into_inner(), span)));
            DeValue::Table(members.collect())
        }
        plain => plain,
    };
    Spanned::new(span.clone(), value)
}
