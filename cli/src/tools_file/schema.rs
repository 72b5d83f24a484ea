//! The JSON Schema of a TOOLS.toml: that of a registry's configuration, with the command line's own keys.

use super::service_entry::ServiceFields;
use super::tool_entry::ToolFields;
use fusebox::RegistryConfig;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The keys that are the command line's own.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "for its schema only")]
struct OwnKeys {
    /// Servers by name, which run as long as the calls do.
    services: BTreeMap<String, ServiceFields>,
    tools: BTreeMap<String, ToolFields>,
}

/// The JSON Schema, draft 2020-12. It tells names, types and the forms of texts; `fusebox check` tells the rest.
pub(crate) fn json_schema() -> Value {
    let mut own = Value::from(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<OwnKeys>());
    let mut schema = RegistryConfig::json_schema();
    schema["title"] = json!("TOOLS.toml");
    schema["description"] = json!("Tools, their policies, and the services they need.");
    schema["properties"]["services"] = own["properties"]["services"].take();

    let mut definitions = members(own["$defs"].take());
    let tool = &mut schema["$defs"]["ToolConfig"];
    tool["oneOf"] = json!([{ "required": ["command"] }, { "required": ["url"] }]);
    if let Some(mut fields) = definitions.remove("ToolFields") {
        add(&mut tool["properties"], members(fields["properties"].take()));
    }
    add(&mut schema["$defs"], definitions);
    schema
}

/// Adds what is not there yet; what is, such as durations, is the same in both.
fn add(to: &mut Value, more: Map<String, Value>) {
    for (name, value) in more {
        if to[&name].is_null() {
            to[name] = value;
        }
    }
}

fn members(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}
