//! `is_longer_than`: whether a value is too long as JSON, found out without writing it.

use serde::Serialize;
use serde_json::Value;
use std::io;

/// Whether `value` as JSON, without spaces, is longer than `max` bytes.
///
/// Cost: looks at no more than about `max` bytes of the value, however long it is; no heap use where it is not too long.
pub(crate) fn is_longer_than(value: &Value, max: usize) -> bool {
    Room(max).take(value).is_err()
}

/// The bytes that may still be written.
struct Room(usize);

/// That there is no room.
struct TooLong;

impl Room {
    fn take(&mut self, value: &Value) -> Result<(), TooLong> {
        match value {
            Value::Array(items) => {
                self.take_brackets(items.len())?;
                items.iter().try_for_each(|item| self.take(item))
            }
            Value::Object(fields) => {
                self.take_brackets(fields.len())?;
                fields.iter().try_for_each(|(name, value)| {
                    self.take_text(name)?;
                    self.take_bytes(":".len())?;
                    self.take(value)
                })
            }
            Value::String(text) => self.take_text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.take_written(value),
        }
    }

    /// The brackets round this many items, and the commas between them.
    fn take_brackets(&mut self, items: usize) -> Result<(), TooLong> {
        self.take_bytes("[]".len().saturating_add(items.saturating_sub(1)))
    }

    fn take_text(&mut self, text: &str) -> Result<(), TooLong> {
        // a text is escaped as a whole before the first byte of it is written: a long one is refused before that
        if text.len() > self.0 {
            return Err(TooLong);
        }
        self.take_written(text)
    }

    fn take_written(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), TooLong> {
        serde_json::to_writer(self, value).map_err(|_| TooLong)
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), TooLong> {
        self.0 = self.0.checked_sub(bytes).ok_or(TooLong)?;
        Ok(())
    }
}

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take_bytes(bytes.len()) {
            Ok(()) => Ok(bytes.len()),
            Err(TooLong) => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
