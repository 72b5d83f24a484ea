//! Bit fields of a word: the next starts where this one ends, and all of them fit, checked at compile time.

/// A run of bits within a `u64`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    /// The field of `bits` bits at the low end of the word.
    pub(crate) const fn first(bits: u32) -> Self {
        Self { shift: 0, bits }
    }

    /// The field of `bits` bits that starts where `self` ends.
    pub(crate) const fn then(self, bits: u32) -> Self {
        Self { shift: self.end(), bits }
    }

    /// The field from the end of `self` to the top of the word.
    pub(crate) const fn rest(self) -> Self {
        self.then(u64::BITS.saturating_sub(self.end()))
    }

    /// The width in bits.
    pub(crate) const fn bits(self) -> u32 {
        self.bits
    }

    /// The first bit above the field. A layout asserts that its last field ends at 64 at most.
    pub(crate) const fn end(self) -> u32 {
        self.shift.saturating_add(self.bits)
    }

    /// The largest value the field holds.
    pub(crate) const fn max(self) -> u64 {
        u64::MAX.unbounded_shr(u64::BITS.saturating_sub(self.bits))
    }

    /// The field's value in `word`.
    pub(crate) const fn get(self, word: u64) -> u64 {
        word.unbounded_shr(self.shift) & self.max()
    }

    /// The field's value in `word`, for fields of at most eight bits.
    #[allow(clippy::cast_possible_truncation, reason = "narrow fields only, by contract")]
    pub(crate) const fn get_u8(self, word: u64) -> u8 {
        self.get(word) as u8
    }

    /// The field's value in `word`, for fields of at least 32 bits that hold a saturating `u32`.
    pub(crate) const fn get_u32(self, word: u64) -> u32 {
        let value = self.get(word);
        if value > u32::MAX as u64 { u32::MAX } else { low_u32(value) }
    }

    /// A word in which only this field is set; a value above [`Field::max`] saturates there.
    pub(crate) const fn put(self, value: u64) -> u64 {
        let value = if value > self.max() { self.max() } else { value };
        value.unbounded_shl(self.shift)
    }
}

/// The low 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "the caller has checked the range")]
pub(crate) const fn low_u32(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::Field;
    use proptest::prelude::*;

    const A: Field = Field::first(3);
    const B: Field = A.then(8);
    const C: Field = B.rest();

    #[test]
    fn fields_are_adjacent_and_fill_the_word() {
        assert_eq!((A.end(), B.end(), C.end()), (3, 11, 64));
        assert_eq!(A.put(u64::MAX) | B.put(u64::MAX) | C.put(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_field_saturates_at_its_end() {
        assert_eq!(A.get(A.put(8)), 7);
        assert_eq!(A.get(A.put(7)), 7);
    }

    proptest! {
        #[test]
        fn fields_round_trip_alone_and_together(a in 0..=A.max(), b in 0..=B.max(), c in 0..=C.max()) {
            for (field, value) in [(A, a), (B, b), (C, c)] {
                prop_assert_eq!(field.get(field.put(value)), value);
            }
            let word = A.put(a) | B.put(b) | C.put(c);
            prop_assert_eq!((A.get(word), B.get(word), C.get(word)), (a, b, c));
        }
    }
}
