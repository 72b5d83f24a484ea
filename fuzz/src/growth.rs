//! `power`: exponential growth in exact arithmetic.

use num_bigint::BigUint;

/// `initial x (factor / 1000)^steps` rounded down, at most `max`: the least and the greatest value that is right. Whole
/// factors are exact; others may be short by less than `steps` x 2^-61 of the result.
pub fn power(initial: u64, factor_milli: u32, max: u64, steps: u32) -> (u64, u64) {
    let (mut above, mut below) = (BigUint::from(initial), BigUint::from(1_u32));
    for _ in 0..steps {
        if above >= &below * max || factor_milli == 1_000 {
            break; // it can only stay there
        }
        above *= factor_milli;
        below *= 1_000_u32;
    }
    let power = u64::try_from((above / below).min(max.into())).expect("at most the maximum");
    let short =
        if factor_milli.is_multiple_of(1_000) { 0 } else { 1 + ((u128::from(power) * u128::from(steps)) >> 61) };
    (power.saturating_sub(u64::try_from(short).unwrap_or(u64::MAX)), power)
}
