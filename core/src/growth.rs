//! Exponential growth under a maximum, in integers: the waits of a breaker and the delays of a backoff.

/// `initial x factor^steps`, at most `max`; the factor is in thousandths.
///
/// Stops as soon as the value no longer changes, so the cost is bounded whatever `steps` is.
pub(crate) const fn grow(initial: u64, factor_milli: u32, max: u64, steps: u32) -> u64 {
    let mut value = initial;
    let mut step: u32 = 0;
    while step < steps && value < max {
        let product = (value as u128).saturating_mul(factor_milli as u128) / 1_000;
        let next = if product > max as u128 { max } else { crate::time::low(product) };
        if next == value {
            break;
        }
        value = next;
        step = step.saturating_add(1);
    }
    if value > max { max } else { value }
}

#[cfg(test)]
mod tests {
    use super::grow;

    #[test]
    fn growth_doubles_up_to_the_maximum() {
        for (steps, wait) in (0..).zip([5, 10, 20, 40, 80, 120, 120]) {
            assert_eq!(grow(5, 2_000, 120, steps), wait);
        }
    }

    #[test]
    fn growth_ends_early_where_it_no_longer_moves() {
        assert_eq!(grow(5, 1_000, 120, u32::MAX), 5);
        assert_eq!(grow(1, 1_100, 120, u32::MAX), 1);
        assert_eq!(grow(200, 2_000, 120, 0), 120);
        assert_eq!(grow(u64::MAX - 1, 100_000, u64::MAX, 1), u64::MAX);
    }
}
