//! `Schema`: a JSON Schema that arguments and outputs are checked against.
//!
//! ```
//! use fusebox::Schema;
//! use serde_json::json;
//!
//! let schema = Schema::compile(&json!({
//!     "type": "object",
//!     "properties": { "query": { "type": "string" }, "limit": { "type": "integer", "maximum": 50 } },
//!     "required": ["query"],
//!     "additionalProperties": false,
//! }))?;
//! assert!(schema.check(&json!({ "query": "fuses", "limit": 10 })).is_ok());
//!
//! let violations = schema.check(&json!({ "limit": 100 })).expect_err("two things are wrong");
//! let pointers: Vec<&str> = violations.list.iter().map(|violation| violation.pointer.as_str()).collect();
//! assert_eq!(pointers, ["/limit", ""]);
//! assert_eq!(violations.to_string(), r#"/limit: 100 is greater than the maximum of 50; "query" is a required property"#);
//! # Ok::<(), fusebox::SchemaError>(())
//! ```
//!
//! **Drafts.** `$schema` says which; without it, it is 2020-12.
//!
//! **References.** Nothing is fetched, neither from the network nor from files: what `$ref` names must be in the schema
//! itself, `"#/$defs/place"`. A schema that refers to anything else is refused.
//!
//! **Formats are checked**, in every draft: `"format": "date-time"` refuses `"tomorrow"`. (By the letter of the later
//! drafts a format is a remark only; but who writes one of a tool's arguments means it.) A format that is not known,
//! such as `"int32"`, is a remark.
//!
//! **Patterns** may look ahead and back. One that needs more than 100 000 steps back for a text counts as violated, so
//! that no text makes a check hang.

mod excerpt;
mod violation;

pub use violation::{Violation, Violations};

use core::error::Error;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use std::fmt;

/// A JSON Schema, ready to check values. Share it by reference or in an `Arc`. See the [module documentation](self).
#[derive(Debug)]
pub struct Schema(Validator);

impl Schema {
    /// Makes a schema ready.
    ///
    /// Cost: as much as hundreds of checks; do it once, not per call.
    ///
    /// # Errors
    /// When it is not a schema, or refers to something that is not in it.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        jsonschema::options()
            .offline() // another crate may have built `jsonschema` with its network on
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(100_000))
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaError(Violation::new(&error)))
    }

    /// Whether the schema allows this value; if not, all that is wrong, within bounds.
    ///
    /// Cost: one walk through the value; where something is wrong a second one, which uses heap in proportion to how
    /// much is wrong.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, value: &Value) -> Result<(), Violations> {
        if self.0.is_valid(value) { Ok(()) } else { Err(Violations::new(self.0.iter_errors(value))) }
    }
}

/// Why a value is not a JSON Schema that can be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemaError(Violation);

impl SchemaError {
    /// The place in the schema as a JSON pointer; empty for the schema as a whole.
    pub fn pointer(&self) -> &str {
        &self.0.pointer
    }

    /// What is wrong there.
    pub fn problem(&self) -> &str {
        &self.0.problem
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the JSON Schema cannot be used: {}", self.0)
    }
}

impl Error for SchemaError {}

#[cfg(test)]
mod tests;
