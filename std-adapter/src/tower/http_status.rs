//! `HttpStatus`: how an HTTP answer counts, by its status and its `Retry-After` header.

use super::judge::{AnyError, Judge, Verdict};
use crate::ErrorCategory;
use core::time::Duration;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use std::time::SystemTime;

/// Judges HTTP answers by their status, and errors, of which there was no answer, by `J`. By default every error is of
/// category [`Network`](ErrorCategory::Network), as it is for most clients.
///
/// | status | category | trips | retry |
/// |---|---|---|---|
/// | below 400 | a success | | |
/// | 401, 407 | Authentication | no | no |
/// | 402, 507 | ResourceExhausted | no | no |
/// | 403 | PermissionDenied | no | no |
/// | 404, 410 | ResourceNotFound | no | no |
/// | 408, 504 | Timeout | yes | yes |
/// | 429 | RateLimit | yes | yes |
/// | 451 | PolicyViolation | no | no |
/// | 501 | ToolNotFound | no | no |
/// | 502, 503 | ServiceUnavailable | yes | yes |
/// | others from 400 to 499 | InvalidParameters | no | no |
/// | others from 500 on | ExecutionError | yes | yes |
///
/// What a category trips and whether it is retried can be changed, see
/// [`PolicyConfig::categories`](crate::PolicyConfig).
#[derive(Clone, Copy, Debug)]
pub struct HttpStatus<J = AnyError> {
    errors: J,
}

impl HttpStatus {
    /// Answers by status, every error as [`Network`](ErrorCategory::Network).
    pub const fn new() -> Self {
        Self::with_errors(AnyError(ErrorCategory::Network))
    }
}

impl<J> HttpStatus<J> {
    /// Answers by status, errors as `errors` judges them.
    pub const fn with_errors(errors: J) -> Self {
        Self { errors }
    }
}

impl Default for HttpStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, E, J: Judge<Response<B>, E>> Judge<Response<B>, E> for HttpStatus<J> {
    fn judge(&self, result: Result<&Response<B>, &E>) -> Verdict {
        match result {
            Ok(response) => Verdict::of_http(response.status(), response.headers()),
            error => self.errors.judge(error),
        }
    }
}

impl Verdict {
    /// How an HTTP answer with this status and these headers counts, see [`HttpStatus`]; for answers that are not an
    /// [`http::Response`].
    ///
    /// A `Retry-After` counts as seconds or as a date; what is neither is no request to stay away (RFC 9110, section
    /// 10.2.3).
    pub fn of_http(status: StatusCode, headers: &HeaderMap) -> Self {
        let Some(category) = category(status) else { return Self::success() };
        let asked = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
        Self::failure(category).with_retry_after(asked)
    }
}

/// The category that an answer stands for; `None` for one that is no failure.
fn category(status: StatusCode) -> Option<ErrorCategory> {
    Some(match status.as_u16() {
        ..=399 => return None,
        401 | 407 => ErrorCategory::Authentication,
        402 | 507 => ErrorCategory::ResourceExhausted,
        403 => ErrorCategory::PermissionDenied,
        404 | 410 => ErrorCategory::ResourceNotFound,
        408 | 504 => ErrorCategory::Timeout,
        429 => ErrorCategory::RateLimit,
        451 => ErrorCategory::PolicyViolation,
        501 => ErrorCategory::ToolNotFound,
        502 | 503 => ErrorCategory::ServiceUnavailable,
        400..=499 => ErrorCategory::InvalidParameters,
        500.. => ErrorCategory::ExecutionError,
    })
}

/// The time to stay away that a `Retry-After` header asks for; none at all until a date that has passed.
fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
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
    use core::convert::Infallible;

    #[test]
    fn the_documented_table_is_what_happens() {
        use ErrorCategory::*;
        for (status, expected) in [
            (200, None),
            (304, None),
            (399, None),
            (400, Some(InvalidParameters)),
            (401, Some(Authentication)),
            (402, Some(ResourceExhausted)),
            (403, Some(PermissionDenied)),
            (404, Some(ResourceNotFound)),
            (407, Some(Authentication)),
            (408, Some(Timeout)),
            (410, Some(ResourceNotFound)),
            (418, Some(InvalidParameters)),
            (422, Some(InvalidParameters)),
            (429, Some(RateLimit)),
            (451, Some(PolicyViolation)),
            (500, Some(ExecutionError)),
            (501, Some(ToolNotFound)),
            (502, Some(ServiceUnavailable)),
            (503, Some(ServiceUnavailable)),
            (504, Some(Timeout)),
            (507, Some(ResourceExhausted)),
            (599, Some(ExecutionError)),
        ] {
            assert_eq!(category(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn only_a_failure_asks_to_stay_away() {
        let answer = |status| Response::builder().status(status).header(RETRY_AFTER, "7").body(()).unwrap();
        let of = |answer: &Response<()>| Judge::<_, Infallible>::judge(&HttpStatus::new(), Ok(answer));
        let seven = Some(Duration::from_secs(7));
        assert_eq!(of(&answer(429)), Verdict::failure(ErrorCategory::RateLimit).with_retry_after(seven));
        assert_eq!(of(&answer(200)), Verdict::success());
    }

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
}
