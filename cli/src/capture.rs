//! Reading what a process or a server says, never more of it than a limit.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Appends to `text` until the end of `pipe`; tells whether all of it fitted into `limit` bytes.
pub(crate) async fn read_within(
    mut pipe: impl AsyncRead + Unpin,
    limit: usize,
    text: &mut Vec<u8>,
) -> io::Result<bool> {
    while pipe.read_buf(text).await? > 0 {
        if text.len() > limit {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads until the end of `pipe` and keeps the last of it, at most twice [`TAIL`] bytes.
pub(crate) async fn read_tail(mut pipe: impl AsyncRead + Unpin, tail: &mut Vec<u8>) -> io::Result<()> {
    while pipe.read_buf(tail).await? > 0 {
        if tail.len() > 2 * TAIL {
            tail.drain(..tail.len() - TAIL);
        }
    }
    Ok(())
}

const TAIL: usize = 32 * 1024;

/// The last line of `text` that says something, bounded.
pub(crate) fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(bounded)
}

/// The first line of `text` that says something, bounded.
pub(crate) fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(bounded)
}

fn bounded(line: &str) -> String {
    const LONGEST: usize = 500;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fits_exactly_fits_and_one_byte_more_does_not() {
        let mut text = Vec::new();
        assert!(read_within(&b"12345678"[..], 8, &mut text).await.unwrap());
        assert_eq!(text, b"12345678");
        assert!(!read_within(&b"123456789"[..], 8, &mut Vec::new()).await.unwrap());
    }

    #[tokio::test]
    async fn a_tail_is_bounded_and_keeps_the_end() {
        let mut long = vec![b'x'; 10 * TAIL];
        long.extend(b"\nthe end");
        let mut tail = Vec::new();
        read_tail(&long[..], &mut tail).await.unwrap();
        assert!(tail.len() <= 2 * TAIL);
        assert_eq!(last_line(&tail).as_deref(), Some("the end"));
    }

    #[test]
    fn a_line_is_found_between_blank_ones_and_cut_at_a_character() {
        assert_eq!(last_line(b"one\ntwo \n\n \n").as_deref(), Some("two"));
        assert_eq!(first_line(b"\n\none\ntwo\n").as_deref(), Some("one"));
        assert_eq!(last_line(b" \n"), None);
        let wide = "\u{fc}".repeat(501);
        assert_eq!(last_line(wide.as_bytes()).unwrap().chars().count(), 503);
    }
}
