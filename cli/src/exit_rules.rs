//! `ExitRules`: which category of error a failed process stands for.

use fusebox::ErrorCategory;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// What a tool's configuration says about its failures. What it does not mention is decided by its exit code:
///
/// | exit code | from | category |
/// |---|---|---|
/// | 64, 65 | sysexits: usage, data | InvalidParameters |
/// | 66 | sysexits: no input | ResourceNotFound |
/// | 68 | sysexits: no host | Network |
/// | 69, 75 | sysexits: unavailable, try again | ServiceUnavailable |
/// | 73 | sysexits: cannot create | ResourceExhausted |
/// | 77 | sysexits: no permission | PermissionDenied |
/// | 124 | timeout(1) | Timeout |
/// | 126 | shells: cannot execute | PermissionDenied |
/// | 127 | shells: command not found | ToolNotFound |
/// | 137 | killed, as by a kernel out of memory | ResourceExhausted |
/// | others | | ExecutionError |
///
/// A process that signal N ended counts as one with the exit code 128 + N, as in shells. Text is never guessed from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExitRules {
    /// The first whose text occurs in the last of stderr decides.
    pub(crate) stderr: Vec<StderrRule>,
    /// Then the exit code.
    pub(crate) codes: BTreeMap<u8, ErrorCategory>,
}

/// The category of a failure that says certain words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StderrRule {
    /// The words, as they stand on stderr.
    pub(crate) contains: String,
    /// What they stand for.
    pub(crate) category: ErrorCategory,
}

impl ExitRules {
    /// The category of a process that ended with `code`, not 0, and this on stderr.
    pub(crate) fn category(&self, code: u8, stderr: &[u8]) -> ErrorCategory {
        let stderr = String::from_utf8_lossy(stderr);
        let said = self.stderr.iter().find(|rule| stderr.contains(&rule.contains)).map(|rule| rule.category);
        said.or_else(|| self.codes.get(&code).copied()).unwrap_or_else(|| by_code(code))
    }
}

/// The exit code, or 128 + N after signal N.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn by_code(code: u8) -> ErrorCategory {
    match code {
        64 | 65 => ErrorCategory::InvalidParameters,
        66 => ErrorCategory::ResourceNotFound,
        68 => ErrorCategory::Network,
        69 | 75 => ErrorCategory::ServiceUnavailable,
        73 | 137 => ErrorCategory::ResourceExhausted,
        77 | 126 => ErrorCategory::PermissionDenied,
        124 => ErrorCategory::Timeout,
        127 => ErrorCategory::ToolNotFound,
        _ => ErrorCategory::ExecutionError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorCategory::*;

    #[test]
    fn the_documented_table_is_what_happens() {
        let rules = ExitRules::default();
        let named = [
            (64, InvalidParameters),
            (65, InvalidParameters),
            (66, ResourceNotFound),
            (68, Network),
            (69, ServiceUnavailable),
            (73, ResourceExhausted),
            (75, ServiceUnavailable),
            (77, PermissionDenied),
            (124, Timeout),
            (126, PermissionDenied),
            (127, ToolNotFound),
            (137, ResourceExhausted),
        ];
        for code in 1..=255 {
            let expected =
                named.iter().find(|(named, _)| *named == code).map_or(ExecutionError, |(_, category)| *category);
            assert_eq!(rules.category(code, b"429 timeout quota"), expected, "exit code {code}");
        }
    }

    #[test]
    fn words_decide_before_codes_and_codes_before_the_table() {
        let quota = StderrRule { contains: "quota".into(), category: RateLimit };
        let rules = ExitRules { stderr: vec![quota], codes: BTreeMap::from([(77, Authentication)]) };
        assert_eq!(rules.category(77, b"over quota"), RateLimit);
        assert_eq!(rules.category(77, b"no"), Authentication);
        assert_eq!(rules.category(75, b"no"), ServiceUnavailable);
    }

    #[test]
    fn a_signal_counts_as_128_and_its_number() {
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
    }
}
