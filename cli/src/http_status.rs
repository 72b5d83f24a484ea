//! Which category of error an HTTP answer stands for, and when it asks to come back.

use fusebox::ErrorCategory;
use reqwest::StatusCode;
use std::time::{Duration, SystemTime};

/// The category of an answer that is no success.
///
/// | status | category |
/// |---|---|
/// | 400, 405, 406, 409, 411-417, 422, 428, 431 | InvalidParameters |
/// | 401, 407 | Authentication |
/// | 402, 507 | ResourceExhausted |
/// | 403 | PermissionDenied |
/// | 404, 410 | ResourceNotFound |
/// | 408, 504 | Timeout |
/// | 429 | RateLimit |
/// | 451 | PolicyViolation |
/// | 501 | ToolNotFound |
/// | 502, 503 | ServiceUnavailable |
/// | others | ExecutionError |
pub(crate) fn category(status: StatusCode) -> ErrorCategory {
    match status.as_u16() {
        400 | 405 | 406 | 409 | 411..=417 | 422 | 428 | 431 => ErrorCategory::InvalidParameters,
        401 | 407 => ErrorCategory::Authentication,
        402 | 507 => ErrorCategory::ResourceExhausted,
        403 => ErrorCategory::PermissionDenied,
        404 | 410 => ErrorCategory::ResourceNotFound,
        408 | 504 => ErrorCategory::Timeout,
        429 => ErrorCategory::RateLimit,
        451 => ErrorCategory::PolicyViolation,
        501 => ErrorCategory::ToolNotFound,
        502 | 503 => ErrorCategory::ServiceUnavailable,
        _ => ErrorCategory::ExecutionError,
    }
}

/// The time to stay away that a `Retry-After` header asks for: whole seconds, or until a date.
///
/// A date that has passed means no time at all; what is neither is no request (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX))); // all digits: what fails is too large
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("0", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for no_time in ["", "-1", "1.5", "soon"] {
            assert_eq!(retry_after(no_time, now), None, "{no_time}");
        }
    }

    #[test]
    fn the_documented_table_is_what_happens() {
        let of = |status| category(StatusCode::from_u16(status).unwrap());
        for status in [400, 405, 406, 409, 411, 412, 413, 414, 415, 416, 417, 422, 428, 431] {
            assert_eq!(of(status), ErrorCategory::InvalidParameters, "{status}");
        }
        for (status, expected) in [
            (304, ErrorCategory::ExecutionError),
            (401, ErrorCategory::Authentication),
            (402, ErrorCategory::ResourceExhausted),
            (403, ErrorCategory::PermissionDenied),
            (404, ErrorCategory::ResourceNotFound),
            (407, ErrorCategory::Authentication),
            (408, ErrorCategory::Timeout),
            (410, ErrorCategory::ResourceNotFound),
            (418, ErrorCategory::ExecutionError),
            (429, ErrorCategory::RateLimit),
            (451, ErrorCategory::PolicyViolation),
            (500, ErrorCategory::ExecutionError),
            (501, ErrorCategory::ToolNotFound),
            (502, ErrorCategory::ServiceUnavailable),
            (503, ErrorCategory::ServiceUnavailable),
            (504, ErrorCategory::Timeout),
            (507, ErrorCategory::ResourceExhausted),
            (599, ErrorCategory::ExecutionError),
        ] {
            assert_eq!(of(status), expected, "{status}");
        }
    }
}
