//! The JSON Schema of a `RegistryConfig`.

use crate::RegistryConfig;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

impl RegistryConfig {
    /// The JSON Schema (draft 2020-12) of a registry's configuration, for editors and for checks where there is no Rust.
    /// It tells names, types and the forms of texts; ranges, and what the parts say of each other, are told by
    /// [`check`](Self::check).
    ///
    /// ```
    /// use fusebox::RegistryConfig;
    ///
    /// let schema = RegistryConfig::json_schema();
    /// assert_eq!(schema["properties"]["tools"]["description"], "The tools by name.");
    /// ```
    pub fn json_schema() -> Value {
        let settings = SchemaSettings::draft2020_12().with_transform(PlainDescriptions);
        let mut schema = Value::from(settings.into_generator().into_root_schema_for::<Self>());
        for (name, definition) in schema["$defs"].as_object_mut().into_iter().flatten() {
            definition["title"] = name.as_str().into();
        }
        schema
    }
}

/// Makes plain text of the descriptions, which are written for the documentation of the Rust types: no links, no
/// examples in Rust, and a line for each paragraph.
#[derive(Clone, Debug)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            let paragraphs = text.split("\n\n").take_while(|paragraph| !paragraph.starts_with("```"));
            let paragraphs: Vec<_> = paragraphs.map(|paragraph| paragraph.replace('\n', " ")).collect();
            *text = paragraphs.join("\n").replace("[`", "`").replace("`]", "`");
        }
        transform_subschemas(self, schema);
    }
}
