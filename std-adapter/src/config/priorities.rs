//! `PrioritiesConfig`: what calls of each priority cost of the rate, and what they leave to more important ones.

use super::thousandths::{MAX_MILLI, milli, milli_u32, written};
use super::{ConfigError, is_default};
use fusebox_core::{BucketPolicy, Class, Priority, PriorityConfig, PriorityPolicy, Tokens};
use serde::{Deserialize, Serialize};

/// What calls of each priority cost of the rate, and what they leave of its burst to more important ones.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct PrioritiesConfig {
    /// Default: costs 2.
    #[serde(skip_serializing_if = "is_default")]
    pub low: ClassConfig,
    /// Default: costs 1.
    #[serde(skip_serializing_if = "is_default")]
    pub normal: ClassConfig,
    /// Default: costs 0.5.
    #[serde(skip_serializing_if = "is_default")]
    pub high: ClassConfig,
    /// Default: costs 0.1.
    #[serde(skip_serializing_if = "is_default")]
    pub critical: ClassConfig,
}

/// The calls of one priority.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct ClassConfig {
    /// The tokens that a call takes, in thousandths from 0.001. With any priority set, at most what the class's reserve
    /// leaves of the burst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The share of the burst that a call may not touch, 0 to 0.999 and at most that of the priority below. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve: Option<f64>,
}

/// What costs are without a policy: nothing is left to anybody.
const PLAIN: PriorityConfig = PriorityConfig {
    low: plain(Priority::Low),
    normal: plain(Priority::Normal),
    high: plain(Priority::High),
    critical: plain(Priority::Critical),
};

const fn plain(priority: Priority) -> Class {
    Class { cost: priority.cost(), reserve_milli: 0 }
}

impl PrioritiesConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            low: self.low.or(&defaults.low),
            normal: self.normal.or(&defaults.normal),
            high: self.high.or(&defaults.high),
            critical: self.critical.or(&defaults.critical),
        }
    }

    /// `None` where the classes are as by default: then a cost above the burst is refused call by call.
    pub(super) fn build(&self, bucket: &BucketPolicy) -> Result<Option<PriorityPolicy>, ConfigError> {
        let config = PriorityConfig {
            low: self.low.build(["priorities.low.cost", "priorities.low.reserve"], PLAIN.low)?,
            normal: self.normal.build(["priorities.normal.cost", "priorities.normal.reserve"], PLAIN.normal)?,
            high: self.high.build(["priorities.high.cost", "priorities.high.reserve"], PLAIN.high)?,
            critical: self
                .critical
                .build(["priorities.critical.cost", "priorities.critical.reserve"], PLAIN.critical)?,
        };
        if config == PLAIN {
            return Ok(None);
        }
        let policy = PriorityPolicy::new(config, bucket);
        policy.map(Some).map_err(|error| ConfigError::in_section("priorities", error))
    }

    pub(super) fn show(policy: Option<&PriorityPolicy>) -> Self {
        let PriorityConfig { low, normal, high, critical } = policy.map_or(PLAIN, |policy| *policy.config());
        Self {
            low: ClassConfig::show(low),
            normal: ClassConfig::show(normal),
            high: ClassConfig::show(high),
            critical: ClassConfig::show(critical),
        }
    }
}

impl ClassConfig {
    fn or(self, defaults: &Self) -> Self {
        Self { cost: self.cost.or(defaults.cost), reserve: self.reserve.or(defaults.reserve) }
    }

    fn build(&self, [cost, reserve]: [&str; 2], default: Class) -> Result<Class, ConfigError> {
        Ok(Class {
            cost: match self.cost {
                Some(value) => Tokens::milli(milli(cost, value, 1, MAX_MILLI)?),
                None => default.cost,
            },
            reserve_milli: match self.reserve {
                Some(value) => milli_u32(reserve, value, 0, 999)?,
                None => default.reserve_milli,
            },
        })
    }

    fn show(class: Class) -> Self {
        Self { cost: Some(written(class.cost.as_milli())), reserve: Some(written(class.reserve_milli.into())) }
    }
}
