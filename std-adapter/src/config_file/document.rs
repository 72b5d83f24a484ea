//! `Document`: a TOML text on its way to a configuration, for programs whose files say more than a registry needs.

use super::tree::{Misfit, TomlValue, places, read};
use super::{FileError, FileFault, Overrides, Place};
use crate::config::field_path::{is_part_of, member};
use crate::{ConfigError, RegistryConfig};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML text with its overrides, from which a program takes the keys that are its own; what is left is read as a
/// [`RegistryConfig`]. Faults are gathered, so that one does not hide the next.
///
/// ```
/// use fusebox::config_file::{Document, Overrides};
/// use std::path::Path;
///
/// #[derive(serde::Deserialize)]
/// struct Command {
///     command: Vec<String>,
/// }
///
/// let text = "
///     services.web = ['serve']
///     [tools.hash]
///     command = ['sha256sum']
///     policy.timeout = '2s'
/// ";
/// let overrides = Overrides::default();
/// let mut document = Document::parse(Some(Path::new("TOOLS.toml")), text, &overrides)?;
/// let services: Option<toml::Table> = document.take(&["services"]);
/// for name in document.names(&["tools"]) {
///     let Some(Command { command }) = document.take_members(&["tools", &name], &["command"]) else { continue };
///     if command.is_empty() {
///         document.fault(&["tools", &name, "command"], "is empty: allowed is a program and its arguments");
///     }
/// }
/// let config = document.finish()?;
/// assert_eq!(config.tools["hash"].policy.timeout, Some(fusebox::DurationText::from_secs(2)));
/// assert!(services.is_some_and(|services| services.contains_key("web")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Document<'t> {
    file: Option<PathBuf>,
    text: &'t str,
    /// The variables' names. The values of the n-th stand n + 1 behind the end of the text.
    variables: Vec<&'t str>,
    root: TomlValue<'t>,
    /// Where each value stands, also those that were taken.
    places: BTreeMap<String, usize>,
    faults: Vec<FileFault>,
}

impl<'t> Document<'t> {
    /// Takes a text apart and applies the overrides. `file` is for the messages; nothing is read from it.
    ///
    /// # Errors
    /// All that keeps the text from being TOML.
    pub fn parse(file: Option<&Path>, text: &'t str, overrides: &'t Overrides) -> Result<Self, FileError> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        let mut document = Self {
            file: file.map(Path::to_owned),
            text,
            variables: overrides.names().collect(),
            root,
            places: BTreeMap::new(),
            faults: Vec::new(),
        };
        for error in errors {
            let place = error.span().map_or(Place::Unknown, |span| document.place_at(span.start));
            document.push(place, String::new(), format!("this is no TOML: {}", error.message()));
        }
        if !document.faults.is_empty() {
            // what is left of a text that is no TOML would only add faults that are none
            return Err(document.into_error());
        }
        let behind = |index: usize| text.len() + 1 + index..text.len() + 1 + index;
        for (index, message) in overrides.apply(&mut document.root, behind) {
            let place = document.place_at(behind(index).start);
            document.push(place, String::new(), message);
        }
        places("", &document.root, &mut document.places);
        Ok(document)
    }

    /// The names of a table's members in alphabetical order; none if there is no such table.
    pub fn names(&self, table: &[&str]) -> Vec<String> {
        let names = |table: &DeTable<'_>| table.keys().map(|name| name.get_ref().to_string()).collect();
        self.node(table).and_then(|node| node.get_ref().as_table()).map_or_else(Vec::new, names)
    }

    /// Takes a value out of the document. None if there is none, or if it is not of the type: that is remembered as a
    /// fault.
    pub fn take<T: DeserializeOwned>(&mut self, path: &[&str]) -> Option<T> {
        let (name, table) = path.split_last()?;
        let value = self.table(table)?.remove(*name)?;
        self.read_whole(&field(path), value)
    }

    /// Takes those members of a table that have one of the names, as a type whose fields they are. None if there is no
    /// such table, or if a member is not of its type: that is remembered as a fault.
    pub fn take_members<T: DeserializeOwned>(&mut self, table: &[&str], names: &[&str]) -> Option<T> {
        let span = self.node(table)?.span();
        let members = self.table(table)?;
        let taken: DeTable<'t> = names.iter().filter_map(|name| members.remove_entry(*name)).collect();
        self.read_whole(&field(table), Spanned::new(span, DeValue::Table(taken)))
    }

    /// Remembers that a value is not allowed; `what` follows its path: `is "ftp": allowed is http or https`. Works for
    /// values that were taken, too.
    pub fn fault(&mut self, path: &[&str], what: &str) {
        let field = field(path);
        let place = self.place_of(&field);
        let message = format!("{field} {what}");
        self.push(place, field, message);
    }

    /// What is left, as a registry's configuration, [checked](RegistryConfig::check).
    ///
    /// # Errors
    /// All faults: those remembered, unknown keys, values of the wrong type, and what the check refuses. Of a list, and of
    /// a section of a policy, the first; and a table is checked when all its values are of the right type.
    pub fn finish(mut self) -> Result<RegistryConfig, FileError> {
        let (config, misfits) = read::<RegistryConfig>("", self.root.clone());
        let config = config.unwrap_or_default();
        // what is left out for its type is missed by its neighbours, and a whole part by the other parts
        let missed = |error: &ConfigError| {
            misfits
                .iter()
                .any(|misfit| table_of(&misfit.field).is_none_or(|table| Some(table) == table_of(&error.field)))
        };
        let refused = config.check().err().into_iter().flatten().filter(|error| !missed(error));
        let refused: Vec<_> = refused.collect();
        self.remember(misfits);
        for error in refused {
            let message = error.to_string();
            self.push(self.place_of(&error.field), error.field, message);
        }
        if self.faults.is_empty() { Ok(config) } else { Err(self.into_error()) }
    }

    fn read_whole<T: DeserializeOwned>(&mut self, path: &str, value: TomlValue<'t>) -> Option<T> {
        let (read, misfits) = read(path, value);
        let read = read.filter(|_| misfits.is_empty());
        self.remember(misfits);
        read
    }

    fn remember(&mut self, misfits: Vec<Misfit>) {
        for Misfit { field, message, span } in misfits {
            let place = span.map_or_else(|| self.place_of(&field), |span| self.place_at(span.start));
            self.push(place, field, message);
        }
    }

    fn push(&mut self, place: Place, field: String, message: String) {
        self.faults.push(FileFault { place, field, message });
    }

    fn into_error(self) -> FileError {
        FileError::new(self.file.as_deref(), self.faults)
    }

    fn node(&self, path: &[&str]) -> Option<&TomlValue<'t>> {
        path.iter().try_fold(&self.root, |node, name| node.get_ref().get(*name))
    }

    fn table(&mut self, path: &[&str]) -> Option<&mut DeTable<'t>> {
        let mut node = &mut self.root;
        for name in path {
            let DeValue::Table(table) = node.get_mut() else { return None };
            node = table.get_mut(*name)?;
        }
        match node.get_mut() {
            DeValue::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Where a field stands, or the nearest that it is part of.
    fn place_of(&self, field: &str) -> Place {
        let nearest = self.places.iter().filter(|(path, _)| *path == field || is_part_of(field, path));
        nearest.max_by_key(|(path, _)| path.len()).map_or(Place::Unknown, |(_, offset)| self.place_at(*offset))
    }

    fn place_at(&self, offset: usize) -> Place {
        let variable = offset.checked_sub(self.text.len() + 1).and_then(|index| self.variables.get(index));
        if let Some(name) = variable {
            return Place::Variable((*name).to_owned());
        }
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Place::At { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

/// The path of a field from the names on the way to it.
fn field(path: &[&str]) -> String {
    path.iter().fold(String::new(), |path, name| member(&path, name))
}

/// The table that a field stands in; none for a part of the whole.
fn table_of(field: &str) -> Option<&str> {
    field.rsplit_once('.').map(|(table, _)| table)
}
