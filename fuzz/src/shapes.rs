//! Policies and outcomes as a fuzzer can choose them.

use arbitrary::{Arbitrary, Result, Unstructured};
use core::fmt;
use core::time::Duration;
use fusebox_core::*;

/// How a call ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum End {
    /// [`Outcome::Success`].
    Success,
    /// [`Outcome::Failure`].
    Failure,
    /// [`Outcome::Ignored`].
    Ignored,
    /// [`Outcome::Cancelled`].
    Cancelled,
}

impl From<End> for Outcome {
    fn from(end: End) -> Self {
        match end {
            End::Success => Self::Success,
            End::Failure => Self::Failure,
            End::Ignored => Self::Ignored,
            End::Cancelled => Self::Cancelled,
        }
    }
}

/// A bucket's policy with any rate, burst and debt cap.
#[derive(Clone, Copy)]
pub struct AnyBucket(pub BucketPolicy);

impl fmt::Debug for AnyBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, burst, debt) = (self.0.rate(), self.0.burst(), self.0.debt());
        write!(f, "{} tokens per {:?}, burst {burst}, debt {debt}", rate.tokens, rate.per)
    }
}

impl<'a> Arbitrary<'a> for AnyBucket {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const DAY: u64 = 86_400_000_000_000;
        let per = match u.int_in_range(0..=4)? {
            0 | 1 => 1_000_000_000,
            2 => DAY,
            3 => 60_000_000_000,
            _ => u.int_in_range(1..=365 * DAY)?,
        };
        let (least, most) = (per.div_ceil(DAY), per.min(1_000_000_000_000_000));
        let tokens = match u.int_in_range(0..=3)? {
            0 => least,
            1 => (least + u64::from(u.arbitrary::<u8>()?)).min(most),
            2 => u.int_in_range(least..=most)?,
            _ => most - u64::from(u.arbitrary::<u8>()?).min(most - least),
        };
        let rate = Rate { tokens, per: Duration::from_nanos(per) };
        let burst = Tokens::milli(match u.int_in_range(0..=2)? {
            0 => 1 + u64::from(u.arbitrary::<u8>()?),
            1 => 1_000 * (1 + u64::from(u.arbitrary::<u8>()?)),
            _ => 1 + u64::from(u.arbitrary::<u32>()?),
        });
        let policy = BucketPolicy::new(rate, burst).or_else(|_| BucketPolicy::new(rate, Tokens::milli(1)));
        let policy = policy.map_err(|_| arbitrary::Error::IncorrectFormat)?;
        let debt = match u.int_in_range(0..=3)? {
            0 => 0,
            1 => u64::from(u.arbitrary::<u16>()?),
            share => burst.as_milli().saturating_mul(share),
        };
        Ok(Self(policy.with_debt(Tokens::milli(debt)).unwrap_or(policy)))
    }
}

/// A breaker's policy that shows what it does within a few operations, or an extreme one.
#[derive(Clone, Copy)]
pub struct AnyBreaker(pub BreakerPolicy);

impl fmt::Debug for AnyBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.config().fmt(f)
    }
}

impl<'a> Arbitrary<'a> for AnyBreaker {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        const MILLI: u64 = 1_000_000;
        const YEAR: u64 = 365 * 86_400 * 1_000 * MILLI;
        let open_wait = match u.int_in_range(0..=3)? {
            0 => MILLI,
            1 => MILLI * u.int_in_range(1..=10_000)?,
            2 => YEAR,
            _ => u.int_in_range(MILLI..=100_000 * MILLI)?,
        };
        let open_wait_max = match u.int_in_range(0..=2)? {
            0 => open_wait,
            1 => open_wait.saturating_mul(u.int_in_range(1..=200)?).min(YEAR),
            _ => YEAR,
        };
        let lease = match u.int_in_range(0..=2)? {
            0 => 10 * MILLI,
            1 => MILLI * u.int_in_range(10..=10_000)?,
            _ => open_wait * 32,
        };
        BreakerPolicy::new(BreakerConfig {
            trip: if u.ratio(1, 8)? { Trip::Never } else { Trip::Consecutive(u.int_in_range(1..=5)?) },
            open_wait: Duration::from_nanos(open_wait),
            open_wait_factor_milli: if u.arbitrary()? { 2_000 } else { u.int_in_range(1_000..=100_000)? },
            open_wait_max: Duration::from_nanos(open_wait_max),
            jitter: *u.choose(&[Jitter::None, Jitter::Equal, Jitter::Full])?,
            seed: u.arbitrary::<u16>()?.into(),
            probes: u.int_in_range(1..=15)?,
            required_successes: u.int_in_range(1..=15)?,
            probe_lease: Duration::from_nanos(lease.max(10 * MILLI).min(open_wait * 32)),
            cancelled_is_failure: u.arbitrary()?,
        })
        .map(Self)
        .map_err(|error| panic!("in range: {error}"))
    }
}

/// A breaker in any state.
#[derive(Clone, Copy, Debug)]
pub struct AnyState(pub BreakerSnapshot);

impl<'a> Arbitrary<'a> for AnyState {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        if u.ratio(1, 2)? {
            return Ok(Self(BreakerSnapshot::default()));
        }
        let states = [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed];
        Ok(Self(BreakerSnapshot {
            state: *u.choose(&states)?,
            generation: u.arbitrary()?,
            failures: u.arbitrary()?,
            streak: u.arbitrary()?,
            since: Some(Instant::from_nanos(u.arbitrary()?)),
            outstanding: u.arbitrary()?,
            successes: u.arbitrary()?,
            stale: u.arbitrary::<u32>()?.into(),
            ..BreakerSnapshot::default()
        }))
    }
}
