//! `Lines`: the lines of an input, numbered and bounded, read by a thread of their own.

use std::io::{self, BufRead, BufReader, Read};
use std::thread;
use tokio::sync::mpsc;

/// One line of the input.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// What it says.
    pub(crate) text: Text,
}

/// What a line says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Text {
    /// All of it, without the line break.
    Whole(Vec<u8>),
    /// It is longer than [`LONGEST`]; the rest of it was skipped.
    TooLong,
}

/// The longest line that is read, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

/// Starts to read `input`; an error of the input comes last.
///
/// The thread is not waited for: a read from a terminal cannot be interrupted, and it ends with the process.
pub(crate) fn read(input: impl Read + Send + 'static) -> mpsc::Receiver<io::Result<Line>> {
    const AHEAD: usize = 64;
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        for line in numbered(BufReader::new(input), LONGEST) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The lines that are not blank.
fn numbered(mut input: impl BufRead, longest: usize) -> impl Iterator<Item = io::Result<Line>> {
    let mut number = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed {
            number += 1;
            match text(&mut input, longest) {
                Ok(None) => return None,
                Ok(Some(Text::Whole(line))) if line.trim_ascii().is_empty() => {}
                Ok(Some(text)) => return Some(Ok(Line { number, text })),
                Err(error) => {
                    failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    })
}

fn text(input: &mut impl BufRead, longest: usize) -> io::Result<Option<Text>> {
    let mut line = Vec::new();
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1); // one more, for the line break
    if input.take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_none() && line.len() > longest {
        input.skip_until(b'\n')?;
        return Ok(Some(Text::TooLong));
    }
    Ok(Some(Text::Whole(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(u64, Option<String>)> {
        let read = numbered(input, 4).map(Result::unwrap);
        let read = read.map(|line| match line.text {
            Text::Whole(text) => (line.number, Some(String::from_utf8(text).unwrap())),
            Text::TooLong => (line.number, None),
        });
        read.collect()
    }

    #[test]
    fn blank_lines_are_skipped_but_counted() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(lines(b"a\n\n \t\r\nb\r\n\nc"), [(1, some("a")), (4, some("b\r")), (6, some("c"))]);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\n\n"), []);
    }

    #[test]
    fn a_line_may_be_as_long_as_allowed_and_no_longer() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(lines(b"1234\n12345\n123456789\nx\n"), [(1, some("1234")), (2, None), (3, None), (4, some("x"))]);
        assert_eq!(lines(b"1234"), [(1, some("1234"))]);
        assert_eq!(lines(b"12345"), [(1, None)]);
    }

    #[test]
    fn an_error_of_the_input_comes_last() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let input = BufReader::new(b"a\n".chain(Broken));
        let read: Vec<_> = numbered(input, 4).map(|line| line.map(|line| line.number).ok()).collect();
        assert_eq!(read, [Some(1), None]);
    }
}
