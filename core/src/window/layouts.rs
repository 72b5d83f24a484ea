//! Every word of a window survives packing.

use super::count::{Head, Ring};
use super::time::{Latest, Slot};
use crate::word::Packed;
use proptest::prelude::*;

proptest! {
    /// The words of a window use all of their bits, so every word is a state and comes back as it was.
    #[test]
    fn every_word_survives_decoding_and_encoding(bits: u64) {
        prop_assert_eq!(Head::unpack(bits).pack(), bits);
        prop_assert_eq!(Ring::unpack(bits).pack(), bits);
        prop_assert_eq!(Latest::unpack(bits).pack(), bits);
        prop_assert_eq!(Slot::unpack(bits).pack(), bits);
    }
}
