//! The suite's simulated time: nanoseconds since an origin, passed to every call.

/// Nanoseconds since the origin of the simulated clock.
pub type Nanos = u64;

/// One millisecond.
pub const MILLI: Nanos = 1_000_000;
/// One second.
pub const SECOND: Nanos = 1_000 * MILLI;
/// One hour.
pub const HOUR: Nanos = 3_600 * SECOND;
/// One day.
pub const DAY: Nanos = 24 * HOUR;

/// What clock a library lets its caller supply. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClockKind {
    /// Any reading, older ones included.
    Any,
    /// Only readings that never decrease.
    Forward,
    /// None: the library reads a clock of its own. The suite then asks for open waits of zero.
    Own,
}

/// Seconds with up to three decimals and thousands separators: `3,610.5 s`.
pub(crate) fn seconds(span: Nanos) -> String {
    let (whole, millis) = (grouped(span / SECOND), span % SECOND / MILLI);
    match millis {
        0 => format!("{whole} s"),
        _ => format!("{} s", format!("{whole}.{millis:03}").trim_end_matches('0')),
    }
}

/// A count with thousands separators.
pub(crate) fn grouped(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        _ => format!("{},{:03}", grouped(count / 1_000), count % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_separators_and_without_trailing_zeros() {
        assert_eq!(grouped(1_234_005), "1,234,005");
        assert_eq!(seconds(3_610 * SECOND), "3,610 s");
        assert_eq!(seconds(SECOND / 2), "0.5 s");
    }
}
