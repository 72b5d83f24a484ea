//! How a document becomes a `ToolsFile`: the command line takes its own keys, the registry's configuration is the rest.

use super::{ToolsFile, json_schema, service_entry, tool_entry};
use fusebox::Schema;
use fusebox::config::SizeText;
use fusebox::config_file::{Document, FileError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Keys of the registry's that are looked at here, too.
#[derive(Debug, Deserialize)]
struct Shared {
    max_output: Option<SizeText>,
    args: Option<Value>,
    result: Option<Value>,
}

pub(super) fn read(mut document: Document<'_>, folder: &Path) -> Result<ToolsFile, FileError> {
    let schema = json_schema();
    refuse_unknown(&mut document, &[], &schema["properties"]);

    let names = document.names(&["services"]);
    let services = names.iter().filter_map(|name| {
        let entry = service_entry::read(&mut document, name, folder)?;
        Some((name.clone(), entry))
    });
    let services = services.collect();
    let _: Option<BTreeMap<String, IgnoredAny>> = document.take(&["services"]); // nothing is left in it

    let mut tools = BTreeMap::new();
    let mut shared = BTreeMap::new();
    for name in document.names(&["tools"]) {
        let tool = ["tools", name.as_str()];
        let has_unknown = refuse_unknown(&mut document, &tool, &schema["$defs"]["ToolConfig"]["properties"]);
        if has_unknown && !document.names(&tool).iter().any(|key| key == "command" || key == "url") {
            continue; // a slip of the pen, and not also a tool without a command
        }
        let looked_at = take_shared(&mut document, &name);
        let max_output = looked_at.as_ref().and_then(|looked_at| looked_at.max_output);
        if let Some(tool) = tool_entry::read(&mut document, &name, max_output, folder, &names) {
            tools.insert(name.clone(), tool);
        }
        shared.extend(looked_at.map(|looked_at| (name, looked_at)));
    }

    let mut config = document.finish()?;
    for (name, Shared { max_output, args, result }) in shared {
        if let Some(tool) = config.tools.get_mut(&name) {
            (tool.max_output, tool.args, tool.result) = (max_output, args, result);
        }
    }
    Ok(ToolsFile { config, services, tools })
}

/// Takes the keys of a table that nobody knows, and tells whether there were any: of an unknown key the registry would name
/// only those that are its own.
fn refuse_unknown(document: &mut Document<'_>, table: &[&str], known: &Value) -> bool {
    let known: Vec<_> = known.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let mut has_unknown = false;
    for name in document.names(table) {
        if !known.contains(&name.as_str()) {
            let path = [table, &[name.as_str()]].concat();
            let _: Option<IgnoredAny> = document.take(&path);
            document.fault(&path, &format!("is unknown: allowed is {}", known.join(", ")));
            has_unknown = true;
        }
    }
    has_unknown
}

/// Takes what is looked at here, checked as far as the registry checks it, which will not see it in the document.
fn take_shared(document: &mut Document<'_>, name: &str) -> Option<Shared> {
    let shared: Shared = document.take_members(&["tools", name], &["max_output", "args", "result"])?;
    const MOST: SizeText = SizeText(1 << 30);
    if let Some(size) = shared.max_output
        && !(SizeText(1)..=MOST).contains(&size)
    {
        let fault = format!("is {size}: allowed is {} to {MOST}", SizeText(1));
        document.fault(&["tools", name, "max_output"], &fault);
    }
    for (field, schema) in [("args", &shared.args), ("result", &shared.result)] {
        if let Some(Err(error)) = schema.as_ref().map(Schema::compile) {
            let (pointer, problem) = (error.pointer(), error.problem());
            let place = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
            let fault = format!("is wrong ({place}{problem}): allowed is a JSON Schema that stands by itself");
            document.fault(&["tools", name, field], &fault);
        }
    }
    Some(shared)
}
