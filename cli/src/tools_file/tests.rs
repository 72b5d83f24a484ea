use super::*;
use fusebox::config::SizeText;
use fusebox::config_file::Place;
use reqwest::Method;
use serde_json::{Value, json};

fn read(text: &str) -> Result<ToolsFile, FileError> {
    let overrides = Overrides::default();
    ToolsFile::read(Document::parse(None, text, &overrides)?, Path::new("/folder"))
}

fn faults(text: &str) -> Vec<(usize, String)> {
    let error = read(text).unwrap_err();
    let faults = error.faults().iter().map(|fault| match fault.place {
        Place::At { line, .. } => (line, fault.message.clone()),
        _ => panic!("{error}"),
    });
    faults.collect()
}

/// Whether the text has one fault, on this line and with these words in it.
#[track_caller]
fn assert_fault(text: &str, line: usize, words: &[&str]) {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].0, line, "{faults:?}");
    for word in words {
        assert!(faults[0].1.contains(word), "{word:?} in {faults:?}");
    }
}

#[test]
fn an_empty_file_has_no_tools_and_no_faults() {
    let file = read("").unwrap();
    assert!(file.tools.is_empty() && file.services.is_empty());
}

const EVERYTHING: &str = r#"
        [defaults]
        timeout_ms = 300
        [tools.hash]
        command = ["./hash.sh", "-x"]
        env = { A = "b" }
        cwd = "sub"
        output = "text"
        max_output = "2 KiB"
        exit_codes = { "3" = "RateLimit" }
        stderr = [{ contains = "quota", category = "RateLimit" }]
        policy = { max_retries = 5 }
        args = { type = "object" }
        groups = ["g"]
        [tools.page]
        url = "{web}/page?a=1"
        method = "POST"
        headers = { Accept = "application/json" }
        max_output = 99
        [tools.page.policy.breaker]
        consecutive_failures = 2
        [groups.g]
        bulkhead = { max_in_flight = 2 }
        [services.web]
        command = ["fusebox", "flaky"]
        start_timeout = "3s"
    "#;

#[test]
fn everything_that_can_be_written_is_read() {
    let text = EVERYTHING;
    let file = read(text).unwrap();
    let ToolKind::Subprocess(hash) = &file.tools["hash"] else { panic!("{file:?}") };
    assert_eq!(hash.program, Path::new("/folder/./hash.sh"));
    assert_eq!((hash.cwd.as_path(), hash.max_output), (Path::new("/folder/sub"), 2048));
    assert_eq!(file.config.tools["hash"].policy.max_retries, Some(5));
    let config = &file.config.tools["hash"];
    assert_eq!((config.max_output, &config.args), (Some(SizeText(2048)), &Some(json!({ "type": "object" }))));
    assert_eq!(file.config.groups["g"].bulkhead.max_in_flight, Some(2));
    let ToolKind::Endpoint(page) = &file.tools["page"] else { panic!("{file:?}") };
    assert_eq!((page.service.as_deref(), page.url.as_str()), (Some("web"), "/page?a=1"));
    assert_eq!((&page.method, page.max_output), (&Method::POST, 99));
    assert_eq!(file.services["web"].start_timeout, std::time::Duration::from_secs(3));
}

#[test]
fn a_fault_names_field_value_and_what_is_allowed() {
    assert_fault(
        "[tool.a]\ncommand = ['x']",
        1,
        &["tool is unknown", "defaults, groups, limits, rules, services, tools"],
    );
    assert_fault(
        "[tools.a]\n\ncomand = ['x']",
        3,
        &["tools.a.comand is unknown: allowed is aliases, args, ", " command, "],
    );
    assert_fault("[tools.a]\ncommand = 'x'", 2, &["tools.a.command: invalid type: string \"x\", expected a sequence"]);
    assert_fault("[tools.a]\ncommand = []", 2, &["tools.a.command is empty"]);
    assert_fault("[tools.a]", 1, &["tools.a.command is absent", "a command or a url"]);
    assert_fault("[tools.a]\ncommand = ['x']\nurl = 'http://h'", 3, &["tools.a.url is given beside a command"]);
    assert_fault("[tools.a]\ncommand = ['x']\nmethod = 'GET'", 3, &["tools.a.method has no meaning"]);
    assert_fault("[tools.a]\nurl = 'http://h'\ncwd = 'GET'", 3, &["tools.a.cwd has no meaning"]);
    assert_fault("[tools.a]\nurl = 'ftp://h'", 2, &["tools.a.url is \"ftp://h\"", "scheme is ftp"]);
    assert_fault("[tools.a]\nurl = '{b}/c'", 2, &["tools.a.url", "service \"b\" is unknown"]);
    assert_fault(
        "[tools.a]\nurl = 'http://h'\nmethod = 'get'",
        3,
        &["tools.a.method: unknown variant `get`", "`GET`, `DELETE`"],
    );
    assert_fault(
        "[tools.a]\ncommand = ['x']\nmax_output = '9 GiB'",
        3,
        &["tools.a.max_output is 9 GiB", "1 B to 1 GiB"],
    );
    assert_fault(
        "[tools.a]\ncommand = ['x']\nexit_codes = {'300' = 'Network'}",
        3,
        &["exit_codes has the key \"300\""],
    );
    assert_fault("[tools.a]\ncommand = ['x']\npolicy.timeout = '0s'", 3, &["tools.a.policy.timeout is 0s", "1ms to"]);
    assert_fault(
        "[tools.a]\ncommand = ['x']\npolicy.timeout = 5",
        3,
        &["tools.a.policy.timeout: invalid type", "500ms"],
    );
    assert_fault("[defaults]\nbreaker.probes = 99", 2, &["defaults.breaker.probes is 99", "1 to 15"]);
    assert_fault("[services.a]\ncommand = ['x']\nport = 1", 3, &["services.a.port: unknown field"]);
    assert_fault("[tools.a]\ncommand = ['x']\nmax_output = 0", 3, &["tools.a.max_output is 0 B", "1 B to 1 GiB"]);
    assert_fault(
        "[tools.a]\ncommand = ['x']\nargs.type = 'strin'",
        3,
        &["tools.a.args is wrong (/type: ", "\"strin\" is not"],
    );
    assert_fault("[tools.a]\ncommand = ['x']\nresult = 3", 3, &["tools.a.result is wrong (", "3 is not"]);
    assert_fault("[tools.a]\ncommand = ['x']\ngroups = ['g']", 3, &["tools.a.groups[0] is \"g\""]);
    assert_fault("[services.'{a}']\ncommand = ['x']", 1, &["has no braces"]);
    assert_fault("services = 3", 1, &["services: invalid type"]);
    assert_fault("[services]\na = 3", 2, &["services.a: invalid type"]);
    assert_fault("[tools]\na = 3", 2, &["tools.a: invalid type"]);
    assert_fault("tools = 3", 1, &["tools: invalid type"]);
    assert_fault("tools = [", 1, &["array"]);
}

#[test]
fn one_fault_does_not_hide_the_next() {
    let text = "[defaults]\ntimeout = '0s'\n[tools.a]\ncomand = 1\npolicy.max_retries = 'x'\n[tools.b]\nurl = 'x'\n[services.c]\n";
    let lines: Vec<_> = faults(text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [2, 4, 5, 7, 8]);
}

#[test]
fn the_schema_has_the_keys_of_both_and_allows_what_is_read() {
    let schema = json_schema();
    let of_tool = schema["$defs"]["ToolConfig"]["properties"].as_object().unwrap();
    for key in ["policy", "keyed", "fallback", "command", "url", "stderr", "exit_codes", "max_output"] {
        assert!(of_tool.contains_key(key), "{key}");
    }
    let schema = jsonschema::validator_for(&schema).unwrap();
    let allows = |text: &str| schema.is_valid(&toml::from_str::<Value>(text).unwrap());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/agent/TOOLS.toml");
    for right in [EVERYTHING, &std::fs::read_to_string(example).unwrap(), ""] {
        assert!(allows(right), "{right}");
    }
    for wrong in [
        "tool = 3",
        "[tools.a]",
        "tools.a = { command = ['x'], url = 'http://h' }",
        "tools.a = { command = ['x'], comand = 3 }",
        "tools.a = { command = ['x'], policy.timeout = 5 }",
        "tools.a = { command = ['x'], exit_codes = { 3 = 'Ratelimit' } }",
        "tools.a = { command = ['x'], exit_codes = { 300 = 'RateLimit' } }",
        "tools.a = { command = ['x'], stderr = [{ contains = 'x' }] }",
        "tools.a = { url = 'ftp://h' }",
        "services.a = { command = ['x'], port = 3 }",
        "services.a = {}",
    ] {
        assert!(!allows(wrong), "{wrong}");
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
