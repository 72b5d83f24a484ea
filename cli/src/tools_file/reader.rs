//! `Reader`: takes a TOML text apart piece by piece, so that one fault does not hide the next.

use super::Fault;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// A value of the file with its path, such as `tools.search`.
#[derive(Clone, Debug)]
pub(super) struct Part<'t> {
    pub(super) path: String,
    pub(super) value: Spanned<DeValue<'t>>,
}

/// Takes the text apart and remembers what was wrong.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// The top-level members, all of which must be of these names; none if the text is no TOML.
    pub(super) fn parts(&mut self, names: &[&str]) -> BTreeMap<String, Part<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.fault(error.span(), error.message().to_owned());
        }
        let mut parts = BTreeMap::new();
        if !self.faults.is_empty() {
            return parts; // what is left of a text that is no TOML would only add faults that are none
        }
        for (name, value) in table.into_inner() {
            if names.contains(&&**name.get_ref()) {
                let path = name.into_inner().into_owned();
                parts.insert(path.clone(), Part { path, value });
            } else {
                let message = format!("{} is unknown: allowed is {}", name.get_ref(), names.join(", "));
                self.fault(Some(name.span()), message);
            }
        }
        parts
    }

    /// The members of a table by name; none if there is no such part.
    pub(super) fn members(&mut self, part: Option<Part<'t>>) -> BTreeMap<String, Part<'t>> {
        let Some(Part { path, value }) = part else { return BTreeMap::new() };
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.fault(Some(span), format!("{path} is no table"));
            return BTreeMap::new();
        };
        let member = |(name, value): (Spanned<_>, _)| {
            let path = format!("{path}.{}", name.get_ref());
            let name: std::borrow::Cow<'t, str> = name.into_inner();
            (name.into_owned(), Part { path, value })
        };
        table.into_iter().map(member).collect()
    }

    /// The part as a value of type `T`.
    pub(super) fn value<T: DeserializeOwned>(&mut self, part: Part<'t>) -> Option<T> {
        let Part { path, value } = part;
        let whole = value.span();
        match serde_path_to_error::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                let field = match error.path().to_string().as_str() {
                    "." => path,
                    field => format!("{path}.{field}"),
                };
                let error: Error = error.into_inner();
                self.fault(error.span().or(Some(whole)), format!("{field}: {}", error.message()));
                None
            }
        }
    }

    /// Remembers a fault.
    pub(super) fn fault(&mut self, span: Option<Range<usize>>, message: String) {
        let at = span.map(|span| self.line_and_column(span.start));
        self.faults.push(Fault { at, message: message.replace('\n', " ") });
    }

    /// All faults, if there are any.
    pub(super) fn finish(self) -> Result<(), Vec<Fault>> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

impl<'t> Part<'t> {
    /// Takes a member out of a table.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        let DeValue::Table(table) = self.value.get_mut() else { return None };
        let value = table.remove(name)?;
        Some(Self { path: format!("{}.{name}", self.path), value })
    }

    /// Where a field of this part stands, such as `breaker.open_wait`; as near as it can be found.
    pub(super) fn span_of(&self, field: &str) -> Range<usize> {
        let mut place = &self.value;
        for name in field.split('.') {
            match place.get_ref().get(name) {
                Some(inner) => place = inner,
                None => break,
            }
        }
        place.span()
    }
}
