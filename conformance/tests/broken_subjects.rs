//! The suite can fail: a reference passes every scenario, and with one thing broken fails those that are about it.

mod reference;

use fusebox_conformance::{ClockKind, Verdict, run_breaker, run_circuit, run_limiter};
use reference::*;

type Verdicts = Vec<(&'static str, Verdict)>;

/// Demands that exactly these scenarios fail, with these observations, and that all others pass.
fn demand(name: &str, verdicts: &Verdicts, fails: &[(&str, &str)]) {
    let failed: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Pass).cloned().collect();
    let expected: Vec<_> = fails.iter().map(|(id, text)| (*id, Verdict::Fail((*text).to_owned()))).collect();
    assert_eq!(failed, expected, "{name}");
}

fn breaker(flaw: BreakerFlaw, fails: &[(&str, &str)]) {
    demand(&format!("{flaw:?}"), &run_breaker(&ReferenceBreaker { flaw, clock: ClockKind::Any }), fails);
}

fn limiter(flaw: LimiterFlaw, fails: &[(&str, &str)]) {
    demand(&format!("{flaw:?}"), &run_limiter(&ReferenceLimiter(flaw)), fails);
}

fn circuit(flaw: CircuitFlaw, fails: &[(&str, &str)]) {
    demand(&format!("{flaw:?}"), &run_circuit(&ReferenceCircuit(flaw)), fails);
}

#[test]
fn a_sound_reference_passes_everything() {
    breaker(BreakerFlaw::Nothing, &[]);
    limiter(LimiterFlaw::Nothing, &[]);
    circuit(CircuitFlaw::Nothing, &[]);
}

#[test]
fn broken_breakers_fail() {
    use BreakerFlaw::*;
    let closed = "closed the circuit: the failure of the next did not open it";
    breaker(StepLengthensWait, &[("H1", "after a step of an hour it refused for 3,610 s under an open wait of 10 s")]);
    breaker(StepBlindsWindow, &[("H1", "after a step of an hour 600 failures in a row did not open it")]);
    breaker(
        NoGenerations,
        &[("H2", "late successes closed the half-open circuit: the probe's failure did not open it")],
    );
    breaker(NoLease, &[("H3", "no call was admitted in the 30 days after the probe was lost")]);
    breaker(LongLease, &[("H3", "no call was admitted for 3,031 s after the probe was lost")]);
    breaker(CancelCloses, &[("H4", &format!("probes that were cancelled {closed}"))]);
    breaker(CancelReopens, &[("H4", "a probe that was cancelled opened the circuit again")]);
    breaker(CancelKeepsSlot, &[("H4", "a probe that was cancelled did not return its slot")]);
    breaker(IgnoreCloses, &[("H5", &format!("probes that were ignored {closed}"))]);
    breaker(IgnoreKeepsSlot, &[("H5", "a probe that was ignored did not return its slot")]);
    breaker(StaleIgnoreFreesSlot, &[("H5", "50 stale ignores let 2 more probes out")]);
    breaker(
        CountWindowNeverEvicts,
        &[("H7", "count window of 100 at 50%: after 100,000 successes it let 100,000 failures through")],
    );
    breaker(
        TimeWindowNeverEvicts,
        &[
            ("H7", "time window of 10 s at 50%: successes of 20 s ago kept it closed over 120 failures"),
            ("H15", "it refused calls after 4 of 5 failures"), // the success of a day ago is the fifth call
        ],
    );
    breaker(
        WindowRescans,
        &[("H8", "a call touched 100 records of a count window with 100, and 10,000 of one with 10,000")],
    );
    breaker(ChangeCloses, &[("H10", "a change of policy closed the open circuit")]);
    breaker(ChangeForgetsFailures, &[("H10", "a change of policy forgot the failures so far")]);
    breaker(ChangeEmptiesWindow, &[("H10", "a change of policy emptied the count window")]);
    breaker(DropsEverything, &[("H11", "a closed breaker with a failure was dropped")]);
    breaker(DropsOpen, &[("H11", "an open breaker was dropped")]);
    breaker(DropsFullWindow, &[("H11", "a breaker with a failure in its count window was dropped")]);
    breaker(DropsIdleOpen, &[("H11", "an open breaker that nobody has called for 30 days was dropped")]);
    breaker(DropsProbing, &[("H11", "a breaker with a probe out was dropped")]);
    breaker(DropsNothing, &[("H11", "a breaker that was never used can not be dropped")]);
    breaker(MillisIn32Bits, &[("H15", "at 4,294,962 s no probe was admitted")]);
    breaker(NanosIn56Bits, &[("H15", "at 72,057,589 s no probe was admitted")]);
    breaker(WindowIn56Bits, &[("H15", "it refused calls after 4 of 5 failures")]);
    breaker(DeadlineOverflows, &[("H15", "panicked: the deadline fits")]);
}

#[test]
fn a_breaker_that_never_opens_passes_nothing() {
    let verdicts = run_breaker(&ReferenceBreaker { flaw: BreakerFlaw::NeverTrips, clock: ClockKind::Any });
    let passed: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Pass).collect();
    // the cost of recording is not about opening
    assert_eq!(passed, [&("H8", Verdict::Pass)]);
}

#[test]
fn a_breaker_without_probe_permits_fails_the_limit_and_has_none_to_return() {
    let verdicts = run_breaker(&ReferenceBreaker { flaw: BreakerFlaw::NoProbeLimit, clock: ClockKind::Any });
    let failed: Vec<_> = verdicts.into_iter().filter(|(_, verdict)| *verdict != Verdict::Pass).collect();
    let none = Verdict::NotApplicable("it has no probe permits: see H6".to_owned());
    let all = Verdict::Fail("1,000 of 1,000 calls were out at once; 2 were asked for".to_owned());
    assert_eq!(failed, [("H5", none), ("H6", all)]);
}

#[test]
fn broken_limiters_fail() {
    use LimiterFlaw::*;
    let step = |span| format!("after a step of an hour it denied for {span}; a whole burst refills in 0.5 s");
    limiter(StepStalls, &[("H1", &step("3,600.1 s"))]);
    limiter(StepOpens, &[("H1", "in the 10 s after a step of an hour it admitted 100,001; burst and rate allow 105")]);
    limiter(CancelledWaitIsLost, &[("H9", "after a cancelled wait for 5 tokens 5 of 10 were there")]);
    limiter(OneOfManyWaitsIsLost, &[("H9", "after 10 cancelled waits for a token each 1 of 10 were there")]);
    limiter(GiveBackIsLost, &[("H9", "5 unused tokens were given back, and 0 were there")]);
    limiter(GiveBackOverfills, &[("H9", "giving back to a full bucket lifted it to 20 over a burst of 10")]);
    limiter(ChangeRefills, &[("H10", "a change of policy put 20 tokens into an empty bucket")]);
    limiter(ChangeEmpties, &[("H10", "a half-full bucket of 10 became one of 20 that held 0")]);
    limiter(DropsEmpty, &[("H11", "an empty bucket was dropped")]);
    limiter(DropsNearlyFull, &[("H11", "a bucket that lacks a token was dropped")]);
    limiter(DropsNothing, &[("H11", "a bucket that was never used can not be dropped")]);
    limiter(FiniteHintForNever, &[("H12", "a cost of 5 under a burst of 4 was told to wait 0.333 s")]);
    limiter(NoHintForNever, &[("H12", "a cost of 5 under a burst of 4 was told nothing")]);
    limiter(AdmitsAboveBurst, &[("H12", "a cost of 5 was admitted under a burst of 4")]);
    limiter(HintTooShort, &[("H12", "a cost of 1 was denied again at the end of its hint")]);
    limiter(
        LosesFractions,
        &[
            ("H1", &step("10,800 s or more")), // polled every 50 ms, it never sees a whole token
            ("H13", "3/s polled every 1 ms: 0 were admitted where 900 were due"),
        ],
    );
    limiter(DeadlineOverflows, &[("H15", "panicked: the next refill fits")]);
    limiter(LosesTheFirstDay, &[("H15", "on day 1 it admitted 0 calls where 24 were due")]);
}

#[test]
fn broken_circuits_fail() {
    use CircuitFlaw::*;
    circuit(
        TokensAreTakenFirst,
        &[("H14", "refusals by the open breaker used up the tokens: then the limiter refused")],
    );
    circuit(
        ProbeIsNotReturned,
        &[("H14", "a refusal by the empty bucket used up the probe: then the breaker refused")],
    );
    circuit(OtherLimitersKeepTokens, &[("H14", "100 refusals by one empty bucket left 0 of 5 tokens in the other")]);
}

#[test]
fn a_clock_that_cannot_be_supplied_leaves_time_unjudged_and_nothing_else() {
    let run = |flaw, clock| run_breaker(&ReferenceBreaker { flaw, clock });
    let verdict = |verdicts: &Verdicts, id| verdicts.iter().find(|found| found.0 == id).map(|found| found.1.clone());

    let own = run(BreakerFlaw::Nothing, ClockKind::Own);
    assert!(matches!(verdict(&own, "H1"), Some(Verdict::NotApplicable(_))));
    assert!(matches!(verdict(&own, "H3"), Some(Verdict::NotJudged(_))));
    assert!(matches!(verdict(&own, "H15"), Some(Verdict::NotJudged(_))));
    assert_eq!(own.iter().filter(|(_, verdict)| *verdict == Verdict::Pass).count(), own.len() - 3);

    let forward = run(BreakerFlaw::Nothing, ClockKind::Forward);
    assert!(matches!(verdict(&forward, "H1"), Some(Verdict::NotApplicable(_))));
    assert_eq!(forward.iter().filter(|(_, verdict)| *verdict == Verdict::Pass).count(), forward.len() - 1);

    for (flaw, id) in [(BreakerFlaw::NoGenerations, "H2"), (BreakerFlaw::CancelCloses, "H4")] {
        assert!(matches!(verdict(&run(flaw, ClockKind::Own), id), Some(Verdict::Fail(_))), "{flaw:?}");
    }
}
