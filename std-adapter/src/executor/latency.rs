//! stub
#[derive(Debug, Default)]
pub(crate) struct Latency;
impl Latency {
    pub(crate) fn record(&self, _: core::time::Duration) {}
    pub(crate) fn percentile(&self, _: u8, _: u32) -> Option<core::time::Duration> {
        None
    }
}
