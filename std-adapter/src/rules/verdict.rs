//! `Verdict`: what the rules say of one call, and which of them says so.

use super::{Decision, Rule};
use std::fmt;

/// What the rules say of one call, and which of them says so.
///
/// Its text is a sentence for the caller: `the capability "fs.write" needs approval: rules[1] says so (role "*",
/// capability "fs.*")`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Verdict<'a> {
    /// Whether the call may go.
    pub decision: Decision,
    /// The capability that was decided on, the first of the strictest; `None` where the tool needs none, or where
    /// there are no rules.
    pub capability: Option<&'a str>,
    /// The rule that decided, and its place, from 0; `None` where no rule speaks of the call.
    pub rule: Option<(usize, &'a Rule)>,
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.capability {
            Some(capability) => write!(f, "the capability {capability:?} ")?,
            None => f.write_str("the tool ")?,
        }
        f.write_str(match self.decision {
            Decision::Allow => "is allowed",
            Decision::NeedsApproval => "needs approval",
            Decision::Deny => "is denied",
        })?;
        match (self.rule, self.decision) {
            (Some((index, Rule { role, capability, .. })), _) => {
                write!(f, ": rules[{index}] says so (role {role:?}, capability {capability:?})")
            }
            (None, Decision::Allow) => f.write_str(": there are no rules"),
            (None, _) => f.write_str(": no rule allows it"),
        }
    }
}
