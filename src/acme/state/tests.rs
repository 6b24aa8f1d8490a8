use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::acme::made::tests::{a_chain_and_its_key, an_order};

fn opened(folder: &TempDir) -> (AcmeOrder, State) {
    let order = an_order(folder.path(), &["a.test"]);
    let state = State::open(&order).unwrap();
    (order, state)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn only_the_user_of_the_process_reads_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (order, state) = opened(&folder);
    let (chain, key) = a_chain_and_its_key(&["a.test"], Duration::from_secs(60));
    let new = NewCertificate::new(&order, &chain, &key);
    state.store_certificate(&new).unwrap();
    let account = StoredAccount {
        directory: order.directory.clone(),
        contact: Vec::new(),
        credentials: Value::Null,
    };
    state.store_account(&account).unwrap();
    assert_eq!(mode(state.folder()), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(state.folder()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["account.json", "certificate.pem", "lock"]);
}

#[test]
fn what_is_stored_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (order, state) = opened(&folder);
    assert!(state.certificate().unwrap().is_none());
    assert!(state.account().unwrap().is_none());
    let (chain, key) = a_chain_and_its_key(&["a.test"], Duration::from_secs(60));
    let new = NewCertificate::new(&order, &chain, &key);
    state.store_certificate(&new).unwrap();
    let stored = state.certificate().unwrap().unwrap();
    assert!(stored.is_of(&order));
    assert_eq!(stored.certificate.facts().names, ["a.test"]);
    for change in [
        |order: &mut AcmeOrder| order.names.push("b.test".to_owned()),
        |order: &mut AcmeOrder| order.directory.push('2'),
        |order: &mut AcmeOrder| order.profile = Some("short".to_owned()),
    ] {
        let mut other = order.clone();
        change(&mut other);
        assert!(!stored.is_of(&other), "{other:?}");
    }
}

#[test]
fn one_process_orders_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (order, state) = opened(&folder);
    let lock = state.lock().unwrap();
    assert!(lock.is_some());
    let other = State::open(&order).unwrap();
    assert!(other.lock().unwrap().is_none());
    drop(lock);
    assert!(other.lock().unwrap().is_some());
}

#[test]
fn a_file_that_somebody_has_changed_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let (_, state) = opened(&folder);
    for name in [ACCOUNT, CERTIFICATE] {
        fs::write(state.folder().join(name), "half").unwrap();
    }
    let told = |error: StateError| {
        assert!(matches!(error, StateError::Broken { .. }), "{error}");
        error.to_string()
    };
    let errors = [
        told(state.certificate().err().unwrap()),
        told(state.account().err().unwrap()),
    ];
    assert!(errors[0].contains("le/certificate.pem is not what wsgate has written"));
    assert!(errors[1].contains("le/account.json is not what wsgate has written"));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = State::open(&an_order(&file, &["a.test"])).unwrap_err();
    assert!(matches!(error, StateError::Write { .. }), "{error}");
    assert!(
        error.to_string().contains("file/le cannot be written"),
        "{error}"
    );
}

#[test]
fn processes_that_start_together_open_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let order = an_order(folder.path(), &["a.test"]);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..50 {
                    State::open(&order).unwrap();
                }
            });
        }
    });
}
