//! `Outcome`: the four ways in which an admitted call ends.

/// How an admitted call ended, as far as admission is concerned. Complete: every ending is one of the four.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency failed in a way that counts against it.
    Failure,
    /// The call ended in a way that says nothing about the dependency, such as a bad argument.
    /// Returns what the ticket still holds and decides nothing.
    Ignored,
    /// The caller gave up. Returns what the ticket still holds and decides nothing, unless the breaker's policy counts
    /// a cancellation as a failure.
    Cancelled,
}
