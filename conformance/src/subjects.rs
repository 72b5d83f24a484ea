//! The subjects: Fusebox and its peers behind the suite's traits.

mod failsafe;
mod fusebox;
mod governor;
mod recloser;
mod tower_resilience;

pub(crate) use failsafe::Failsafe;
pub(crate) use fusebox::Fusebox;
pub(crate) use governor::Governor;
pub(crate) use recloser::Recloser;
pub(crate) use tower_resilience::TowerResilience;
