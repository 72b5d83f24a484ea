//! `Call`: one line of the input, `{"id":1,"tool":"search","args":{...},"priority":"high","deadline":"3s"}`.

use fusebox::{DurationText, Priority};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What a line asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// Whatever the caller knows the call by.
    #[serde(deserialize_with = "id")]
    pub(crate) id: Id,
    /// The name of the tool.
    pub(crate) tool: String,
    /// What the tool is given; nothing is an empty object.
    #[serde(default = "no_args")]
    pub(crate) args: Value,
    /// What the call costs of the tool's rate limit.
    #[serde(default)]
    pub(crate) priority: Priority,
    /// The longest that the whole call may take.
    #[serde(default)]
    pub(crate) deadline: Option<DurationText>,
    /// What tells the tool that several attempts are one call.
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
    /// The host, tenant or other key whose circuit the call belongs to.
    #[serde(default)]
    pub(crate) circuit_key: Option<String>,
    /// Who calls, for the rules.
    #[serde(default)]
    pub(crate) role: Option<String>,
    /// Whether somebody has approved the call, for the rules.
    #[serde(default)]
    pub(crate) approved: bool,
}

/// A JSON string or number, kept as it was written so that it comes back the same to the last digit.
pub(crate) type Id = Box<RawValue>;

/// A line that asks for nothing that could be called.
#[derive(Debug)]
pub(crate) struct InvalidCall {
    /// Its id, if at least that can be told.
    pub(crate) id: Option<Id>,
    /// Its tool, likewise.
    pub(crate) tool: Option<String>,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl Call {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, InvalidCall> {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(error) => {
                let message = format!("not UTF-8 at byte {}", error.valid_up_to() + 1);
                return Err(InvalidCall { id: None, tool: None, message });
            }
        };
        if text.trim_start().starts_with('[') {
            // which serde would take for the fields of a call in their order
            return Err(InvalidCall { id: None, tool: None, message: "an array: allowed is an object".to_owned() });
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let call = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let field = error.path().to_string();
            let message = column_only(error.inner());
            if field == "." { message } else { format!("{field}: {message}") }
        });
        let call = call.and_then(|call| match deserializer.end() {
            Ok(()) => Ok(call),
            Err(error) => Err(column_only(&error)),
        });
        call.map_err(|message| {
            let Known { id, tool } = serde_json::from_str(text).unwrap_or_default();
            InvalidCall { id: id.filter(|id| is_id(id)), tool: tool.and_then(text_of), message }
        })
    }
}

/// What can be told of a line that is wrong elsewhere.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Known {
    id: Option<Id>,
    tool: Option<Value>,
}

fn text_of(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
    let id = Id::deserialize(deserializer)?;
    if is_id(&id) { Ok(id) } else { Err(de::Error::custom(format!("is {id}: allowed is a string or a number"))) }
}

fn is_id(id: &RawValue) -> bool {
    id.get().starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

fn no_args() -> Value {
    Value::Object(Map::new())
}

/// The error without its line, which is always 1: the line that counts is that of the input.
fn column_only(error: &serde_json::Error) -> String {
    error.to_string().replace(&format!(" at line {} column ", error.line()), " at column ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_full_call_is_read_and_the_rest_has_defaults() {
        let call = br#"{"id":"a","tool":"t","args":[1],"priority":"high","deadline":"3s","idempotency_key":"k",
            "circuit_key":"c","role":"r","approved":true}"#;
        let call = Call::parse(call).unwrap();
        assert_eq!((call.id.get(), call.tool.as_str(), call.args), ("\"a\"", "t", json!([1])));
        assert_eq!((call.priority, call.deadline.unwrap().0), (Priority::High, Duration::from_secs(3)));
        assert_eq!(call.idempotency_key.as_deref(), Some("k"));
        assert_eq!((call.circuit_key.as_deref(), call.role.as_deref(), call.approved), (Some("c"), Some("r"), true));

        let call = Call::parse("\u{feff}{\"id\":1,\"tool\":\"t\"}\r".as_bytes()).unwrap();
        assert_eq!((call.args, call.priority, call.deadline), (json!({}), Priority::Normal, None));
        assert_eq!((call.role, call.approved), (None, false));
    }

    #[test]
    fn an_id_comes_back_to_the_last_digit() {
        for id in ["123456789012345678901234567890", "-1.50", "\"\\u00e4\"", "\"\""] {
            let line = format!("{{\"id\": {id} ,\"tool\":\"t\"}}");
            assert_eq!(Call::parse(line.as_bytes()).unwrap().id.get(), id);
        }
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_and_who_it_was() {
        for (line, id, tool, words) in [
            (&b"\xff"[..], None, None, "not UTF-8 at byte 1"),
            (b"hello", None, None, "expected value at column 1"),
            (b"[1,\"t\"]", None, None, "an array: allowed is an object"),
            (b"1", None, None, "invalid type: integer `1`"),
            (b"{\"id\":1,\"tool\":\"t\"} {}", None, None, "trailing characters at column 21"),
            (b"{\"id\":1}", Some("1"), None, "missing field `tool`"),
            (b"{\"tool\":\"t\"}", None, Some("t"), "missing field `id`"),
            (b"{\"id\":null,\"tool\":\"t\"}", None, Some("t"), "id: is null: allowed is a string or a number"),
            (b"{\"id\":[1],\"tool\":\"t\"}", None, Some("t"), "id: is [1]"),
            (b"{\"id\":1,\"tool\":2}", Some("1"), None, "tool: invalid type: integer `2`"),
            (b"{\"id\":1,\"tool\":\"t\",\"arg\":1}", Some("1"), Some("t"), "unknown field `arg`"),
            (
                b"{\"id\":1,\"tool\":\"t\",\"deadline\":\"soon\"}",
                Some("1"),
                Some("t"),
                "deadline: \"soon\" is not a duration",
            ),
            (b"{\"id\":1,\"tool\":\"t\",\"deadline\":3}", Some("1"), Some("t"), "deadline: invalid type: integer `3`"),
            (
                b"{\"id\":1,\"tool\":\"t\",\"priority\":\"top\"}",
                Some("1"),
                Some("t"),
                "priority: unknown variant `top`",
            ),
            (b"{\"id\":1,\"id\":2,\"tool\":\"t\"}", None, None, "duplicate field `id`"),
        ] {
            let invalid = Call::parse(line).unwrap_err();
            let line = String::from_utf8_lossy(line);
            assert_eq!(invalid.id.as_deref().map(RawValue::get), id, "{line}");
            assert_eq!(invalid.tool.as_deref(), tool, "{line}");
            assert!(invalid.message.contains(words), "{line}: {}", invalid.message);
            assert!(!invalid.message.contains(" line "), "{line}: {}", invalid.message);
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let line = format!("{{\"id\":1,\"tool\":\"t\",\"args\":{}}}", "[".repeat(100_000));
        assert!(Call::parse(line.as_bytes()).unwrap_err().message.contains("recursion limit"));
    }
}
