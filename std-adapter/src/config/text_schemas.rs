//! How what is written as text stands in a JSON Schema: durations, rates and sizes with a pattern and examples, and the
//! names of categories.

use super::{DurationText, RateText, SizeText};
use crate::ErrorCategory;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The names that keys for categories have.
pub(super) fn category_names() -> Schema {
    json_schema!({ "enum": ErrorCategory::ALL.map(ErrorCategory::name) })
}

const NUMBER: &str = r"[0-9][0-9\s]*(\.[0-9\s]+)?";
const UNIT: &str = "(nanos|nsec|ns|usec|us|\u{b5}s|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|\
    hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)";

/// Numbers with units, one or more of them.
fn duration() -> String {
    format!(r"({NUMBER}\s*{UNIT}\s*)+")
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration: numbers with units.",
            "type": "string",
            "pattern": format!(r"^\s*{}$", duration()),
            "examples": ["500ms", "5s", "1m 30s", "2h"],
        })
    }
}

impl JsonSchema for RateText {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A rate: whole calls per unit or duration.",
            "type": "string",
            "pattern": format!(r"^\s*\+?[0-9]+\s*/\s*({UNIT}|{})\s*$", duration()),
            "examples": ["2/s", "100/min", "1000/day", "5/250ms"],
        })
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size in bytes: a number, or text with a unit.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^([0-9]+|[0-9]*\.?[0-9]*\s*([kKmMgGtTpPeE]i?)?[bB]?)$" },
            ],
            "examples": ["512 KiB", "1 MiB", 65536],
        })
    }
}
