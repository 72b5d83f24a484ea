//! `excerpt`: the beginning of a text that may be long, written no further than that.

use core::fmt::Write as _;
use std::fmt;

/// The text of `shown`, and where it is longer than `max` bytes, its beginning and `…`.
pub(super) fn excerpt(shown: impl fmt::Display, max: usize) -> String {
    let mut excerpt = Excerpt { text: String::new(), max };
    if write!(excerpt, "{shown}").is_err() {
        excerpt.text.push('…');
    }
    excerpt.text
}

struct Excerpt {
    text: String,
    max: usize,
}

impl fmt::Write for Excerpt {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.max - self.text.len();
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        // the error ends the writing, so that the rest is not even formatted
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
