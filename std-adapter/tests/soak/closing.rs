//! The end: after a quiet time everything is as if nobody had ever called, but for the counters, and these add up.

use super::cast::{NAMES, args};
use super::configs::{self, HOSTS};
use super::operator::apply;
use super::stage::Stage;
use super::watched::Watched;
use core::time::Duration;
use fastrand::Rng;
use fusebox::testing::{every_call_accounted_for, nothing_in_flight};
use fusebox::{BreakerStateName, CallOptions, CounterSnapshot, Priority};
use std::sync::Arc;
use tokio::time::sleep;

pub(crate) async fn close(stage: Arc<Stage>, rng: &mut Rng) {
    balance(&stage);
    for name in NAMES {
        stage.faults(name).iter().for_each(fusebox::testing::Faults::stop);
    }
    apply(&stage, configs::calm(rng));
    sleep(Duration::from_secs(3_600)).await;
    for (name, [level, booked, burst]) in stage.levels() {
        assert_eq!((level, booked), (burst, 0.0), "{name}: tokens that were lost, or are still booked");
    }
    recover(&stage).await;
    balance(&stage);

    stage.drop_registry();
    assert_eq!(stage.tools_alive(), 0, "tools that were not freed");
    assert!(stage.books.are_closed(), "somebody is left who could report something");
}

/// Nothing is under way, and every number of the adapter is that of the books.
fn balance(stage: &Stage) {
    let registry = stage.registry();
    stage.inspect();
    stage.books.check_that_nobody_works();
    nothing_in_flight(&registry);
    assert_eq!(stage.inside(), 0, "attempts that still run");
    let (counted, sums) = (stage.counters(), stage.books.sums());
    let mut all = CounterSnapshot::default();
    for (name, counters) in &counted {
        every_call_accounted_for(counters);
        assert_eq!(Some(counters), sums.get(name), "{name}: counted, and what the books say");
        all += *counters;
    }
    println!("{} calls, {all:?}", stage.books.calls());
    // a run in which something never happened says nothing about it
    let counts = serde_json::to_value(all).expect("it is data");
    for (name, count) in counts.as_object().into_iter().flatten() {
        let may_be_none = name == "probes_lost" || name == "invalid_args" && cfg!(not(feature = "json-schema"));
        assert!(may_be_none || *count != 0, "{name}: never, in {all:?}");
    }
}

/// Everything is well again: one good call closes each breaker that is not.
async fn recover(stage: &Arc<Stage>) {
    for name in NAMES {
        let hosts: &[&str] = if name == "fetch" { &HOSTS } else { &HOSTS[..1] };
        for host in hosts {
            // one whose output is right, and comes at once
            let number =
                core::iter::repeat_with(|| stage.next_call()).find(|number| number % 10 == 5).expect("endless");
            let options = CallOptions { circuit_key: Some((*host).into()), ..CallOptions::default() };
            let registry = stage.registry();
            let call = async move { registry.execute(name, &args(number, Priority::Normal), &options).await };
            let execution = Watched::new(stage, number, None, call).await;
            execution.result.unwrap_or_else(|error| panic!("{name} of {host} is well again: {error}"));
            assert!(execution.fallback_for.is_none(), "{name} of {host}: {:?}", execution.fallback_for);
            sleep(Duration::from_secs(10)).await;
        }
        let handle = stage.handle(name);
        let keys = handle.keys().into_iter().filter_map(|(_, parts)| parts.breaker);
        for state in keys.map(|breaker| breaker.state.into()).chain(handle.snapshot().breaker.map(|own| own.state)) {
            assert_eq!(state, BreakerStateName::Closed, "{name}: a breaker that has not recovered");
        }
    }
}
