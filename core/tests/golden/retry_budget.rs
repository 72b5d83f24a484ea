//! The retry budget: what calls and time earn, and what a retry takes.

use super::table::{Cell, Table, span, wait};
use super::{SECOND, START, at};
use core::time::Duration;
use fusebox_core::*;

const NOTE: &str = "\
A call earns half a retry, a second earns one; a window of 4 s, so every 2 s what calls have saved halves; at most 10
saved. The state is the balance at `S`, where a half window begins. *Early*, *at* and *late* (an hour) are relative to
its end; *at S* is `S`, *back* is 1 ns before it, a reading that may be late, and *far back* an hour. *Ask*: what a
withdrawal would be told, when that changes by time alone, and whether a new budget would do the same.";

pub(crate) fn table() -> Table {
    let mut table = Table::new("Retry budget", NOTE);
    let policy = RetryBudgetPolicy::new(RetryBudgetConfig {
        share_milli: 500,
        floor_per_second: Tokens::ONE,
        window: Duration::from_secs(4),
        burst: Tokens::whole(10),
    })
    .expect("in range");
    let balance = |milli| RetryBudgetState::with_balance(Tokens::milli(milli), at(START), &policy);
    let starts = [
        ("never touched", RetryBudgetState::NEW),
        ("0 saved", balance(0)),
        ("0.999 saved", balance(999)),
        ("1 saved", balance(1_000)),
        ("8 saved", balance(8_000)),
        ("more than the most saved", balance(100_000)),
    ];
    for (name, state) in starts {
        let name = format!("{name}: {}", state.balance(at(START), &policy));
        let mut enter = |event: &str, run: &dyn Fn(Instant) -> (RetryBudgetState, String)| {
            let boundary = START + 2 * SECOND;
            let times = [
                ("far back", START - 3_600 * SECOND),
                ("back", START - 1),
                ("at S", START),
                ("early", boundary - 1),
                ("at", boundary),
                ("late", START + 3_600 * SECOND),
            ];
            let results = times.map(|(when, now)| {
                let (next, verdict) = run(at(now));
                assert_eq!(RetryBudget::from_state(next).state(), next, "its word holds every state");
                let kept = next == state;
                let balance = next.balance(at(now), &policy);
                Cell { when, verdict, next: if kept { format!("unchanged: {balance}") } else { balance.to_string() } }
            });
            table.enter(&name, event, results.into());
        };
        enter("withdraw", &|now| {
            let (next, taken) = state.withdraw(now, &policy);
            (next, taken.map_or_else(wait, |()| "admitted".into()))
        });
        enter("ask", &|now| {
            let answer = state.refusal(now, &policy).map_or("would be admitted".into(), wait);
            let change = state.next_change(now, &policy).map(|nanos| format!("changes in {}", span(nanos)));
            let fresh = if state.is_fresh(now, &policy) { ", as new" } else { "" };
            (state, format!("{answer}, {}{fresh}", change.unwrap_or("stays".into())))
        });
        enter("deposit", &|now| (state.deposit(now, &policy), "earned".into()));
        enter("refund", &|now| (state.refund(now, &policy), "taken back".into()));
    }
    table
}
