//! Tests of schemas and of what they say is wrong.

use super::{Schema, Violation, Violations};
use proptest::prelude::{prop_assert, proptest};
use serde_json::{Value, json};

fn schema(schema: Value) -> Schema {
    Schema::compile(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn told(of: Value, value: Value) -> String {
    schema(of).check(&value).expect_err("it is wrong").to_string()
}

#[test]
fn what_a_schema_allows_passes() {
    let schema = schema(json!({
        "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } }, "required": ["n"]
    }));
    for value in [json!({ "n": 1 }), json!({ "n": 7, "more": [] })] {
        assert_eq!(schema.check(&value), Ok(()), "{value}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let schema = schema(json!({
        "properties": {
            "names": { "items": { "type": "string" } }, "a/b": { "minimum": 3 }, "unit": { "enum": ["m", "km", null] }
        },
        "required": ["query"], "additionalProperties": false
    }));
    let violations = schema
        .check(&json!({ "names": ["a", 1], "a/b": 2, "unit": "mile", "color": "red" }))
        .expect_err("five things are wrong");
    let mut told: Vec<_> = violations.list.iter().map(Violation::to_string).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "\"query\" is a required property",
            "/a~1b: 2 is less than the minimum of 3",
            "/names/1: 1 is not of type \"string\"",
            "/unit: \"mile\" is not allowed: allowed is \"m\", \"km\", null",
            "Additional properties are not allowed ('color' was unexpected)",
        ]
    );
    assert_eq!(violations.more, 0);
}

#[test]
fn of_several_ways_each_is_told() {
    let query = json!({ "properties": { "query": { "anyOf": [
        { "type": "string" },
        { "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] },
    ] } } });
    assert_eq!(
        told(query.clone(), json!({ "query": 7 })),
        "/query: none of the ways that are allowed fits: 7 is not of type \"string\"; or 7 is not of type \"object\""
    );
    assert_eq!(
        told(query, json!({ "query": { "text": 7 } })),
        "/query: none of the ways that are allowed fits: {\"text\":7} is not of type \"string\"; or /text: 7 is not of type \
         \"string\""
    );
    let many: Vec<_> = (0..6).map(|number| json!({ "const": number })).collect();
    assert_eq!(
        told(json!({ "oneOf": many }), json!("x")),
        "none of the ways that are allowed fits: 0 was expected; or 1 was expected; or 2 was expected; or 3 was expected; \
         or others"
    );
}

#[test]
fn no_more_than_ten_violations_are_listed_and_the_others_counted() {
    let items = schema(json!({ "items": { "type": "string" } }));
    for (wrong, listed, more) in [(9, 9, 0), (10, 10, 0), (11, 10, 1), (1_000, 10, 990)] {
        let violations = items.check(&Value::from(vec![0; wrong])).expect_err("none is a text");
        assert_eq!((violations.list.len(), violations.more), (listed, more));
        assert_eq!(violations.to_string().ends_with(&format!("; and {more} more")), more > 0);
    }
    assert_eq!(Violations::MAX, 10);
}

#[test]
fn a_long_value_is_not_repeated() {
    let long = "é".repeat(100_000);
    for (of, value) in [
        (json!({ "type": "integer" }), json!(long)),
        (json!({ "type": "integer" }), json!({ "a": long })),
        (json!({ "enum": [1] }), json!(long)),
        (json!({ "maxLength": 3 }), json!(long)),
        (json!({ "additionalProperties": false }), json!({ &long: 1 })),
        (json!({ "unevaluatedProperties": false }), json!({ &long: 1 })),
        (json!({ "unevaluatedItems": false }), json!([long, long])),
        (json!({ "prefixItems": [{}], "items": false }), json!([1, long, long])),
        (json!({ "propertyNames": { "maxLength": 3 } }), json!({ &long: 1 })),
        (json!({ "additionalProperties": { "type": "integer" } }), json!({ &long: "x" })),
        (json!({ "anyOf": [{ "type": "integer" }, { "maxLength": 3 }] }), json!(long)),
        (json!({ "not": { "type": "string" } }), json!(long)),
        (json!({ "contains": { "type": "integer" } }), json!([long])),
        (json!({ "uniqueItems": true }), json!([long, long])),
        (json!({ "format": "date-time" }), json!(long)),
        (json!({ "const": long }), json!(1)),
        (json!({ "pattern": "^x" }), json!(long)),
    ] {
        let violations = schema(of.clone()).check(&value).expect_err(&of.to_string());
        assert!(violations.to_string().len() < 700, "{violations}");
        assert!(!violations.to_string().contains(&"é".repeat(250)), "{violations}");
    }
    assert_eq!(
        told(json!({ "type": "integer" }), json!(long)),
        format!("\"{}… is not of type \"integer\"", "é".repeat(29))
    );
    assert_eq!(
        told(json!({ "propertyNames": { "maxLength": 3 } }), json!({ &long: 1 })),
        format!("the name of a property is wrong: \"{}… is longer than 3 characters", "é".repeat(29))
    );
}

#[test]
fn a_format_is_checked_in_every_draft_where_it_is_known() {
    for draft in ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"] {
        let of = json!({ "$schema": draft, "format": "date-time" });
        assert_eq!(schema(of.clone()).check(&json!("2026-01-02T03:04:05Z")), Ok(()));
        assert_eq!(told(of, json!("tomorrow")), "\"tomorrow\" is not a \"date-time\"");
    }
    assert_eq!(schema(json!({ "format": "int32" })).check(&json!("x")), Ok(()));
}

#[test]
fn the_draft_is_the_one_that_the_schema_names_or_else_2020_12() {
    let pair = json!([1, 2]);
    let newest = json!({ "prefixItems": [true, { "type": "string" }] });
    assert_eq!(told(newest, pair.clone()), "/1: 2 is not of type \"string\"");
    let draft_7 =
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": [true, { "type": "string" }] });
    assert_eq!(told(draft_7, pair), "/1: 2 is not of type \"string\"");
}

#[test]
fn a_reference_within_the_schema_is_followed_and_none_outside() {
    let tree = json!({
        "$ref": "#/$defs/tree", "$defs": { "tree": {
            "properties": { "children": { "items": { "$ref": "#/$defs/tree" } }, "name": { "type": "string" } }
        } }
    });
    let value = json!({ "children": [{ "children": [{ "name": 1 }] }] });
    assert_eq!(told(tree, value), "/children/0/children/0/name: 1 is not of type \"string\"");

    for outside in ["https://example.com/a.json", "file:///etc/hostname", "other.json"] {
        let error = Schema::compile(&json!({ "properties": { "a": { "$ref": outside } } })).expect_err(outside);
        let problem = format!("{outside:?} is not part of it, and nothing is fetched: allowed is \"#/$defs/...\"");
        assert_eq!(error.problem(), problem);
    }
}

#[test]
fn a_schema_that_refers_to_itself_alone_ends() {
    for of in
        [json!({ "$ref": "#" }), json!({ "allOf": [{ "$ref": "#" }] }), json!({ "anyOf": [false, { "$ref": "#" }] })]
    {
        let _ = schema(of).check(&json!({ "a": [1] }));
    }
}

#[test]
fn what_is_no_schema_is_refused_with_place_and_problem() {
    for (of, pointer, problem) in [
        (
            json!({ "properties": { "n": { "minLength": -1 } } }),
            "/properties/n/minLength",
            "-1 is less than the minimum of 0",
        ),
        (json!({ "pattern": "(" }), "/pattern", "\"(\" is not a \"regex\""),
        (json!({ "required": "query" }), "/required", "\"query\" is not of type \"array\""),
        (json!(7), "", "7 is not of types \"boolean\", \"object\""),
        (json!({ "$ref": "#/$defs/none" }), "", "Pointer '/$defs/none' does not exist"),
        (
            json!({ "$schema": "https://example.com/own" }),
            "",
            "$schema is \"https://example.com/own\": allowed is a draft, \"https://json-schema.org/draft/2020-12/schema\"",
        ),
    ] {
        let error = Schema::compile(&of).expect_err(problem);
        assert_eq!((error.pointer(), error.problem()), (pointer, problem));
        let place = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
        assert_eq!(error.to_string(), format!("the JSON Schema cannot be used: {place}{problem}"));
    }
    let error = Schema::compile(&json!({ "type": "strin" })).expect_err("there is no such type");
    assert!(error.problem().contains("\"strin\" is not allowed: allowed is \"array\", \"boolean\""), "{error}");
}

#[test]
fn a_pattern_that_never_ends_is_violated() {
    let of = json!({ "pattern": "^(a*)*\\1b$" });
    let told = told(of, json!("a".repeat(40)));
    assert_eq!(told, "the text takes too long to match with the pattern");
}

#[test]
fn violations_are_data() {
    let violations = schema(json!({ "items": { "type": "string" } })).check(&json!([1])).expect_err("it is no text");
    let data = json!({ "list": [{ "pointer": "/0", "problem": "1 is not of type \"string\"" }], "more": 0 });
    assert_eq!(serde_json::to_value(violations).expect("it is data"), data);
}

#[test]
fn a_schema_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Schema>();
}

proptest! {
    #[test]
    fn no_value_panics(text: String, name: String, number: f64) {
        let schema = schema(json!({
            "properties": { "a": { "type": "integer", "maximum": 3 } }, "additionalProperties": { "maxLength": 2 },
            "propertyNames": { "pattern": "^[a-z]$" }, "maxProperties": 1
        }));
        for value in [json!({ &name: text }), json!({ "a": number, &name: &text }), json!(text)] {
            if let Err(violations) = schema.check(&value) {
                prop_assert!(!violations.list.is_empty());
                prop_assert!(violations.to_string().len() < 3_000);
            }
        }
    }

    #[test]
    fn no_schema_panics(keyword in "type|\\$ref|\\$id|\\$schema|pattern|format|items|required|enum", text: String) {
        let _ = Schema::compile(&json!({ keyword: text })).map(|schema| schema.check(&json!(text)));
    }
}
