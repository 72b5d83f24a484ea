//! `GrpcStatus`: how a gRPC answer counts, by the status in its headers.

use super::judge::{AnyError, Judge, Verdict};
use crate::{ErrorCategory, RetryHint};
use core::time::Duration;
use http::{HeaderMap, Response};

/// Judges gRPC answers, as a channel of tonic gives them, by the `grpc-status` in their headers, and errors, of which
/// there was no answer, by `J`. By default every error is of category [`Network`](ErrorCategory::Network).
///
/// | code | category | trips | retry |
/// |---|---|---|---|
/// | 0 OK, or none in the headers | a success | | |
/// | 1 CANCELLED | Cancelled | no | no |
/// | 4 DEADLINE_EXCEEDED | Timeout | yes | yes |
/// | 5 NOT_FOUND | ResourceNotFound | no | no |
/// | 7 PERMISSION_DENIED | PermissionDenied | no | no |
/// | 8 RESOURCE_EXHAUSTED | RateLimit | yes | yes |
/// | 3, 6, 9, 10, 11: INVALID_ARGUMENT, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE | InvalidParameters | no | no |
/// | 12 UNIMPLEMENTED | ToolNotFound | no | no |
/// | 14 UNAVAILABLE | ServiceUnavailable | yes | yes |
/// | 16 UNAUTHENTICATED | Authentication | no | no |
/// | 2, 13, 15: UNKNOWN, INTERNAL, DATA_LOSS, and others | ExecutionError | yes | yes |
///
/// A failure that comes before the first message stands in the headers. One that comes later stands in the trailers,
/// which are not there yet when the response is, so it counts as a success. An answer without a gRPC status that is not
/// 200 comes from something between and counts by its HTTP status, see [`HttpStatus`](super::HttpStatus).
///
/// A `grpc-retry-pushback-ms` says when to try again, or, where it is no number from 0 on, not to (gRPC proposal A6).
#[derive(Clone, Copy, Debug)]
pub struct GrpcStatus<J = AnyError> {
    errors: J,
}

impl GrpcStatus {
    /// Answers by status, every error as [`Network`](ErrorCategory::Network).
    pub const fn new() -> Self {
        Self::with_errors(AnyError(ErrorCategory::Network))
    }
}

impl<J> GrpcStatus<J> {
    /// Answers by status, errors as `errors` judges them.
    pub const fn with_errors(errors: J) -> Self {
        Self { errors }
    }
}

impl Default for GrpcStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, E, J: Judge<Response<B>, E>> Judge<Response<B>, E> for GrpcStatus<J> {
    fn judge(&self, result: Result<&Response<B>, &E>) -> Verdict {
        match result {
            Ok(response) => match response.headers().get("grpc-status") {
                Some(code) => of_code(code.as_bytes(), response.headers()),
                None => Verdict::of_http(response.status(), response.headers()),
            },
            error => self.errors.judge(error),
        }
    }
}

fn of_code(code: &[u8], headers: &HeaderMap) -> Verdict {
    let failure = Verdict::failure(match code {
        b"0" => return Verdict::success(),
        b"1" => ErrorCategory::Cancelled,
        b"4" => ErrorCategory::Timeout,
        b"5" => ErrorCategory::ResourceNotFound,
        b"7" => ErrorCategory::PermissionDenied,
        b"8" => ErrorCategory::RateLimit,
        b"3" | b"6" | b"9" | b"10" | b"11" => ErrorCategory::InvalidParameters,
        b"12" => ErrorCategory::ToolNotFound,
        b"14" => ErrorCategory::ServiceUnavailable,
        b"16" => ErrorCategory::Authentication,
        _ => ErrorCategory::ExecutionError,
    });
    let Some(pushback) = headers.get("grpc-retry-pushback-ms") else { return failure };
    match pushback.to_str().ok().and_then(|millis| millis.parse::<u32>().ok()) {
        Some(millis) => failure.with_retry_after(Duration::from_millis(millis.into())),
        None => failure.with_retry_hint(RetryHint::Never),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;

    fn judge(status: u16, headers: &[(&str, &str)]) -> Verdict {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(()).expect("it is a response");
        Judge::<_, Infallible>::judge(&GrpcStatus::new(), Ok(&response))
    }

    #[test]
    fn the_documented_table_is_what_happens() {
        use ErrorCategory::*;
        for (code, expected) in [
            ("0", None),
            ("1", Some(Cancelled)),
            ("2", Some(ExecutionError)),
            ("3", Some(InvalidParameters)),
            ("4", Some(Timeout)),
            ("5", Some(ResourceNotFound)),
            ("6", Some(InvalidParameters)),
            ("7", Some(PermissionDenied)),
            ("8", Some(RateLimit)),
            ("9", Some(InvalidParameters)),
            ("10", Some(InvalidParameters)),
            ("11", Some(InvalidParameters)),
            ("12", Some(ToolNotFound)),
            ("13", Some(ExecutionError)),
            ("14", Some(ServiceUnavailable)),
            ("15", Some(ExecutionError)),
            ("16", Some(Authentication)),
            ("17", Some(ExecutionError)),
            ("what", Some(ExecutionError)),
        ] {
            assert_eq!(judge(200, &[("grpc-status", code)]).category, expected, "{code}");
        }
        assert_eq!(judge(200, &[]), Verdict::success());
        assert_eq!(judge(503, &[]), Verdict::failure(ServiceUnavailable));
    }

    #[test]
    fn a_pushback_says_when_to_try_again_or_not_to() {
        let verdict = |pushback| judge(200, &[("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)]);
        let unavailable = Verdict::failure(ErrorCategory::ServiceUnavailable);
        assert_eq!(verdict("250"), unavailable.with_retry_after(Duration::from_millis(250)));
        for no in ["-1", "soon", ""] {
            assert_eq!(verdict(no), unavailable.with_retry_hint(RetryHint::Never), "{no:?}");
        }
    }
}
