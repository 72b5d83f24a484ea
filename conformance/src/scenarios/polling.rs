//! H13: how often a caller asks does not change how much it gets.

use super::take_all;
use crate::limiter::{LimiterSpec, LimiterSubject};
use crate::time::{DAY, MILLI, SECOND, grouped};
use crate::verdict::Verdict;

const BURST: u32 = 20;
const RATES: [u32; 3] = [3, 7, 20];
/// In ms. The longest lets in less than the burst can hold, so that none is lost for lack of room.
const INTERVALS: [u64; 9] = [1, 7, 33, 49, 50, 99, 101, 333, 930];
const LENGTH: u64 = 300 * SECOND;

pub(crate) fn limiter<S: LimiterSubject>(subject: &S) -> Verdict {
    Verdict::of(|| {
        for rate in RATES {
            for interval in INTERVALS {
                let spec = LimiterSpec { tokens: rate, per: SECOND, burst: BURST, waiting: 0 };
                let limiter = subject.build(&spec).map_err(Verdict::NotApplicable)?;
                take_all(&limiter, DAY, 1_000);
                let polls = LENGTH / (interval * MILLI);
                let got: u64 = (1..=polls).map(|poll| take_all(&limiter, DAY + poll * interval * MILLI, 1_000)).sum();
                let due = polls * interval * u64::from(rate) / 1_000;
                Verdict::demand(got.abs_diff(due) <= 1, || {
                    let (got, due) = (grouped(got), grouped(due));
                    format!("{rate}/s polled every {interval} ms: {got} were admitted where {due} were due")
                })?;
            }
        }
        Ok(())
    })
}
