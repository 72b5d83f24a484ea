//! `Gauge`: what one limiter may admit at most, reckoned from its policies alone.
//!
//! A gauge takes tokens when an attempt begins and gives them back when it is cut. A limiter gives back no more and takes no
//! less, so its level is never above the gauge's; and when it admits, the gauge has not gone below nothing (T1), but for what
//! was booked before.

use fusebox::PolicyConfig;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// The limits of one limiter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// Tokens.
    pub(crate) burst: f64,
    /// Tokens per second.
    pub(crate) rate: f64,
    pub(crate) slots: Option<u32>,
}

impl Bounds {
    /// The limits of a checked policy.
    pub(crate) fn of(effective: &PolicyConfig) -> Self {
        let limit = effective.rate.limit.expect("every policy here has a rate").0;
        Self {
            burst: effective.rate.burst.expect("and a burst"),
            rate: limit.tokens as f64 / limit.per.as_secs_f64(),
            slots: effective.bulkhead.max_in_flight,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    bounds: Bounds,
    level: f64,
    at: Instant,
    /// What calls may have booked since the gauge was full, and taken later. It comes on top of burst and rate.
    booked: f64,
    /// All that has flowed in, of which a limiter may be off by a millionth (T3).
    flowed: f64,
    /// The attempts that run, by call.
    inside: BTreeMap<u64, u32>,
}

impl Gauge {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, level: bounds.burst, at: Instant::now(), booked: 0.0, flowed: 0.0, inside: BTreeMap::new() }
    }

    /// An attempt of a call begins that costs so many tokens, while calls may have `booked` others.
    pub(crate) fn begin(&mut self, call: u64, cost: f64, booked: f64) -> Result<(), String> {
        self.refill();
        self.level -= cost;
        *self.inside.entry(call).or_default() += 1;
        self.booked = self.booked.max(booked);
        let slack = 0.002 + self.flowed * 1e-6;
        if self.level < -slack - self.booked {
            return Err(format!("T1: more was admitted than the rate allows: {self:?}"));
        }
        if self.bounds.slots.is_some_and(|slots| self.inside() > slots) {
            return Err(format!("more are in flight than the bulkhead allows: {self:?}"));
        }
        Ok(())
    }

    /// The attempt is over; one that was cut has used nothing up.
    pub(crate) fn end(&mut self, call: u64, cost: f64, cut: bool) {
        if let Some(attempts) = self.inside.get_mut(&call) {
            *attempts -= 1;
        }
        self.inside.retain(|_, attempts| *attempts > 0);
        if cut {
            self.refill();
            self.level = (self.level + cost).min(self.bounds.burst);
        }
    }

    /// The limits change. The level stays in proportion; those who have booked with `debt` go when they were told.
    pub(crate) fn change(&mut self, bounds: Bounds, debt: f64) {
        self.refill();
        if bounds != self.bounds {
            let ratio = bounds.burst / self.bounds.burst;
            self.level *= ratio;
            self.booked = (self.booked + debt) * ratio.max(1.0);
            self.bounds = bounds;
        }
    }

    /// The attempts that run.
    pub(crate) fn inside(&self) -> u32 {
        self.inside.values().sum()
    }

    /// The calls that they are of.
    pub(crate) fn calls(&self) -> usize {
        self.inside.len()
    }

    pub(crate) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let inflow = now.saturating_duration_since(self.at).as_secs_f64() * self.bounds.rate;
        self.flowed += inflow;
        self.level = (self.level + inflow).min(self.bounds.burst);
        if self.level >= self.bounds.burst {
            self.booked = 0.0;
        }
        self.at = now;
    }
}
