//! A tool's configuration: no text makes it panic, ranges are as documented, and what is accepted survives being written.
#![no_main]

use arbitrary::Arbitrary;
use core::fmt::Debug;
use core::str::FromStr;
use fusebox::{DurationText, Policy, PolicyConfig, RateText};
use fusebox_fuzz::config::Fields;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Fields(Box<Fields>, Box<Fields>),
    Toml(&'a str),
    Json(&'a str),
    /// A duration, and a rate.
    Text(&'a str),
}

fn parse_json(text: &str) -> PolicyConfig {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// What is accepted, and what it comes to, is the same after it was written and read.
fn check_round_trip(config: &PolicyConfig, policy: &Policy) {
    for config in [config, policy.effective()] {
        let json = serde_json::to_string(config).expect("a configuration is text and numbers");
        let toml = toml::to_string(config).expect("accepted numbers are in range");
        for read in [parse_json(&json), toml::from_str(&toml).unwrap_or_else(|error| panic!("{error} in {toml}"))] {
            assert_eq!(&Policy::new(&read).expect("accepted before"), policy, "{json}");
        }
        assert_eq!(config.clone().or(&PolicyConfig::default()), *config);
        assert_eq!(PolicyConfig::default().or(config), *config);
    }
    assert_eq!(Policy::new(policy.effective()).expect("effective").effective(), policy.effective());
}

fn check(config: &PolicyConfig) -> Result<(), String> {
    match Policy::new(config) {
        Ok(policy) => {
            check_round_trip(config, &policy);
            Ok(())
        }
        Err(error) => {
            assert!(!error.field.is_empty() && !error.value.is_empty() && !error.allowed.is_empty(), "{error:?}");
            Err(error.field)
        }
    }
}

fn check_fields(fields: &Fields) -> PolicyConfig {
    let (json, wrong) = (fields.json().to_string(), fields.wrong());
    let config = parse_json(&json);
    match check(&config) {
        Ok(()) => assert!(wrong.is_empty(), "{wrong:?} should be refused in {json}"),
        Err(field) => assert!(wrong.contains(&field.as_str()), "{field} is refused, wrong is {wrong:?} in {json}"),
    }
    config
}

fn check_text<T: Debug + FromStr<Err = String> + PartialEq + ToString>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse(), Ok(value));
    }
}

fn run(input: Input<'_>) {
    match input {
        Input::Fields(first, second) => {
            let (first, second) = (check_fields(&first), check_fields(&second));
            let _ = check(&first.or(&second));
        }
        Input::Toml(text) => {
            if let Ok(config) = toml::from_str(text) {
                let _ = check(&config);
            }
        }
        Input::Json(text) => {
            if let Ok(config) = serde_json::from_str(text) {
                let _ = check(&config);
            }
        }
        Input::Text(text) => {
            check_text::<DurationText>(text);
            check_text::<RateText>(text);
        }
    }
}

fuzz_target!(|input: Input<'_>| run(input));
