//! A state comes back as it was saved, with its age; whatever is wrong is told, and left in place.

use super::*;
use core::time::Duration;
use std::collections::BTreeMap;
use tempfile::TempDir;

fn folder() -> (TempDir, StateFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = StateFile::new(folder.path().join("state.json"));
    (folder, file)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_state_comes_back_with_the_time_since_it_was_saved() {
    let (_folder, file) = folder();
    assert_eq!(file.load_at::<u32>(at(0)).expect("there is none"), None);
    file.save_at(&7, at(1_000_000)).expect("it is saved");
    let load = |now| file.load_at::<u32>(at(now)).expect("it can be read").expect("it was saved");
    assert_eq!(load(1_000_060), Saved { state: 7, age: Duration::from_secs(60) });
    assert_eq!(load(1_000_000).age, Duration::ZERO);
    // the wall clock went back
    assert_eq!(load(999_999).age, Duration::ZERO);
    assert_eq!(load(0), Saved { state: 7, age: Duration::ZERO });

    file.save_at(&8, at(1_000_100)).expect("it is saved");
    assert_eq!(load(1_000_101), Saved { state: 8, age: Duration::from_secs(1) });
    let now = file.save(&9).and_then(|()| file.load::<u32>()).expect("it works by the wall clock");
    assert!(now.is_some_and(|saved| saved.state == 9 && saved.age < Duration::from_secs(3_600)));
}

#[test]
fn what_is_no_saved_state_is_refused_and_left_in_place() {
    let (_folder, file) = folder();
    file.save_at(&"state", at(5)).expect("it is saved");
    let good = fs::read_to_string(file.path()).expect("it can be read");
    let refusal = |text: &str| {
        fs::write(file.path(), text).expect("it can be written");
        let error = file.load_at::<String>(at(6)).expect_err(text);
        assert_eq!(fs::read_to_string(file.path()).expect("it is there"), text);
        assert!(error.to_string().starts_with(&file.path().display().to_string()), "{error}");
        error
    };
    for length in 0..good.len() {
        assert!(matches!(refusal(&good[..length]), StateFileError::Damaged(..)), "{length}");
    }
    assert!(matches!(refusal(&format!("{good}{good}")), StateFileError::Damaged(..)));
    assert!(matches!(refusal(&good.replace("\"state\":\"state\"", "\"state\":3")), StateFileError::Damaged(..)));
    assert!(matches!(refusal("{}"), StateFileError::Foreign(_)));
    assert!(matches!(refusal(&good.replace("fusebox-state", "other")), StateFileError::Foreign(_)));
    let other = refusal(&good.replace("\"version\":1", "\"version\":2"));
    assert!(matches!(other, StateFileError::Version { found: 2, allowed: 1, .. }));
    assert!(other.to_string().ends_with("has the version 2: allowed is 1"), "{other}");

    file.save_at(&"anew", at(7)).expect("a bad file is replaced");
    assert_eq!(file.load_at::<String>(at(7)).expect("it is good").map(|saved| saved.state).as_deref(), Some("anew"));
}

#[test]
fn a_state_that_cannot_be_saved_leaves_the_one_before() {
    let (folder, file) = folder();
    file.save_at(&1, at(5)).expect("it is saved");
    let keys_that_are_no_text = BTreeMap::from([(vec![1], 2)]);
    assert!(matches!(file.save_at(&keys_that_are_no_text, at(6)), Err(StateFileError::State(_))));
    assert_eq!(file.load_at::<u32>(at(5)).expect("it is good").map(|saved| saved.state), Some(1));
    // nothing else is left behind
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);

    let nowhere = StateFile::new(folder.path().join("none/state.json"));
    assert!(matches!(nowhere.save_at(&1, at(5)), Err(StateFileError::Write(..))));
    let itself = StateFile::new(folder.path());
    assert!(matches!(itself.load_at::<u32>(at(5)), Err(StateFileError::Read(..))));
}

#[cfg(unix)]
#[test]
fn a_state_is_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, file) = folder();
    fs::write(file.path(), "open to all").expect("it can be written");
    file.save_at(&1, at(5)).expect("it is saved");
    let mode = fs::metadata(file.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_reader_sees_a_whole_state_at_any_time() {
    let (_folder, file) = folder();
    let state = |n: u32| vec![n; 20_000];
    file.save(&state(0)).expect("it is saved");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..100).try_for_each(|n| file.save(&state(n))));
        while !writer.is_finished() {
            let saved = file.load::<Vec<u32>>().expect("it is whole").expect("it is there");
            assert_eq!(saved.state, state(saved.state[0]));
        }
        writer.join().expect("no panic").expect("all are saved");
    });
}
