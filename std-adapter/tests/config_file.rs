//! A configuration in a file: faults with their places, overrides by variables, the schema, and changes as they happen.

#![cfg(feature = "config-file")]

use core::time::Duration;
use fusebox::config_file::{ConfigWatcher, Document, FileError, Overrides, Place, WatchOptions};
use fusebox::{DurationText, RegistryConfig};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

const NONE: [(&str, &str); 0] = [];

fn read(text: &str) -> Result<RegistryConfig, FileError> {
    RegistryConfig::from_toml(text, &Overrides::default())
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<RegistryConfig, FileError> {
    RegistryConfig::from_toml(text, &Overrides::new("FUSEBOX", variables.iter().copied()))
}

/// All faults, one per line.
#[track_caller]
fn faults(result: Result<RegistryConfig, FileError>) -> String {
    result.expect_err("there are faults").to_string()
}

#[test]
fn each_fault_has_its_place_and_what_is_allowed() {
    let fault = |text| faults(read(text));
    assert_eq!(fault("\n  [defaults]\n  timeout = '0s'"), "3:13: defaults.timeout is 0s: allowed is 1ms to 365days");
    assert!(fault("tool = 3").starts_with("1:1: tool: unknown field `tool`, expected one of `limits`, `defaults`"));
    let unit = fault("[tools.a]\npolicy.timeout = 5");
    assert!(unit.starts_with("2:18: tools.a.policy.timeout: invalid type: integer `5`, expected a duration"), "{unit}");
    assert!(unit.contains("\"500ms\""), "{unit}");
    let rate = fault("limits.rate.limit = 'fast'");
    assert!(rate.starts_with("1:21: limits.rate.limit: \"fast\" is not a rate such as \"2/s\""), "{rate}");
    let dotted = fault("[tools.'a.b'.policy.breaker]\nprobes = 99");
    assert_eq!(dotted, "2:10: tools.\"a.b\".policy.breaker.probes is 99: allowed is 1 to 15");
    let absent = fault("\n[tools.a]\nmax_output = 3\nkeyed.rate.burst = 1");
    assert!(absent.starts_with("4:7: tools.a.keyed.rate.limit is absent: allowed is a rate"), "{absent}");
    let group = fault("[tools.a]\ngroups = ['x', 'b']\n[groups]\nx = {}");
    assert_eq!(group, "2:16: tools.a.groups[1] is \"b\": allowed is x");
    let rule = fault(
        "[[rules]]\nrole = '*'\ncapability = 'a'\ndecision = 'allow'\n[[rules]]\nrole = ''\ncapability = 'a'\ndecision = 'deny'",
    );
    assert_eq!(rule, "6:8: rules[1].role is \"\": allowed is \"*\", or a role without \"*\" in it");
    let decision = fault("[[rules]]\nrole = '*'\ncapability = '*'\ndecision = 'maybe'");
    assert!(
        decision.starts_with("4:12: rules[0].decision: unknown variant `maybe`, expected one of `allow`"),
        "{decision}"
    );
    let missing = fault("[[rules]]\nrole = '*'\ncapability = '*'");
    assert!(missing.starts_with("1:1: rules[0]: missing field `decision`"), "{missing}");
    assert!(fault("tools = [").contains("this is no TOML"));
    assert!(fault("tools = 3").starts_with("1:9: tools: invalid type: integer `3`, expected a map"));
    assert_eq!(fault("tools.\u{e4}\u{e4} = 1\n").lines().count(), 1);
}

#[test]
fn one_fault_does_not_hide_the_next_nor_bring_forth_others() {
    let text = "
[defaults]
timeout = '0s'
max_wiat = '1s'
[tools.a]
policy.max_retries = 'x'
policy.timeout = 3
policy.bulkhead = { max_in_flight = 'y', enabled = true }
max_output = 0
[tools.b]
groups = ['none']
[tools.c]
aliases = [1, 2]
policy.breaker = { open_wait_max = 'long', open_wait = '10m' }
[[rules]]
role = '*'
decision = 'perhaps'
capability = '*'
";
    let error = read(text).expect_err("there are faults");
    let lines = |place: &Place| match place {
        Place::At { line, .. } => *line,
        other => panic!("{other:?}"),
    };
    let found: Vec<_> = error.faults().iter().map(|fault| (lines(&fault.place), fault.field.as_str())).collect();
    assert_eq!(
        found,
        [
            (4, "defaults.max_wiat"),
            (6, "tools.a.policy.max_retries"),
            (7, "tools.a.policy.timeout"),
            (8, "tools.a.policy.bulkhead.max_in_flight"),
            (9, "tools.a.max_output"),
            (11, "tools.b.groups[0]"),
            (13, "tools.c.aliases[0]"),
            (14, "tools.c.policy.breaker.open_wait_max"),
            (17, "rules[0].decision"),
        ],
        "{error}"
    );
    let error = read("groups = 3\n[tools.a]\ngroups = ['x']").expect_err("there is a fault");
    assert_eq!(error.faults().len(), 1, "{error}");
}

#[test]
fn a_file_is_named_with_its_faults_and_so_is_one_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    let missing = RegistryConfig::load(&file, &Overrides::default()).expect_err("it is not there");
    assert!(missing.to_string().starts_with(&format!("{}: the file cannot be read: ", file.display())), "{missing}");
    assert_eq!((missing.file(), &missing.faults()[0].place), (Some(file.as_path()), &Place::Unknown));

    fs::write(&file, "defaults.breaker.probes = 0").expect("it can be written");
    let wrong = RegistryConfig::load(&file, &Overrides::default()).expect_err("no probes");
    let expected = format!("{}:1:27: defaults.breaker.probes is 0: allowed is 1 to 15", file.display());
    assert_eq!(wrong.to_string(), expected);
    fs::write(&file, "defaults.breaker.probes = 3").expect("it can be written");
    let right = RegistryConfig::load(&file, &Overrides::default()).expect("it is right");
    assert_eq!(right.defaults.breaker.probes, Some(3));
}

#[test]
fn a_variable_takes_the_place_of_a_value_or_adds_one() {
    let text = "
        [defaults]
        timeout = '10s'
        [tools.Web-Search]
        policy.rate.limit = '1/s'
        [tools.'fs.read']
    ";
    let config = read_with(
        text,
        &[
            ("FUSEBOX__DEFAULTS__TIMEOUT", "5s"),
            ("FUSEBOX__DEFAULTS__MAX_RETRIES", "7"),
            ("FUSEBOX__DEFAULTS__CATEGORIES", "{ RateLimit = { trips = false } }"),
            ("FUSEBOX__TOOLS__WEB_SEARCH__POLICY__RATE__LIMIT", "10/s"),
            ("FUSEBOX__TOOLS__FS_READ__ALIASES", "['cat', 'less']"),
            ("FUSEBOX__TOOLS__NEW_TOOL__DESCRIPTION", "it is new"),
            ("FUSEBOX__TOOLS__NEW_TOOL__FALLBACK", "'3'"),
            ("FUSEBOX_ATTEMPT", "3"),
            ("OTHER__DEFAULTS__TIMEOUT", "0s"),
        ],
    );
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.defaults.timeout, Some(DurationText::from_secs(5)));
    assert_eq!(config.defaults.max_retries, Some(7));
    assert_eq!(config.defaults.categories.len(), 1);
    assert_eq!(config.tools.keys().collect::<Vec<_>>(), ["Web-Search", "fs.read", "new_tool"]);
    assert_eq!(config.tools["Web-Search"].policy.rate.limit, "10/s".parse().ok());
    assert_eq!(config.tools["fs.read"].aliases, ["cat", "less"]);
    assert_eq!(config.tools["new_tool"].description.as_deref(), Some("it is new"));
    assert_eq!(config.tools["new_tool"].fallback.as_deref(), Some("3"));
}

#[test]
fn a_variable_for_a_whole_table_comes_before_those_for_its_members() {
    let variables =
        [("FUSEBOX__DEFAULTS__TIMEOUT", "5s"), ("FUSEBOX__DEFAULTS", "{ timeout = '1s', max_retries = 4 }")];
    let config = read_with("defaults.idempotent = false", &variables).expect("it is allowed");
    assert_eq!(config.defaults.timeout, Some(DurationText::from_secs(5)));
    assert_eq!((config.defaults.max_retries, config.defaults.idempotent), (Some(4), None));
}

#[test]
fn a_wrong_variable_is_named() {
    let fault = |text: &str, name: &str, value: &str| faults(read_with(text, &[(name, value)]));
    assert_eq!(
        fault("defaults.timeout = '1s'", "FUSEBOX__DEFAULTS__TIMEOUT", "0s"),
        "FUSEBOX__DEFAULTS__TIMEOUT: defaults.timeout is 0s: allowed is 1ms to 365days"
    );
    let kind = fault("", "FUSEBOX__DEFAULTS__TIMEOUT", "5");
    assert!(kind.starts_with("FUSEBOX__DEFAULTS__TIMEOUT: defaults.timeout: invalid type: integer `5`"), "{kind}");
    let unknown = fault("", "FUSEBOX__TOOLS__A__RATE", "2/s");
    assert!(unknown.starts_with("FUSEBOX__TOOLS__A__RATE: tools.a.rate: unknown field `rate`"), "{unknown}");
    let inner = fault("", "FUSEBOX__TOOLS", "{ a = { policy = { timeout = '0s' } } }");
    assert!(inner.starts_with("FUSEBOX__TOOLS: tools.a.policy.timeout is 0s"), "{inner}");
    let twins = fault("tools.a-b = {}\ntools.a_b = {}", "FUSEBOX__TOOLS__A_B__MAX_OUTPUT", "3");
    assert!(twins.starts_with("FUSEBOX__TOOLS__A_B__MAX_OUTPUT: \"A_B\" could be any of a-b, a_b"), "{twins}");
    let through = fault("defaults.timeout = '1s'", "FUSEBOX__DEFAULTS__TIMEOUT__MS", "3");
    assert!(through.starts_with("FUSEBOX__DEFAULTS__TIMEOUT__MS: defaults.timeout has no key \"MS\""), "{through}");
    for name in ["FUSEBOX__", "FUSEBOX__DEFAULTS____TIMEOUT", "FUSEBOX__DEFAULTS__"] {
        let empty = fault("", name, "3");
        assert!(empty.starts_with(&format!("{name}: an empty key")), "{empty}");
    }
    // a fault of the file keeps its place beside one of a variable
    let both = faults(read_with("\ndefaults.deadline = '0s'", &[("FUSEBOX__DEFAULTS__BACKOFF__FACTOR", "0")]));
    let both: Vec<_> = both.lines().map(|line| line.split(": ").next()).collect();
    assert_eq!(both, [Some("2:21"), Some("FUSEBOX__DEFAULTS__BACKOFF__FACTOR")]);
}

#[test]
fn a_prefix_of_ones_own_leaves_the_others_alone() {
    let variables = [("AGENT__DEFAULTS__TIMEOUT", "5s"), ("FUSEBOX__DEFAULTS__TIMEOUT", "6s")];
    let config = RegistryConfig::from_toml("", &Overrides::new("AGENT", variables)).expect("it is allowed");
    assert_eq!(config.defaults.timeout, Some(DurationText::from_secs(5)));
    assert_eq!(Overrides::new("FUSEBOX", NONE), Overrides::default());
}

#[test]
fn a_program_takes_keys_of_its_own_and_their_faults_keep_their_places() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Fields {
        command: Option<Vec<String>>,
        url: Option<String>,
    }
    let text = "
[services.web]
command = ['serve']
[tools.a]
command = ['x']
policy.timeout = '0s'
[tools.b]
url = 'ftp://h'
[tools.c]
command = 3
port = 80
";
    let overrides = Overrides::new("FUSEBOX", [("FUSEBOX__TOOLS__A__COMMAND", "['y']")]);
    let mut document = Document::parse(Some(Path::new("T.toml")), text, &overrides).expect("it is TOML");
    let services: Option<toml::Table> = document.take(&["services"]);
    assert_eq!(services.map(|services| services.len()), Some(1));
    assert_eq!(document.take::<Value>(&["services"]), None);
    assert_eq!(document.names(&["tools"]), ["a", "b", "c"]);
    assert_eq!(document.names(&["nothing"]), [""; 0]);
    let mut take = |name| document.take_members::<Fields>(&["tools", name], &["command", "url"]);
    assert_eq!(take("a"), Some(Fields { command: Some(vec!["y".to_owned()]), url: None }));
    assert_eq!(take("b").and_then(|fields| fields.url).as_deref(), Some("ftp://h"));
    assert_eq!(take("c"), None);
    document.fault(&["tools", "b", "url"], "is \"ftp://h\": allowed is http or https");
    document.fault(&["tools", "a", "command"], "is no program");

    let error = document.finish().expect_err("there are faults").to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 5, "{error}");
    assert_eq!(lines[0], "T.toml:6:18: tools.a.policy.timeout is 0s: allowed is 1ms to 365days");
    assert_eq!(lines[1], "T.toml:8:7: tools.b.url is \"ftp://h\": allowed is http or https");
    assert!(lines[2].starts_with("T.toml:10:11: tools.c.command: invalid type: integer `3`"), "{error}");
    assert!(lines[3].starts_with("T.toml:11:1: tools.c.port: unknown field `port`"), "{error}");
    assert_eq!(lines[4], "FUSEBOX__TOOLS__A__COMMAND: tools.a.command is no program");
}

#[test]
fn a_value_of_the_wrong_type_is_not_missed_as_well() {
    #[derive(Debug, Deserialize)]
    struct Fields {
        #[allow(dead_code, reason = "it is only asked for")]
        command: Vec<String>,
    }
    let overrides = Overrides::default();
    let text = "tools.a.command = 3\ntools.b.description = 'no command'";
    let mut document = Document::parse(None, text, &overrides).expect("it is TOML");
    for name in ["a", "b"] {
        assert!(document.take_members::<Fields>(&["tools", name], &["command"]).is_none());
    }
    let faults = faults(document.finish());
    let lines: Vec<_> = faults.lines().collect();
    assert_eq!(lines.len(), 2, "{faults}");
    assert!(lines[0].starts_with("1:19: tools.a.command: invalid type: integer `3`"), "{faults}");
    assert!(lines[1].contains("tools.b: missing field `command`"), "{faults}");
}

/// Sample configurations, whether they are allowed, and whether the schema can tell.
const SAMPLES: [(&str, bool, bool); 26] = [
    ("", true, true),
    ("defaults = { timeout = '1m 30s', max_wait = '0s', backoff = { base = '1.5s', jitter = 'equal' } }", true, true),
    (
        "tools.a = { max_output = '1 MiB', args = { type = 'object' }, result = false, policy.timeout_ms = 3 }",
        true,
        true,
    ),
    ("tools.a = { max_output = 77, keyed = { max_keys = 3, rate = { limit = '5/250ms', burst = 2 } } }", true, true),
    ("tools.a.policy.categories = { RateLimit = { trips = false } }", true, true),
    ("tools.a.policy.rate.limit = ' 1000 / day '", true, true),
    ("groups.g.bulkhead.max_in_flight = 3\ntools.a.groups = ['g']", true, true),
    ("[[rules]]\nrole = '*'\ncapability = 'fs.*'\ndecision = 'needs_approval'", true, true),
    ("defaults.timeout = 5", false, true),
    ("defaults.timeout = 'soon'", false, true),
    ("defaults.timeout = '5'", false, true),
    ("defaults.timeout = 'about 5s'", false, true),
    ("defaults.rate.limit = 'about 5/s'", false, true),
    ("defaults.rate.limit = '5'", false, true),
    ("defaults.rate.limit = '1.5/s'", false, true),
    ("defaults.backoff.jitter = 'some'", false, true),
    ("defaults.max_retries = -1", false, true),
    ("tools.a.timeout = '5s'", false, true),
    ("tools.a.max_output = 'big'", false, true),
    ("tools.a.args = 3", false, true),
    ("tools.a.keyed.max_keys = 0", false, true),
    ("tools.a.policy.categories = { Weather = { trips = false } }", false, true),
    ("groups = { g = {}, h = {}, i = {}, j = {} }\ntools.a.groups = ['g', 'h', 'i', 'j']", false, true),
    ("[[rules]]\nrole = '*'\ncapability = '*.x'\ndecision = 'allow'", false, true),
    ("[[rules]]\nrole = '*'\ncapability = '*'", false, true),
    ("tools.a.fallback = 'a'", false, false),
];

#[test]
fn the_schema_accepts_what_the_reader_accepts_and_refuses_what_it_can_tell() {
    let schema = RegistryConfig::json_schema();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{error}"));
    for (text, allowed, told) in SAMPLES {
        let value: Value = toml::from_str(text).expect("it is TOML");
        assert_eq!(read(text).is_ok(), allowed, "{text}");
        assert_eq!(validator.is_valid(&value), allowed || !told, "{text}");
    }
    let effective = json!({ "defaults": fusebox::Policy::default().effective() });
    assert!(validator.is_valid(&effective), "{effective}");
}

/// Calls `visit` with the path of each field of each type.
fn fields(schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten().chain([(&String::new(), schema)]) {
        for (field, property) in definition["properties"].as_object().into_iter().flatten() {
            visit(&format!("{name}.{field}"), property);
        }
    }
}

#[test]
fn the_schema_describes_every_field_in_plain_text() {
    let schema = RegistryConfig::json_schema();
    let mut visited = 0;
    fields(&schema, &mut |path, property| {
        let text = property["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        assert!(!text.contains("[`") && !text.contains('\n'), "{path}: {text}");
        visited += 1;
    });
    assert!(visited > 50, "{visited}");
    let tool = &schema["$defs"]["ToolConfig"];
    assert_eq!(tool["title"], "ToolConfig");
    assert_eq!(tool["description"], "One tool of a registry: its policy and what else there is to say of it.");
    assert_eq!(schema["title"], "RegistryConfig");
    assert_eq!(schema["$defs"]["Duration"]["examples"][0], "500ms");
}

type Changes = Receiver<Result<RegistryConfig, FileError>>;

fn watch(file: &Path, options: WatchOptions) -> (RegistryConfig, ConfigWatcher, Changes) {
    let (send, changes) = channel();
    let started = ConfigWatcher::start(file, options, move |change| {
        let _ = send.send(change);
    });
    let (config, watcher) = started.unwrap_or_else(|error| panic!("{error}"));
    (config, watcher, changes)
}

/// Changes that are only found by events: the poll comes after the test.
fn by_events() -> WatchOptions {
    WatchOptions { quiet: Duration::from_millis(20), poll: Duration::from_secs(3_600), ..WatchOptions::default() }
}

#[track_caller]
fn next(changes: &Changes) -> Result<RegistryConfig, FileError> {
    changes.recv_timeout(Duration::from_secs(60)).expect("the change is told within a minute")
}

fn retries(change: Result<RegistryConfig, FileError>) -> Option<u32> {
    change.unwrap_or_else(|error| panic!("{error}")).defaults.max_retries
}

fn text(retries: u32) -> String {
    format!("defaults.max_retries = {retries}")
}

#[test]
fn a_file_that_is_written_or_replaced_is_told_and_a_wrong_one_with_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    fs::write(&file, text(1)).expect("it can be written");
    let (config, watcher, changes) = watch(&file, by_events());
    assert_eq!(config.defaults.max_retries, Some(1));

    let replace = |content: &str| {
        let other = folder.path().join(".tools.toml.swp");
        fs::write(&other, content).expect("it can be written");
        fs::rename(&other, &file).expect("it can be renamed");
    };
    replace(&text(2));
    assert_eq!(retries(next(&changes)), Some(2));
    replace("defaults.max_retries = 'many'");
    let error = next(&changes).expect_err("it is wrong");
    assert_eq!(error.file(), Some(file.as_path()));
    assert_eq!(error.faults()[0].field, "defaults.max_retries");
    fs::write(&file, text(3)).expect("it can be written");
    // a reader may see the file while it is empty
    let change = loop {
        match retries(next(&changes)) {
            None => {}
            told => break told,
        }
    };
    assert_eq!(change, Some(3));
    drop(watcher);
}

#[test]
fn a_program_with_keys_of_its_own_watches_them_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    let write =
        |greeting: &str| fs::write(&file, format!("greeting = {greeting}\n{}", text(1))).expect("it is written");
    let read = |mut document: Document<'_>| {
        let greeting: Option<String> = document.take(&["greeting"]);
        Ok((greeting, document.finish()?))
    };
    write("'hello'");
    let (sender, changes) = channel();
    let started = ConfigWatcher::start_reading(&file, by_events(), read, move |change| {
        let _ = sender.send(change);
    });
    let ((greeting, config), _watcher) = started.expect("it is right");
    assert_eq!((greeting.as_deref(), config.defaults.max_retries), (Some("hello"), Some(1)));
    write("3");
    let error =
        changes.recv_timeout(Duration::from_secs(60)).expect("it is told").expect_err("it is wrong").to_string();
    assert!(error.contains("tools.toml:1:12: greeting: invalid type"), "{error}");
    write("'bye'");
    let (greeting, _) = changes.recv_timeout(Duration::from_secs(60)).expect("it is told").expect("it is right");
    assert_eq!(greeting.as_deref(), Some("bye"));
}

#[test]
fn nothing_is_told_after_the_watcher_is_dropped_and_the_drop_waits_for_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    fs::write(&file, text(1)).expect("it can be written");
    let hour = Duration::from_secs(3_600);
    let (_, watcher, changes) = watch(&file, WatchOptions { quiet: hour, ..by_events() });
    fs::write(&file, text(2)).expect("it can be written");
    drop(watcher);
    // told is nothing, up to the end of the thread, which comes long before the hour
    assert_eq!(changes.recv_timeout(Duration::from_secs(60)).err(), Some(RecvTimeoutError::Disconnected));
}

#[cfg(unix)]
#[test]
fn a_mounted_folder_that_swaps_a_link_is_seen() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for (version, retries) in [("v1", 1), ("v2", 2)] {
        fs::create_dir(path(version)).expect("a folder");
        fs::write(path(version).join("tools.toml"), text(retries)).expect("it can be written");
    }
    symlink("v1", path("data")).expect("a link");
    symlink("data/tools.toml", path("tools.toml")).expect("a link");
    let (config, _watcher, changes) = watch(&path("tools.toml"), by_events());
    assert_eq!(config.defaults.max_retries, Some(1));
    symlink("v2", path("data_new")).expect("a link");
    fs::rename(path("data_new"), path("data")).expect("it can be renamed");
    assert_eq!(retries(next(&changes)), Some(2));
}

#[cfg(unix)]
#[test]
fn a_change_without_an_event_is_found_by_polling() {
    let here = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = elsewhere.path().join("real.toml");
    fs::write(&target, text(1)).expect("it can be written");
    let file = here.path().join("tools.toml");
    std::os::unix::fs::symlink(&target, &file).expect("a link");
    let (_, _watcher, changes) = watch(&file, WatchOptions { poll: Duration::from_millis(10), ..by_events() });
    let other = elsewhere.path().join("other.toml");
    fs::write(&other, text(2)).expect("it can be written");
    fs::rename(&other, &target).expect("it can be renamed");
    assert_eq!(retries(next(&changes)), Some(2));
}

#[test]
fn a_callback_that_panics_is_called_again_and_may_drop_the_watcher() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    fs::write(&file, text(1)).expect("it can be written");
    let (give, watcher) = channel::<ConfigWatcher>();
    let (tell, told) = channel();
    let started = ConfigWatcher::start(&file, by_events(), move |change| {
        let retries = change.ok().and_then(|config| config.defaults.max_retries);
        if let Some(retries) = retries {
            let _ = tell.send(retries);
        }
        assert_ne!(retries, Some(2), "a panic");
        if retries == Some(3) {
            drop(watcher.recv());
        }
    });
    let (_, watcher) = started.unwrap_or_else(|error| panic!("{error}"));
    give.send(watcher).expect("it is awaited");
    for retries in [2, 3] {
        fs::write(&file, text(retries)).expect("it can be written");
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(retries));
    }
    // the thread has come to its end, and has dropped what it was given
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_watcher_starts_only_with_a_file_that_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.toml");
    let start = || ConfigWatcher::start(&file, by_events(), |_| {}).map(|(config, _)| config);
    assert!(start().expect_err("it is not there").to_string().contains("cannot be read"));
    fs::write(&file, "tools = 3").expect("it can be written");
    assert!(start().expect_err("it is wrong").to_string().contains("tools: invalid type"));
}
