//! `Fields`: a tool's configuration as numbers, with its text, and with the fields that are outside of their documented
//! ranges, the oracle of the configuration.

use arbitrary::Arbitrary;
use fusebox::ErrorCategory;
use serde_json::{Map, Value, json};

/// A configuration of which every field may be absent.
#[derive(Arbitrary, Clone, Debug)]
pub struct Fields {
    timeout: Option<Span>,
    timeout_ms: Option<Millis>,
    deadline: Option<Span>,
    max_wait: Option<Span>,
    max_retries: Option<u32>,
    backoff_base: Option<Span>,
    backoff_factor: Option<Decimal>,
    backoff_cap: Option<Span>,
    backoff_jitter: Option<Jitter>,
    backoff_base_ms: Option<Millis>,
    breaker: Option<bool>,
    consecutive_failures: Option<u32>,
    open_wait: Option<Span>,
    open_wait_factor: Option<Decimal>,
    open_wait_max: Option<Span>,
    breaker_jitter: Option<Jitter>,
    probes: Option<u8>,
    required_successes: Option<u8>,
    probe_lease: Option<Span>,
    cancelled_is_failure: Option<bool>,
    rate: Option<bool>,
    limit: Option<(Tokens, Span)>,
    burst: Option<Decimal>,
    bulkhead: Option<bool>,
    max_in_flight: Option<u32>,
    categories: Vec<(u8, Option<bool>, Option<bool>)>,
    idle_timeout: Option<Span>,
    idempotent: Option<bool>,
    nested_retries: Option<bool>,
    retry_budget: Option<bool>,
    share: Option<Decimal>,
    per_second: Option<Decimal>,
    window: Option<Span>,
    saved: Option<Decimal>,
}

/// A duration, often one at the end of a range.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    Nanos(u64),
    Millis(u32),
    Seconds(u16),
    Hours(u16),
    /// So many nanoseconds from a millisecond.
    AtMilli(i8),
    /// So many nanoseconds from ten of them.
    AtTenMillis(i8),
    /// So many nanoseconds from 365 days.
    AtYear(i8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Millis {
    Any(u64),
    Few(u16),
    AtYear(i8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Decimal {
    Milli(u32),
    Whole(u16),
    Any(f64),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Tokens {
    Few(u8),
    Any(u64),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Jitter {
    None,
    Equal,
    Full,
}

const MILLI: u128 = 1_000_000;
const SECOND: u128 = 1_000 * MILLI;
const DAY: u128 = 86_400 * SECOND;
const YEAR: u128 = 365 * DAY;

impl Span {
    fn nanos(self) -> u128 {
        let near = |nanos: u128, more: i8| nanos.saturating_add_signed(more.into());
        match self {
            Self::Nanos(nanos) => nanos.into(),
            Self::Millis(millis) => u128::from(millis) * MILLI,
            Self::Seconds(seconds) => u128::from(seconds) * SECOND,
            Self::Hours(hours) => u128::from(hours) * 3_600 * SECOND,
            Self::AtMilli(more) => near(MILLI, more),
            Self::AtTenMillis(more) => near(10 * MILLI, more),
            Self::AtYear(more) => near(YEAR, more),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Millis(millis) => format!("{millis}ms"),
            Self::Seconds(seconds) => format!("{}m {}s", seconds / 60, seconds % 60),
            Self::Hours(hours) => format!("{}days {}h", hours / 24, hours % 24),
            _ => format!("{}ns", self.nanos()),
        }
    }
}

impl Millis {
    fn value(self) -> u64 {
        match self {
            Self::Any(millis) => millis,
            Self::Few(millis) => millis.into(),
            Self::AtYear(more) => (365 * 86_400_000_u64).saturating_add_signed(more.into()),
        }
    }

    fn nanos(self) -> u128 {
        u128::from(self.value()) * MILLI
    }
}

impl Decimal {
    fn value(self) -> f64 {
        match self {
            Self::Milli(milli) => f64::from(milli) / 1_000.0,
            Self::Whole(whole) => whole.into(),
            Self::Any(any) if any.is_finite() => any,
            Self::Any(_) => 0.0, // JSON has no such number
        }
    }

    /// Rounded to thousandths, if that is in range.
    fn milli(self, least: u64, most: u64) -> Option<u64> {
        let milli = (self.value() * 1_000.0).round();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within range, as just checked")]
        (milli >= least as f64 && milli <= most as f64).then_some(milli as u64)
    }
}

impl Tokens {
    fn value(self) -> u64 {
        match self {
            Self::Few(tokens) => tokens.into(),
            Self::Any(tokens) => tokens,
        }
    }
}

impl Jitter {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Equal => "equal",
            Self::Full => "full",
        }
    }
}

impl Fields {
    /// The configuration as a JSON object.
    pub fn json(&self) -> Value {
        let mut categories = Map::new();
        for (category, trips, retry) in &self.categories {
            let category = ErrorCategory::ALL[usize::from(*category) % ErrorCategory::ALL.len()];
            categories.insert(category.name().to_owned(), object([("trips", json(*trips)), ("retry", json(*retry))]));
        }
        let text = |span: Option<Span>| json(span.map(Span::text));
        let number = |decimal: Option<Decimal>| json(decimal.map(Decimal::value));
        let limit = self.limit.map(|(tokens, span)| format!("{}/{}", tokens.value(), span.text()));
        object([
            ("timeout", text(self.timeout)),
            ("timeout_ms", json(self.timeout_ms.map(Millis::value))),
            ("deadline", text(self.deadline)),
            ("max_wait", text(self.max_wait)),
            ("max_retries", json(self.max_retries)),
            ("backoff_base_ms", json(self.backoff_base_ms.map(Millis::value))),
            (
                "backoff",
                object([
                    ("base", text(self.backoff_base)),
                    ("factor", number(self.backoff_factor)),
                    ("cap", text(self.backoff_cap)),
                    ("jitter", json(self.backoff_jitter.map(Jitter::name))),
                ]),
            ),
            (
                "breaker",
                object([
                    ("enabled", json(self.breaker)),
                    ("consecutive_failures", json(self.consecutive_failures)),
                    ("open_wait", text(self.open_wait)),
                    ("open_wait_factor", number(self.open_wait_factor)),
                    ("open_wait_max", text(self.open_wait_max)),
                    ("jitter", json(self.breaker_jitter.map(Jitter::name))),
                    ("probes", json(self.probes)),
                    ("required_successes", json(self.required_successes)),
                    ("probe_lease", text(self.probe_lease)),
                    ("cancelled_is_failure", json(self.cancelled_is_failure)),
                ]),
            ),
            ("rate", object([("enabled", json(self.rate)), ("limit", json(limit)), ("burst", number(self.burst))])),
            ("bulkhead", object([("enabled", json(self.bulkhead)), ("max_in_flight", json(self.max_in_flight))])),
            ("categories", Value::Object(categories)),
            ("idle_timeout", text(self.idle_timeout)),
            ("idempotent", json(self.idempotent)),
            ("nested_retries", json(self.nested_retries)),
            (
                "retry_budget",
                object([
                    ("enabled", json(self.retry_budget)),
                    ("share", number(self.share)),
                    ("per_second", number(self.per_second)),
                    ("window", text(self.window)),
                    ("burst", number(self.saved)),
                ]),
            ),
        ])
    }

    /// The fields that are outside of the ranges that their documentation gives.
    pub fn wrong(&self) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        let mut check = |field, right: bool| {
            if !right {
                wrong.push(field);
            }
        };
        let (timeout, in_millis) = (self.timeout.map(Span::nanos), self.timeout_ms.map(Millis::nanos));
        check("timeout_ms", timeout.is_none() || in_millis.is_none());
        let timeout = timeout.or(in_millis).unwrap_or(30 * SECOND);
        check("timeout", (MILLI..=YEAR).contains(&timeout));
        check("deadline", (MILLI..=YEAR).contains(&self.deadline.map_or(YEAR, Span::nanos)));
        check("max_wait", self.max_wait.map_or(0, Span::nanos) <= YEAR);

        check("idle_timeout", (MILLI..=YEAR).contains(&self.idle_timeout.map_or(YEAR, Span::nanos)));
        if self.retry_budget != Some(false) {
            const MOST: u64 = 100_000_000;
            let milli = |given: Option<Decimal>, default, most| given.map_or(Some(default), |it| it.milli(0, most));
            check("retry_budget.share", milli(self.share, 200, 10_000).is_some());
            let (floor, saved) = (milli(self.per_second, 10_000, MOST), milli(self.saved, 1_000_000, MOST));
            check("retry_budget.per_second", floor.is_some());
            let window = self.window.map_or(10 * SECOND, Span::nanos);
            // in which the floor earns two retries, and no more than can be saved
            let floor = u128::from(floor.unwrap_or(0));
            let right = (SECOND..=3_600 * SECOND).contains(&window)
                && (floor == 0 || floor * window >= 2_000 * SECOND)
                && floor * window <= u128::from(MOST) * SECOND;
            check("retry_budget.window", right);
            let least = (floor * window).div_ceil(SECOND).max(1_000);
            let enough = self.saved.is_none() || saved.is_some_and(|saved| !right || u128::from(saved) >= least);
            check("retry_budget.burst", enough);
        }

        let (base, in_millis) = (self.backoff_base.map(Span::nanos), self.backoff_base_ms.map(Millis::nanos));
        check("backoff_base_ms", base.is_none() || in_millis.is_none());
        let base = base.or(in_millis).unwrap_or(500 * MILLI);
        check("backoff.base", base <= YEAR);
        check("backoff.factor", self.backoff_factor.is_none_or(|factor| factor.milli(1_000, 100_000).is_some()));
        let cap = self.backoff_cap.map_or(base.max(30 * SECOND), Span::nanos);
        check("backoff.cap", (base..=YEAR).contains(&cap));

        if self.breaker != Some(false) {
            check("breaker.consecutive_failures", self.consecutive_failures != Some(0));
            let open_wait = self.open_wait.map_or(5 * SECOND, Span::nanos);
            check("breaker.open_wait", (MILLI..=YEAR).contains(&open_wait));
            let factor = self.open_wait_factor;
            check("breaker.open_wait_factor", factor.is_none_or(|factor| factor.milli(1_000, 100_000).is_some()));
            let longest = self.open_wait_max.map_or(open_wait.max(120 * SECOND), Span::nanos);
            check("breaker.open_wait_max", (open_wait..=YEAR).contains(&longest));
            check("breaker.probes", self.probes.is_none_or(|probes| (1..=15).contains(&probes)));
            let required = self.required_successes;
            check("breaker.required_successes", required.is_none_or(|required| (1..=15).contains(&required)));
            let lease = self.probe_lease.map(Span::nanos);
            check("breaker.probe_lease", lease.is_none_or(|lease| (10 * MILLI..=32 * open_wait).contains(&lease)));
        }
        if self.rate != Some(false) {
            let (tokens, per) = self.limit.map_or((2, SECOND), |(tokens, span)| (tokens.value().into(), span.nanos()));
            // 1 per day to 1 per ns, and a period of a year at most
            let right = (1..=YEAR).contains(&per) && tokens * DAY >= per && tokens <= per;
            check("rate.limit", right);
            let burst = self.burst.map_or(Some(10_000), |burst| burst.milli(1, 1 << 51));
            check("rate.burst", burst.is_some_and(|burst| !right || burst <= most_burst(tokens, per)));
        }
        match (self.bulkhead, self.max_in_flight) {
            (Some(false), _) | (None, None) => {}
            (Some(true), None) | (_, Some(0)) => check("bulkhead.max_in_flight", false),
            (_, Some(_)) => {}
        }
        wrong
    }
}

/// 2^60 units in thousandths of a token, by the formulas of the bucket's policy.
fn most_burst(tokens: u128, per: u128) -> u64 {
    let common = gcd(tokens, per);
    let (n, per) = (tokens / common, per / common);
    let m = 1_000 / gcd(1_000, per);
    let units_per_milli = if n * m <= 1_000 { per * m / 1_000 } else { (per / (n * 1_000)).max(1) };
    u64::try_from((1 << 60) / units_per_milli).expect("at most 2^60")
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn json<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}

/// An object of the members that are not null.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    json!(members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
