//! `Rules`: who may call what.
//!
//! ```
//! use fusebox::{Decision, Rule, Rules};
//!
//! let rules = Rules::new([
//!     Rule::new("admin", "*", Decision::Allow),
//!     Rule::new("*", "fs.write", Decision::NeedsApproval),
//!     Rule::new("*", "fs.*", Decision::Allow),
//! ])?;
//! assert_eq!(rules.decide(Some("admin"), &["fs.write"]).decision, Decision::Allow);
//! assert_eq!(rules.decide(Some("intern"), &["fs.read"]).decision, Decision::Allow);
//! assert_eq!(rules.decide(None, &["fs.read", "fs.write"]).decision, Decision::NeedsApproval);
//! assert_eq!(
//!     rules.decide(Some("intern"), &["net.fetch"]).to_string(),
//!     r#"the capability "net.fetch" is denied: no rule allows it"#,
//! );
//! # Ok::<(), fusebox::ConfigError>(())
//! ```
//!
//! The rules are read from the first to the last, and the first that speaks of the caller's role and of the capability
//! decides. What no rule speaks of is denied. Where there are no rules at all, everything is allowed.
//!
//! | written in a rule | matches the role | matches the capability |
//! |---|---|---|
//! | `"*"` | every caller, one without a role too | every one |
//! | `"fs.*"` | not allowed | all that begin with `fs.` |
//! | `"fs"` | this one | this one |
//!
//! A tool may need several capabilities. Each is decided by itself, and the strictest decision is the tool's. A tool that
//! needs none is spoken of by rules for the capability `"*"` alone, so that one whose capabilities were forgotten is
//! not open to all.

mod rule;
mod verdict;

pub use rule::{Decision, Rule};
pub use verdict::Verdict;

use crate::ConfigError;

/// Who may call what, first match first. See the [module documentation](self).
///
/// [`Rules::default`] has no rules and allows everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules(Box<[Rule]>);

impl Rules {
    /// These rules, in this order.
    ///
    /// # Errors
    /// The first field that is not allowed, as `rules[2].capability`; the first rule is `rules[0]`.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, ConfigError> {
        let rules: Box<[Rule]> = rules.into_iter().collect();
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|error| error.within(&format!("rules[{index}]")))?;
        }
        Ok(Self(rules))
    }

    /// Whether a caller of this role may call a tool that needs all of these capabilities.
    ///
    /// Cost: each rule is looked at once per capability at the most; no heap use.
    pub fn decide<'a>(&'a self, role: Option<&'a str>, capabilities: &'a [impl AsRef<str>]) -> Verdict<'a> {
        if self.0.is_empty() {
            return Verdict { decision: Decision::Allow, capability: None, rule: None };
        }
        let mut strictest: Option<Verdict<'a>> = None;
        for capability in capabilities {
            let verdict = self.decide_one(role, Some(capability.as_ref()));
            if strictest.is_none_or(|before| before.decision < verdict.decision) {
                strictest = Some(verdict);
            }
        }
        strictest.unwrap_or_else(|| self.decide_one(role, None))
    }

    /// The rules, in their order.
    pub fn as_slice(&self) -> &[Rule] {
        &self.0
    }

    fn decide_one<'a>(&'a self, role: Option<&str>, capability: Option<&'a str>) -> Verdict<'a> {
        let rule = self.0.iter().enumerate().find(|(_, rule)| rule.matches(role, capability));
        let decision = rule.map_or(Decision::Deny, |(_, rule)| rule.decision);
        Verdict { decision, capability, rule }
    }
}

#[cfg(test)]
mod tests;
