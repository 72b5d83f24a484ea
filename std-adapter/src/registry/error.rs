//! `RegistryError` and `TypedCallError`: what can go wrong beside the call itself.

use crate::config::ConfigErrors;
use crate::{CallError, ToolError};
use core::error::Error;
use std::fmt;

/// Why a tool was not registered. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegistryError {
    /// A tool's name has at least one character.
    EmptyName,
    /// Another tool has this name; `replace` would take its place.
    NameTaken(String),
    /// The tool's configuration, combined with the registry's, is not allowed.
    Config(ConfigErrors),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("the name of a tool is empty: allowed is any other text"),
            Self::NameTaken(name) => write!(f, "a tool named {name:?} is registered already"),
            Self::Config(errors) => errors.fmt(f),
        }
    }
}

impl Error for RegistryError {}

/// Why a typed call has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum TypedCallError {
    /// The arguments cannot be written as JSON; no call was made.
    Args(serde_json::Error),
    /// The call did not succeed.
    Call(CallError<ToolError>),
    /// The output is not of the expected type. The tool has succeeded.
    Output(serde_json::Error),
}

impl fmt::Display for TypedCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args(error) => write!(f, "the arguments cannot be written as JSON: {error}"),
            Self::Call(error) => error.fmt(f),
            Self::Output(error) => write!(f, "the output is not of the expected type: {error}"),
        }
    }
}

impl Error for TypedCallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Args(error) | Self::Output(error) => Some(error),
            // its own message is shown as this error's, so the source is what lies behind it
            Self::Call(error) => error.source(),
        }
    }
}
