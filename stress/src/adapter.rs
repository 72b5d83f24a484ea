//! Scenarios for the adapter: tools that misbehave, callers that give up, an operator who changes everything meanwhile.

mod accounts;
mod calls;
mod chaos;
pub(crate) mod editors;
mod interruption;
mod operator;
mod policies;
mod subject;

pub(crate) use calls::run;
