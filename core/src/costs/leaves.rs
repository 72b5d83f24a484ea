//! The operations of the primitives besides the breaker.

use super::sheet::Sheet;
use super::{NOW, after};
use crate::*;
use core::time::Duration;

pub(super) fn bucket_policy() -> BucketPolicy {
    BucketPolicy::new(Rate::per_second(1), Tokens::whole(2)).expect("in range")
}

pub(super) fn bucket() -> Sheet {
    let mut sheet = Sheet::new("Token bucket", "`TokenBucket`. `try_acquire_as` and `reserve_as` cost the same.");
    let bucket = TokenBucket::new();
    let policy = bucket_policy().with_debt(Tokens::whole(3)).expect("in range");
    let acquire = |cost| bucket.try_acquire(&policy, NOW, cost);
    let reserve = |max_wait| bucket.reserve(&policy, NOW, Tokens::ONE, max_wait);
    let long = Duration::from_secs(60);

    assert!(sheet.costs("is_fresh", "never used", || bucket.is_fresh(&policy, NOW)));
    sheet.costs("refund", "never used", || bucket.refund(&policy, NOW, Tokens::ONE));
    sheet.costs("try_acquire", "there are tokens", || acquire(Tokens::ONE)).expect("full");
    sheet.costs("try_acquire", "a cost of nothing", || acquire(Tokens::ZERO)).expect("free");
    let booking = sheet.costs("reserve", "there are tokens", || reserve(long)).expect("one is left");
    assert_eq!(booking.ready_at(), NOW);
    sheet.refuses("try_acquire", "empty", || acquire(Tokens::ONE));
    let never = sheet.refuses("try_acquire", "a cost above the burst", || acquire(Tokens::whole(3)));
    assert_eq!(never, Wait::Never);
    sheet.refuses("reserve", "the wait would be too long", || reserve(Duration::ZERO));
    let first = sheet.costs("reserve", "empty: ahead of the refill", || reserve(long)).expect("within the cap");
    let (_second, third) = (reserve(long).expect("within the cap"), reserve(long).expect("within the cap"));
    sheet.refuses("reserve", "the debt cap is reached", || reserve(long));
    let nothing = sheet.costs("cancel", "others stand behind it", || bucket.cancel(&policy, NOW, first));
    assert_eq!(nothing, Tokens::ZERO);
    let all = sheet.costs("cancel", "the last in line", || bucket.cancel(&policy, NOW, third));
    assert_eq!(all, Tokens::ONE);
    sheet.costs("refund", "some are missing", || bucket.refund(&policy, NOW, Tokens::ONE));
    sheet.costs("peek", "any", || bucket.peek(&policy, NOW));
    sheet.costs("refusal", "any", || bucket.refusal(&policy, NOW, Tokens::ONE.into()));
    sheet.costs("next_change", "any", || bucket.next_change(&policy, NOW, Tokens::ONE.into()));
    sheet.costs("snapshot", "any", || bucket.snapshot(&policy, NOW));
    let back = after(NOW, -100_000);
    sheet.refuses("try_acquire", "after the clock went back", || bucket.try_acquire(&policy, back, Tokens::ONE));
    let wider = BucketPolicy::new(Rate::per_second(1), Tokens::whole(4)).expect("in range");
    sheet.costs("change_policy", "some are missing", || bucket.change_policy(&policy, &wider, NOW));
    sheet
}

pub(super) fn bulkhead() -> Sheet {
    let mut sheet = Sheet::new("Bulkhead", "`Bulkhead` under a fixed policy.");
    let (bulkhead, policy) = (Bulkhead::new(), BulkheadPolicy::new(1).expect("in range"));
    sheet.costs("leave", "nobody is in it", || bulkhead.leave());
    assert!(sheet.costs("try_enter", "there is a slot", || bulkhead.try_enter(&policy)));
    sheet.refuses("try_enter", "full", || if bulkhead.try_enter(&policy) { Ok(()) } else { Err(()) });
    sheet.costs("leave", "any", || bulkhead.leave());
    let ticket = sheet.costs("admit", "there is a slot", || bulkhead.admit(&policy, NOW)).expect("empty");
    sheet.refuses("admit", "full", || bulkhead.admit(&policy, NOW));
    sheet.costs("settle", "any outcome", || bulkhead.settle(&policy, NOW, ticket, Outcome::Success));
    reads(&mut sheet, &bulkhead, &policy);
    sheet
}

pub(super) fn adaptive_bulkhead() -> Sheet {
    let mut sheet = Sheet::new("Bulkhead that adapts", "`Bulkhead` under an adaptive policy.");
    let config = LimitConfig { initial: 2, min: 1, max: 10, ..LimitConfig::DEFAULT };
    let (bulkhead, policy) = (Bulkhead::new(), BulkheadPolicy::adaptive(config).expect("in range"));
    let admit = || bulkhead.admit(&policy, NOW);
    let settle = |ticket, outcome| bulkhead.settle(&policy, NOW, ticket, outcome);

    let first = sheet.costs("admit", "there is a slot", admit).expect("empty");
    let second = admit().expect("there are two");
    sheet.refuses("admit", "full", admit);
    let kept = sheet.costs("settle", "a success that counts", || settle(first, Outcome::Success));
    let raised = sheet.costs("settle", "the success that raises the limit", || settle(second, Outcome::Success));
    assert_eq!((kept, raised), (None, Some(LimitChange { from: 2, to: 3 })));
    let (first, second) = (admit().expect("empty"), admit().expect("there are three"));
    let cut = sheet.costs("settle", "the failure that cuts the limit", || settle(first, Outcome::Failure));
    let late = sheet.costs("settle", "a call that began before the cut", || settle(second, Outcome::Failure));
    assert_eq!((cut, late), (Some(LimitChange { from: 3, to: 2 }), None));
    let ticket = admit().expect("empty");
    sheet.costs("settle", "ignored or cancelled", || settle(ticket, Outcome::Cancelled));
    reads(&mut sheet, &bulkhead, &policy);
    sheet
}

fn reads(sheet: &mut Sheet, bulkhead: &Bulkhead, policy: &BulkheadPolicy) {
    assert_eq!(sheet.costs("in_flight", "any", || bulkhead.in_flight()), 0);
    sheet.costs("limit", "any", || bulkhead.limit(policy));
    sheet.costs("refusal", "any", || bulkhead.refusal(policy));
    sheet.costs("is_fresh", "any", || bulkhead.is_fresh(policy));
    sheet.costs("snapshot", "any", || bulkhead.snapshot());
}

pub(super) fn budget_policy() -> RetryBudgetPolicy {
    let config = RetryBudgetConfig {
        share_milli: 1_000,
        floor_per_second: Tokens::ZERO,
        burst: Tokens::whole(2),
        ..RetryBudgetConfig::DEFAULT
    };
    RetryBudgetPolicy::new(config).expect("in range")
}

pub(super) fn retry_budget() -> Sheet {
    let mut sheet = Sheet::new("Retry budget", "`RetryBudget`.");
    let (budget, policy) = (RetryBudget::new(), budget_policy());
    let withdraw = || budget.try_withdraw(&policy, NOW);
    assert!(sheet.costs("is_fresh", "any", || budget.is_fresh(&policy, NOW)));
    sheet.refuses("try_withdraw", "too little is saved", withdraw);
    sheet.costs("deposit", "there is room", || budget.deposit(&policy, NOW));
    budget.deposit(&policy, NOW);
    sheet.costs("deposit", "full", || budget.deposit(&policy, NOW));
    sheet.costs("refund", "full", || budget.refund(&policy, NOW));
    sheet.costs("try_withdraw", "a retry is saved", withdraw).expect("two are");
    sheet.costs("refund", "there is room", || budget.refund(&policy, NOW));
    sheet.costs("refusal", "any", || budget.refusal(&policy, NOW));
    sheet.costs("next_change", "any", || budget.next_change(&policy, NOW));
    assert_eq!(sheet.costs("snapshot", "any", || budget.snapshot(&policy, NOW)).balance, Tokens::whole(2));
    sheet
}

pub(super) fn throttle() -> Sheet {
    let mut sheet = Sheet::new("Throttle", "`Throttle`. A refusal is a request in its formula, so it is counted.");
    let (throttle, policy) = (Throttle::new(), ThrottlePolicy::DEFAULT);
    assert!(sheet.costs("is_fresh", "any", || throttle.is_fresh(&policy, NOW)));
    let admit = |random| throttle.try_admit(&policy, NOW, random);
    sheet.costs("try_admit", "all calls were accepted", || admit(0)).expect("nothing is refused");
    sheet.costs("settle", "accepted", || throttle.settle(&policy, NOW, true));
    sheet.costs("settle", "not accepted", || throttle.settle(&policy, NOW, false));
    (0..10).for_each(|_| throttle.settle(&policy, NOW, false));
    sheet.costs("try_admit", "some calls were not accepted, a lucky draw", || admit(u64::MAX)).expect("lucky");
    sheet.refuses("try_admit", "some calls were not accepted, an unlucky draw", || admit(0));
    sheet.costs("next_change", "any", || throttle.next_change(&policy, NOW));
    sheet.costs("snapshot", "any", || throttle.snapshot(&policy, NOW));
    sheet
}

pub(super) fn adaptive_policy() -> AdaptivePolicy {
    let config = AdaptiveConfig { floor_milli: 500, ..AdaptiveConfig::DEFAULT };
    AdaptivePolicy::new(config, &bucket_policy()).expect("in range")
}

pub(super) fn adaptive_rate() -> Sheet {
    let mut sheet = Sheet::new("Adaptive rate", "`AdaptiveRate`.");
    let rate = AdaptiveRate::new();
    let policy = adaptive_policy();
    let scale = |now| rate.scale(&policy, now, Tokens::ONE.into());
    let settle = |now, outcome| rate.settle(&policy, now, outcome);

    assert!(sheet.costs("is_fresh", "any", || rate.is_fresh(&policy, NOW)));
    assert_eq!(sheet.costs("scale", "at the ceiling", || scale(NOW)), Ok(Tokens::ONE.into()));
    let kept = sheet.costs("settle", "a success, at the ceiling", || settle(NOW, Outcome::Success));
    assert_eq!(kept, Adjustment::Kept);
    let cut = sheet.costs("settle", "the failure that cuts the rate", || settle(NOW, Outcome::Failure));
    assert_eq!(cut, Adjustment::Cut);
    let kept = sheet.costs("settle", "a failure within a cooldown", || settle(NOW, Outcome::Failure));
    assert_eq!(kept, Adjustment::Kept);
    let kept = sheet.costs("settle", "a success within a cooldown", || settle(NOW, Outcome::Success));
    assert_eq!(kept, Adjustment::Kept);
    sheet.costs("settle", "ignored or cancelled", || settle(NOW, Outcome::Ignored));
    assert_ne!(sheet.costs("scale", "below the ceiling", || scale(NOW)), Ok(Tokens::ONE.into()));
    let now = after(NOW, 1_500);
    let raised = sheet.costs("settle", "the success that raises the rate", || settle(now, Outcome::Success));
    assert_eq!(raised, Adjustment::Raised);
    let kept = sheet.costs("settle", "a success right after it", || settle(now, Outcome::Success));
    assert_eq!(kept, Adjustment::Kept);
    sheet.costs("slow_down", "no pause", || rate.slow_down(&policy, now, Duration::from_secs(3)));
    sheet.costs("slow_down", "a longer pause holds", || rate.slow_down(&policy, now, Duration::from_secs(1)));
    sheet.refuses("scale", "a pause holds", || scale(now));
    sheet.costs("next_change", "any", || rate.next_change(&policy, now));
    sheet.costs("snapshot", "any", || rate.snapshot(&policy, now));
    let back = after(NOW, -500_000);
    sheet.refuses("scale", "a pause holds, after the clock went back", || scale(back));
    sheet
}
