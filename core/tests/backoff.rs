//! The backoffs: never above their cap, within their bands, at a bounded cost.

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;

const YEAR: u64 = 365 * 86_400 * 1_000_000_000;

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![0_u64..1_000, 0_u64..60_000_000_000, 0_u64..=YEAR].prop_map(Duration::from_nanos)
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full)]
}

fn draw() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]
}

proptest! {
    #[test]
    fn no_delay_is_above_its_cap_or_outside_its_jitters_band(
        (base, cap) in (span(), span()).prop_map(|(a, b)| (a.min(b), a.max(b))),
        factor_milli in prop_oneof![Just(1_000_u32), Just(1_001), Just(2_000), 1_000_u32..=100_000],
        jitter in any_jitter(),
        retry in prop_oneof![0_u32..70, any::<u32>(), Just(u32::MAX)],
        random in draw(),
    ) {
        let with = |jitter| Backoff::new(BackoffConfig { base, factor_milli, cap, jitter }).expect("in range");
        let (full, delay) = (with(Jitter::None).delay(retry, random), with(jitter).delay(retry, random));
        prop_assert!(full <= cap && full >= base);
        prop_assert!(with(Jitter::None).delay(retry.saturating_add(1), random) >= full, "delays never shrink");
        match jitter {
            Jitter::None => prop_assert_eq!(delay, full),
            Jitter::Equal => prop_assert!(delay <= full && delay >= full / 2),
            _ => prop_assert!(delay <= full),
        }
    }

    #[test]
    fn a_fixed_delay_is_the_same_for_every_retry(delay in span(), retry: u32, random in draw()) {
        prop_assert_eq!(Backoff::fixed(delay, Jitter::None)?.delay(retry, random), delay);
        prop_assert!(Backoff::fixed(delay, Jitter::Full)?.delay(retry, random) <= delay);
    }

    #[test]
    fn a_decorrelated_delay_lies_between_base_and_three_times_the_last_and_within_the_cap(
        (base, cap) in (span(), span()).prop_map(|(a, b)| (a.min(b), a.max(b))),
        previous in prop::option::of(prop_oneof![span(), Just(Duration::MAX)]),
        random in draw(),
    ) {
        let backoff = DecorrelatedBackoff::new(base, cap)?;
        let delay = backoff.delay(previous, random);
        let top = previous.unwrap_or(base).saturating_mul(3).max(base);
        prop_assert!(delay >= base && delay <= cap && delay <= top, "{delay:?}");
    }

    #[test]
    fn a_decorrelated_delay_reaches_all_of_its_range(base in 0_u64..YEAR / 4, previous in 0_u64..YEAR / 4) {
        let previous = previous.max(base);
        let backoff = DecorrelatedBackoff::new(Duration::from_nanos(base), Duration::from_nanos(YEAR))?;
        let delay = |random| u64::try_from(backoff.delay(Some(Duration::from_nanos(previous)), random).as_nanos());
        prop_assert_eq!(delay(0)?, base);
        prop_assert!(delay(u64::MAX)? + 1 >= 3 * previous);
        prop_assert!(delay(1 << 63)?.abs_diff(base + (3 * previous - base) / 2) <= 1, "the draw is uniform");
    }
}

#[test]
fn a_chain_of_decorrelated_delays_climbs_to_the_cap_and_stays_within_it() {
    let backoff = DecorrelatedBackoff::DEFAULT;
    let (mut previous, mut longest) = (None, Duration::ZERO);
    for retry in 0..10_000_u64 {
        let delay = backoff.delay(previous, retry.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(delay >= backoff.base() && delay <= backoff.cap());
        (previous, longest) = (Some(delay), longest.max(delay));
    }
    assert_eq!(longest, backoff.cap());
}

#[test]
fn exponential_delays_are_the_powers_of_the_factor() {
    let config = BackoffConfig { cap: Duration::from_secs(3_600), jitter: Jitter::None, ..BackoffConfig::DEFAULT };
    let (double, half_more) = (Backoff::new(config), Backoff::new(BackoffConfig { factor_milli: 1_500, ..config }));
    let (double, half_more) = (double.expect("in range"), half_more.expect("in range"));
    for (retry, millis) in (0..).zip([500, 1_000, 2_000, 4_000, 8_000, 16_000]) {
        assert_eq!(double.delay(retry, 0), Duration::from_millis(millis));
    }
    for (retry, micros) in (0..).zip([500_000, 750_000, 1_125_000, 1_687_500, 2_531_250]) {
        assert_eq!(half_more.delay(retry, 0), Duration::from_micros(micros));
    }
}

#[test]
fn a_factor_just_above_one_costs_no_more_than_any_other() {
    // one multiplication a retry would take a minute here
    let config = BackoffConfig {
        base: Duration::from_nanos(1_000),
        factor_milli: 1_001,
        cap: Duration::from_nanos(YEAR),
        jitter: Jitter::None,
    };
    let backoff = Backoff::new(config).expect("in range");
    for retry in (0..u32::MAX).step_by(4_294) {
        assert!(backoff.delay(retry, 0) <= config.cap);
    }
    assert_eq!(backoff.delay(u32::MAX, 0), config.cap);
}

#[test]
fn every_value_of_a_decorrelated_backoff_is_checked() {
    let (tick, year) = (Duration::from_nanos(1), Duration::from_nanos(YEAR));
    let field = |base, cap| DecorrelatedBackoff::new(base, cap).err().map(|error| error.field);
    assert_eq!((field(Duration::ZERO, Duration::ZERO), field(year, year)), (None, None));
    assert_eq!(field(year + tick, year + tick), Some("backoff.base"));
    assert_eq!((field(tick, Duration::ZERO), field(tick, year + tick)), (Some("backoff.cap"), Some("backoff.cap")));
    assert_eq!(Backoff::fixed(year + tick, Jitter::None).err().map(|error| error.field), Some("backoff.base"));
}
