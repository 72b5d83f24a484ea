//! stub
use core::time::Duration;
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HedgePolicy {
    pub(crate) delay: HedgeDelay,
    pub(crate) max: u32,
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HedgeDelay {
    Fixed(Duration),
    Percentile { percent: u8, min_samples: u32 },
}
