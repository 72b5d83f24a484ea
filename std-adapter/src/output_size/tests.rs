//! Tests of the length of a value as JSON.

use super::is_longer_than;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x1f\"\\\\/]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let fields = proptest::collection::vec((any::<String>(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_length_is_that_of_the_written_value(value in any_value()) {
        let length = value.to_string().len();
        prop_assert!(!is_longer_than(&value, length), "{} bytes fit: {}", length, value);
        prop_assert!(is_longer_than(&value, length - 1), "{} bytes do not fit: {}", length - 1, value);
    }

    #[test]
    fn more_room_never_makes_a_value_too_long(value in any_value(), max in 0_usize..200) {
        prop_assert_eq!(is_longer_than(&value, max), value.to_string().len() > max);
    }
}

#[test]
fn nothing_has_room_in_no_bytes_and_everything_in_the_most() {
    for value in [json!(null), json!(0), json!(""), json!([]), json!({}), json!({ "a": [1, "b"] })] {
        assert!(is_longer_than(&value, 0), "{value}");
        assert!(!is_longer_than(&value, usize::MAX), "{value}");
    }
}

#[test]
fn the_rest_of_a_long_value_is_not_looked_at() {
    // brackets and commas take 101 bytes, and each text takes 202, twice what it is long
    let mut room = super::Room(1_000);
    assert!(room.take(&Value::from(vec!["\"".repeat(100); 100])).is_err());
    assert_eq!(room.0, 1_000 - 101 - 4 * 202, "four texts fit, the fifth is not begun");
    let mut room = super::Room(1_000);
    assert!(room.take_text(&"\"".repeat(1_001)).is_err());
    assert_eq!(room.0, 1_000, "a text that cannot fit is not even begun");
}

#[test]
fn no_heap_is_used() {
    let value = json!({ "text": "a\nb", "numbers": [1, 2.5, -3], "nested": { "yes": true, "none": null } });
    let length = value.to_string().len();
    let used = allocation_counter::measure(|| assert!(!is_longer_than(&value, length)));
    assert_eq!(used.count_total, 0);
}
