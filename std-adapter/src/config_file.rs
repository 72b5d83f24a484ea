//! A registry's configuration in a TOML file: read with good errors, overridden by environment variables, described by a
//! JSON Schema, and watched for changes. Feature `config-file`.
//!
//! ```
//! use fusebox::RegistryConfig;
//! use fusebox::config_file::Overrides;
//!
//! let text = "
//!     [defaults]
//!     timeout = '10s'
//!     [tools.web-search.policy]
//!     rate = { limit = '5/s' }
//! ";
//! let variables = [("FUSEBOX__DEFAULTS__TIMEOUT", "5s"), ("FUSEBOX__TOOLS__WEB_SEARCH__POLICY__RATE__LIMIT", "10/s")];
//! let overrides = Overrides::new("FUSEBOX", variables);
//! let config = RegistryConfig::from_toml(text, &overrides)?;
//! assert_eq!(config.defaults.timeout, Some(fusebox::DurationText::from_secs(5)));
//! assert_eq!(config.tools["web-search"].policy.rate.limit, "10/s".parse().ok());
//!
//! let error = RegistryConfig::from_toml("[defaults]\nbreaker.probes = 99", &Overrides::default()).unwrap_err();
//! assert_eq!(error.to_string(), "2:18: defaults.breaker.probes is 99: allowed is 1 to 15");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod document;
mod error;
mod load;
mod overrides;
mod schema;
mod tree;
mod watched;
mod watcher;

pub use document::Document;
pub use error::{FileError, FileFault, Place};
pub use overrides::Overrides;
pub use watcher::{ConfigWatcher, WatchOptions};
