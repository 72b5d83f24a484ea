//! `Violation`: one thing that is wrong with a value, told so that an agent can correct it.

use super::excerpt::excerpt;
use core::error::Error;
use core::fmt::Display;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ReferencingError, ValidationError};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::slice;

/// The most of a value that is repeated where it is wrong, in bytes.
const MAX_VALUE: usize = 60;
/// The longest account of what is wrong at one place.
const MAX_PROBLEM: usize = 400;
/// The longest pointer.
const MAX_POINTER: usize = 200;
/// How many ways to be right are told of.
const MAX_WAYS: usize = 4;

/// All that is wrong with a value, within bounds: the first ten places, each told in 600 bytes or so.
///
/// Of what the value itself says, no more than 60 bytes are repeated at a place, and the names of its fields.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Violations {
    /// The first things that are wrong, at least one.
    pub list: Vec<Violation>,
    /// How many more there are.
    pub more: usize,
}

/// One thing that is wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// The place in the value as a JSON pointer, such as `/filters/0/name`; empty for the value as a whole.
    pub pointer: String,
    /// What is wrong there.
    pub problem: String,
}

impl Violations {
    /// The most that are listed.
    pub const MAX: usize = 10;

    pub(super) fn new<'a>(mut errors: impl Iterator<Item = ValidationError<'a>>) -> Self {
        let list = errors.by_ref().take(Self::MAX).map(|error| Violation::new(&error)).collect();
        Self { list, more: errors.count() }
    }
}

impl Violation {
    pub(super) fn new(error: &ValidationError<'_>) -> Self {
        let pointer = excerpt(error.instance_path(), MAX_POINTER);
        Self { pointer, problem: excerpt(Problem(error), MAX_PROBLEM) }
    }
}

/// What is wrong, without the place.
struct Problem<'a>(&'a ValidationError<'a>);

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error.kind() {
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                f.write_str("none of the ways that are allowed fits: ")?;
                write_ways(f, error, context)
            }
            Kind::PropertyNames { error } => {
                f.write_str("the name of a property is wrong: ")?;
                Problem(error).fmt(f)
            }
            Kind::Enum { options } => {
                write!(f, "{} is not allowed: allowed is ", excerpt(error.instance(), MAX_VALUE))?;
                write_options(f, options)
            }
            Kind::BacktrackLimitExceeded { .. } => f.write_str("the text takes too long to match with the pattern"),
            Kind::Referencing(ReferencingError::UnknownSpecification { specification }) => write!(
                f,
                "$schema is {specification:?}: allowed is a draft, \"https://json-schema.org/draft/2020-12/schema\""
            ),
            Kind::Referencing(ReferencingError::Unretrievable { uri, .. }) => {
                write!(f, "{uri:?} is not part of it, and nothing is fetched: allowed is \"#/$defs/...\"")
            }
            _ => error.masked_with(excerpt(error.instance(), MAX_VALUE)).fmt(f),
        }
    }
}

/// What would have to change for each of the ways, by its first error.
fn write_ways(
    f: &mut fmt::Formatter<'_>,
    whole: &ValidationError<'_>,
    ways: &[Vec<ValidationError<'static>>],
) -> fmt::Result {
    for (index, error) in ways.iter().filter_map(|errors| errors.first()).take(MAX_WAYS).enumerate() {
        if index > 0 {
            f.write_str("; or ")?;
        }
        let place = error.instance_path().as_str();
        let within = place.strip_prefix(whole.instance_path().as_str()).unwrap_or(place);
        if !within.is_empty() {
            write!(f, "{within}: ")?;
        }
        Problem(error).fmt(f)?;
    }
    if ways.len() > MAX_WAYS { f.write_str("; or others") } else { Ok(()) }
}

fn write_options(f: &mut fmt::Formatter<'_>, options: &Value) -> fmt::Result {
    let options = options.as_array().map_or(slice::from_ref(options), Vec::as_slice);
    for (index, option) in options.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        option.fmt(f)?;
    }
    Ok(())
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.problem)
    }
}

impl Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            violation.fmt(f)?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

impl Error for Violations {}
