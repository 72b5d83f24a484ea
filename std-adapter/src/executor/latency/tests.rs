//! Percentiles of known distributions, and that the past is forgotten.

use super::*;
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Whether `told` is `exact`, or at most 1% longer.
fn is_about(told: Option<Duration>, exact: Duration) -> bool {
    told.is_some_and(|told| told >= exact && told <= exact.mul_f64(1.01))
}

#[test]
fn percentiles_of_one_to_a_hundred_milliseconds_are_their_own_names() {
    let latency = Latency::new(1);
    for millis in (1..=100).rev() {
        latency.record(ms(millis));
    }
    for percentile in [1, 50, 90, 95, 99, 100_u32] {
        let told = latency.percentile(f64::from(percentile));
        assert!(is_about(told, ms(u64::from(percentile))), "{percentile}: {told:?}");
    }
}

#[test]
fn a_rare_long_attempt_is_seen_by_the_percentile_above_it_only() {
    let latency = Latency::new(1);
    for number in 0..100 {
        latency.record(if number % 20 == 0 { ms(900) } else { ms(10) });
    }
    assert!(is_about(latency.percentile(95.0), ms(10)));
    assert!(is_about(latency.percentile(96.0), ms(900)));
}

#[test]
fn nothing_is_told_of_too_few() {
    let latency = Latency::new(20);
    for _ in 0..19 {
        latency.record(ms(5));
        assert_eq!(latency.percentile(95.0), None);
    }
    latency.record(ms(5));
    assert!(is_about(latency.percentile(95.0), ms(5)));
}

#[test]
fn a_minimum_out_of_range_counts_as_the_nearest() {
    let latency = Latency::new(0);
    assert_eq!(latency.percentile(50.0), None);
    latency.record(ms(5));
    assert!(latency.percentile(50.0).is_some());

    let latency = Latency::new(u32::MAX);
    (1..ENOUGH).for_each(|_| latency.record(ms(5)));
    assert_eq!(latency.percentile(50.0), None);
    // from here on it is always told, though histograms are swapped
    for _ in 0..5 * ENOUGH {
        latency.record(ms(5));
        assert!(latency.percentile(50.0).is_some());
    }
}

#[test]
fn the_past_is_forgotten_after_two_windows_at_the_latest() {
    let latency = Latency::new(1);
    (0..10 * ENOUGH).for_each(|_| latency.record(ms(1_000)));
    (0..2 * ENOUGH).for_each(|_| latency.record(ms(10)));
    assert!(is_about(latency.percentile(100.0), ms(10)));
}

#[test]
fn a_window_is_remembered_at_least() {
    let latency = Latency::new(1);
    (0..3 * ENOUGH).for_each(|_| latency.record(ms(10)));
    latency.record(ms(1_000));
    for _ in 1..ENOUGH {
        assert!(is_about(latency.percentile(100.0), ms(1_000)));
        latency.record(ms(10));
    }
    assert!(is_about(latency.percentile(100.0), ms(1_000)));
}

#[test]
fn durations_out_of_range_count_as_the_nearest() {
    let latency = Latency::new(1);
    latency.record(Duration::ZERO);
    assert_eq!(latency.percentile(100.0), Some(Duration::from_micros(1)));
    latency.record(Duration::MAX);
    assert_eq!(latency.percentile(100.0), Some(LONGEST));
}

#[test]
fn percentiles_out_of_range_count_as_the_nearest() {
    let latency = Latency::new(1);
    [1, 2, 3].into_iter().for_each(|millis| latency.record(ms(millis)));
    assert_eq!(latency.percentile(-5.0), latency.percentile(0.0));
    assert_eq!(latency.percentile(500.0), latency.percentile(100.0));
    assert!(latency.percentile(f64::NAN).is_some());
}

proptest! {
    /// Against sorting what the histogram that is read must know.
    #[test]
    fn any_percentile_is_that_of_the_latest_attempts(
        micros in proptest::collection::vec(1..10_000_000_u64, 1..3_000),
        percentile in 1..=100_usize,
    ) {
        let latency = Latency::new(1);
        micros.iter().for_each(|&micros| latency.record(Duration::from_micros(micros)));
        let enough = usize::try_from(ENOUGH).unwrap();
        let forgotten = (micros.len() / enough).saturating_sub(1) * enough;
        let mut known = micros[forgotten..].to_vec();
        known.sort_unstable();
        let rank = (known.len() * percentile).div_ceil(100);
        // where it comes out even, a rounding error of the percentile may lead to the next one
        let even = known.len() * percentile % 100 == 0;
        let ranks = rank..=(rank + usize::from(even)).min(known.len());
        let told = latency.percentile(percentile as f64);
        let mut exact = ranks.map(|rank| Duration::from_micros(known[rank - 1]));
        prop_assert!(exact.any(|exact| is_about(told, exact)), "{:?} of {} is {:?}", percentile, known.len(), told);
    }
}
