//! `IdempotencyKey`: what tells a dependency that several attempts are one call.

use std::fmt;
use std::sync::Arc;

/// What tells a dependency that several attempts are one call, as the `Idempotency-Key` header of HTTP does.
///
/// It is the same for all attempts of a call. It is shown as the caller wrote it, or as 32 hexadecimal digits.
///
/// ```
/// use fusebox::IdempotencyKey;
///
/// assert_eq!(IdempotencyKey::new("order-17").to_string(), "order-17");
/// assert_ne!(IdempotencyKey::random(), IdempotencyKey::random());
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IdempotencyKey(Key);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Key {
    Given(Arc<str>),
    Random(u128),
}

impl IdempotencyKey {
    /// A key that means something to the caller, such as the number of an order.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(Key::Given(key.into()))
    }

    /// A key that no other call has: 128 random bits. Not a secret.
    pub fn random() -> Self {
        Self(Key::Random(fastrand::u128(..)))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Key::Given(key) => f.write_str(key),
            Key::Random(key) => write!(f, "{key:032x}"),
        }
    }
}
