//! `Checks`: what a call's arguments and its output must be, beside what the tool itself thinks of them.

#[cfg(feature = "json-schema")]
use crate::Schema;
use crate::config::{ConfigErrors, ToolConfig};
use crate::output_size::is_longer_than;
use crate::{ConfigError, ErrorCategory, ToolError};
use serde_json::Value;

/// What a call's arguments and its output must be.
#[derive(Debug, Default)]
pub(super) struct Checks {
    #[cfg(feature = "json-schema")]
    args: Option<Schema>,
    #[cfg(feature = "json-schema")]
    result: Option<Schema>,
    max_output: Option<usize>,
}

impl Checks {
    /// The checks of a tool, or what is wrong with its schemas.
    pub(super) fn new(config: &ToolConfig) -> Result<Self, ConfigErrors> {
        let max_output = config.max_output.map(|size| usize::try_from(size.0).unwrap_or(usize::MAX));
        let mut faults = Vec::new();
        #[cfg(feature = "json-schema")]
        let checks = {
            let mut compile = |field: &str, schema: &Option<Value>| match schema.as_ref().map(Schema::compile)? {
                Ok(schema) => Some(schema),
                Err(error) => {
                    faults.push(fault(field, &error.to_string(), "a JSON Schema that stands by itself"));
                    None
                }
            };
            Self { args: compile("args", &config.args), result: compile("result", &config.result), max_output }
        };
        #[cfg(not(feature = "json-schema"))]
        let checks = {
            for (field, schema) in [("args", &config.args), ("result", &config.result)] {
                if schema.is_some() {
                    faults.push(fault(field, "a JSON Schema", "none, as the feature json-schema is off"));
                }
            }
            Self { max_output }
        };
        ConfigErrors::unless_empty(faults).map(|()| checks)
    }

    /// What is wrong with arguments.
    #[cfg_attr(not(feature = "json-schema"), allow(clippy::unused_self, reason = "there is nothing to check"))]
    pub(super) fn problems_of_args(&self, args: &Value) -> Option<String> {
        #[cfg(feature = "json-schema")]
        if let Some(schema) = &self.args {
            return schema.check(args).err().map(|violations| violations.to_string());
        }
        let _ = args;
        None
    }

    /// The output, if it is what it must be. One that is not is the tool's failure.
    pub(super) fn checked(&self, output: Value) -> Result<Value, ToolError> {
        if let Some(max) = self.max_output
            && is_longer_than(&output, max)
        {
            let message = format!("the output is longer than its max_output of {max} bytes");
            return Err(ToolError::new(ErrorCategory::ResourceExhausted, message));
        }
        #[cfg(feature = "json-schema")]
        if let Some(schema) = &self.result
            && let Err(violations) = schema.check(&output)
        {
            return Err(ToolError::new(ErrorCategory::ExecutionError, format!("the output is wrong: {violations}")));
        }
        Ok(output)
    }
}

fn fault(field: &str, value: &str, allowed: &str) -> ConfigError {
    ConfigError { field: field.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() }
}
