//! `RepeatRequest`: whether and how a request can be made again.

use http::Request;

/// Whether and how a request can be made again.
///
/// ```
/// use fusebox::tower::RepeatRequest;
///
/// /// Requests of reqwest, whose body may be a stream.
/// #[derive(Clone)]
/// struct RepeatReqwest;
///
/// impl RepeatRequest<reqwest::Request> for RepeatReqwest {
///     fn is_idempotent(&self, request: &reqwest::Request) -> bool {
///         request.method().is_idempotent() || request.headers().contains_key("idempotency-key")
///     }
///
///     fn copy(&self, request: &reqwest::Request) -> Option<reqwest::Request> {
///         request.try_clone()
///     }
/// }
///
/// let url = "http://localhost/orders".parse()?;
/// assert!(!RepeatReqwest.is_idempotent(&reqwest::Request::new(reqwest::Method::POST, url)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RepeatRequest<Request> {
    /// Whether the request may be made again where it is not known what the attempt before has done.
    ///
    /// One that may not is still repeated after an error that says that nothing was done, see
    /// [`RetryHint::NothingDone`](crate::RetryHint::NothingDone).
    fn is_idempotent(&self, request: &Request) -> bool;

    /// The same request for the next attempt; `None` where it cannot be copied, and so not be repeated.
    fn copy(&self, request: &Request) -> Option<Request>;
}

/// The default: clones requests, all of which are idempotent unless the policy says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct RepeatAny;

impl<R: Clone> RepeatRequest<R> for RepeatAny {
    fn is_idempotent(&self, _: &R) -> bool {
        true
    }

    fn copy(&self, request: &R) -> Option<R> {
        Some(request.clone())
    }
}

/// Clones HTTP requests. Idempotent are those with a method that is (GET, HEAD, OPTIONS, TRACE, PUT, DELETE; RFC 9110,
/// section 9.2.2) and those with an `Idempotency-Key` header.
///
/// The body must be `Clone`, as one of `Bytes` is; so a body that is a stream cannot be sent twice by mistake.
#[derive(Clone, Copy, Debug, Default)]
pub struct RepeatHttp;

impl<B: Clone> RepeatRequest<Request<B>> for RepeatHttp {
    fn is_idempotent(&self, request: &Request<B>) -> bool {
        request.method().is_idempotent() || request.headers().contains_key("idempotency-key")
    }

    fn copy(&self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn a_request_is_idempotent_by_its_method_or_by_its_key() {
        let request = |method: &Method| Request::builder().method(method).body(()).expect("it is a request");
        for (method, idempotent) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::TRACE, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
            (Method::CONNECT, false),
        ] {
            let mut request = request(&method);
            assert_eq!(RepeatHttp.is_idempotent(&request), idempotent, "{method}");
            request.headers_mut().insert("Idempotency-Key", "order-17".parse().expect("it is a value"));
            assert!(RepeatHttp.is_idempotent(&request), "{method}");
        }
    }
}
