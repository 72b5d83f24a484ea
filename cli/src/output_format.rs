//! `OutputFormat`: how what a tool prints becomes the output of its call.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How to read what a process wrote to stdout.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutputFormat {
    /// JSON if it is one JSON text, null if it is blank, otherwise text.
    #[default]
    Auto,
    /// JSON; anything else is a failure of the tool.
    Json,
    /// Text, even if it looks like JSON.
    Text,
}

impl OutputFormat {
    /// The output of a call. Text loses one line break at its end, and what is not UTF-8 in it is replaced.
    pub(crate) fn read(self, stdout: &[u8]) -> Result<Value, serde_json::Error> {
        match self {
            Self::Json => serde_json::from_slice(stdout),
            Self::Text => Ok(text(stdout)),
            Self::Auto if stdout.trim_ascii().is_empty() => Ok(Value::Null),
            Self::Auto => Ok(serde_json::from_slice(stdout).unwrap_or_else(|_| text(stdout))),
        }
    }
}

fn text(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Value::String(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn auto_takes_json_text_and_nothing() {
        let auto = |stdout: &[u8]| OutputFormat::Auto.read(stdout).unwrap();
        assert_eq!(auto(b"{\"a\": 1}\n"), json!({"a": 1}));
        assert_eq!(auto(b"two\nlines\n\n"), json!("two\nlines\n"));
        assert_eq!(auto(b" \n"), Value::Null);
        assert_eq!(auto(b"1 2"), json!("1 2"));
        assert_eq!(auto(b"\xff\r\n"), json!("\u{fffd}"));
    }

    #[test]
    fn json_refuses_text_and_text_keeps_json() {
        assert!(OutputFormat::Json.read(b"hello").is_err());
        assert!(OutputFormat::Json.read(b"").is_err());
        assert_eq!(OutputFormat::Text.read(b"7\n").unwrap(), json!("7"));
    }
}
