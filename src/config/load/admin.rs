//! The listeners of a file that commands talk to, and what else they need of it: nothing else in the file has to
//! be right for that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::interpolate::{Environment, expand};
use super::{environment, file, mask, read, syntax, text_of};
use crate::config::check;
use crate::config::errors::ConfigErrors;
use crate::config::report::Report;
use crate::config::settings::{AcmeSettings, Admin, Publish};

/// Whether [`admin_listener`] and [`publish_listener`] read tokens as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminToken {
    /// It is read.
    Read,
    /// It comes from elsewhere: a variable in it need not be set.
    Ignore,
}

/// The `[admin]` of a file, `None` if it has no such table. Nothing else in the file has to be right.
///
/// # Errors
///
/// The file cannot be read, is no TOML, or its `[admin]` is wrong.
pub fn admin_listener(path: &Path, token: AdminToken) -> Result<Option<Admin>, ConfigErrors> {
    let name = path.display().to_string();
    let text = text_of(&name, file::read_once(path))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    read(&name, &text, directory, token, &environment)
}

/// The `[publish]` of a file, `None` if it has no such table. Nothing else in the file has to be right. Without
/// [`AdminToken::Read`] it has no tokens.
///
/// # Errors
///
/// The file cannot be read, is no TOML, or its `[publish]` is wrong.
pub fn publish_listener(path: &Path, token: AdminToken) -> Result<Option<Publish>, ConfigErrors> {
    let name = path.display().to_string();
    let text = text_of(&name, file::read_once(path))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let left_out: &[_] = match token {
        AdminToken::Read => &[],
        AdminToken::Ignore => &["tokens"],
    };
    let publish: Option<Publish> = table(&name, &text, "publish", left_out, &environment)?;
    Ok(publish.map(|publish| check::publish::resolved(publish, directory)))
}

/// The `state_dir` of the table `[acme.ORDER]` of a file, `None` if it has no such table. Nothing else in the file has to
/// be right.
///
/// # Errors
///
/// The file cannot be read, is no TOML, or its `[acme]` is wrong.
pub fn acme_state_dir(path: &Path, order: &str) -> Result<Option<PathBuf>, ConfigErrors> {
    let name = path.display().to_string();
    let text = text_of(&name, file::read_once(path))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let orders: Option<BTreeMap<String, AcmeSettings>> =
        table(&name, &text, "acme", &[], &environment)?;
    let order = orders.and_then(|mut orders| orders.remove(order));
    Ok((order.and_then(|order| order.state_dir)).map(|folder| directory.join(folder)))
}

fn read(
    name: &str,
    text: &str,
    directory: &Path,
    token: AdminToken,
    environment: &Environment<'_>,
) -> Result<Option<Admin>, ConfigErrors> {
    let left_out: &[_] = match token {
        AdminToken::Read => &[],
        AdminToken::Ignore => &["token"],
    };
    let admin: Option<Admin> = table(name, text, "admin", left_out, environment)?;
    Ok(admin.map(|admin| check::program::resolved(admin, directory)))
}

/// One table of a file without some of its keys, `None` if it is not there.
fn table<T: DeserializeOwned>(
    name: &str,
    text: &str,
    key: &str,
    left_out: &[&str],
    environment: &Environment<'_>,
) -> Result<Option<T>, ConfigErrors> {
    let document = DeTable::parse(text).map_err(|first| syntax::errors(name, text, &first))?;
    let document = document.get_ref();
    let Some(mut value) = document.get(key).cloned() else {
        return Ok(None);
    };
    if let DeValue::Table(table) = value.get_mut() {
        for key in left_out {
            table.remove(*key);
        }
    }
    let mut report = Report::new(Some(text));
    expand(&mut value, key, environment, &mut report);
    let read: Option<T> = read::read(&mut value, key, &mut report);
    report.finish(name, |unknown| mask::by_value(text, document, unknown))?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::env::VarError;
    use std::net::SocketAddr;

    use super::*;
    use crate::config::values::listen::ListenAddress;

    fn read_text(text: &str, token: AdminToken) -> Result<Option<Admin>, ConfigErrors> {
        let environment = |name: &str| match name {
            "TOKEN" => Ok("t0ken".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        read(
            "wsgate.toml",
            text,
            Path::new("/etc/wsgate"),
            token,
            &environment,
        )
    }

    #[test]
    fn the_admin_listener_is_read_though_the_rest_of_the_file_is_wrong() {
        let text = "nonsense = 1\n[upstream.x]\nservers = [\"${UNSET}\"]\n\
                    [admin]\naddress = \"127.0.0.1:9900\"\ntoken = \"${TOKEN}\"";
        let admin = read_text(text, AdminToken::Read).unwrap().unwrap();
        let address: SocketAddr = "127.0.0.1:9900".parse().unwrap();
        assert_eq!(admin.address, ListenAddress::Tcp(address));
        assert_eq!(admin.token.unwrap().expose(), "t0ken");
        let unix = read_text("[admin]\naddress = \"unix:admin.sock\"", AdminToken::Read);
        let path = PathBuf::from("/etc/wsgate/admin.sock");
        assert_eq!(unix.unwrap().unwrap().address, ListenAddress::Unix(path));
        // The process itself would not take it, but it may have been started with another file.
        let open = read_text("[admin]\naddress = \"0.0.0.0:1\"", AdminToken::Read);
        assert_eq!(open.unwrap().unwrap().token, None);
    }

    #[test]
    fn the_listener_for_publishers_is_read_though_the_rest_of_the_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wsgate.toml");
        let text = "nonsense = 1\n[publish]\naddress = \"unix:publish.sock\"\n\
                    tokens = [{ name = \"a\", token = \"TOKEN\", channels = [\"a.*\"] }]\n";
        std::fs::write(&file, text.replace("TOKEN", "hunter2")).unwrap();
        let publish = publish_listener(&file, AdminToken::Read).unwrap().unwrap();
        let path = folder.path().join("publish.sock");
        assert_eq!(publish.address, ListenAddress::Unix(path));
        assert_eq!(publish.tokens[0].token.expose(), "hunter2");
        std::fs::write(&file, text.replace("TOKEN", "${WSGATE_UNSET}")).unwrap();
        let wrong = publish_listener(&file, AdminToken::Read).unwrap_err();
        let expected = "`WSGATE_UNSET` is not set";
        assert!(wrong.to_string().contains(expected), "{wrong}");
        let publish = publish_listener(&file, AdminToken::Ignore).unwrap();
        assert_eq!(publish.unwrap().tokens, []);
        std::fs::write(&file, "").unwrap();
        let publish = publish_listener(&file, AdminToken::Read).unwrap();
        assert_eq!(publish, None);
    }

    #[test]
    fn an_order_tells_its_folder_though_the_rest_of_the_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wsgate.toml");
        let text = "nonsense = 1\n[acme.a]\n[acme.b]\nstate_dir = \"state\"\n";
        std::fs::write(&file, text).unwrap();
        let found = |order| acme_state_dir(&file, order).unwrap();
        assert_eq!(found("a"), Some(PathBuf::from("/var/lib/wsgate/acme")));
        assert_eq!(found("b"), Some(folder.path().join("state")));
        assert_eq!(found("c"), None);
        std::fs::write(&file, "acme = 1").unwrap();
        let wrong = acme_state_dir(&file, "a").unwrap_err().to_string();
        assert!(wrong.contains("expected a table"), "{wrong}");
    }

    #[test]
    fn a_token_that_is_not_wanted_need_not_be_there() {
        let text = "[admin]\naddress = \"127.0.0.1:9900\"\ntoken = \"${UNSET}\"";
        let wrong = read_text(text, AdminToken::Read).unwrap_err();
        let message = "the environment variable `UNSET` is not set";
        assert_eq!(wrong.to_string(), format!("wsgate.toml:3:10: {message}"));
        let admin = read_text(text, AdminToken::Ignore).unwrap().unwrap();
        assert_eq!(admin.token, None);
    }

    #[test]
    fn a_file_without_one_has_none_and_a_wrong_one_is_an_error() {
        assert_eq!(read_text("", AdminToken::Read).unwrap(), None);
        for (text, expected) in [
            ("[admin]", "`address` is missing"),
            ("admin = 1", "expected a table, found an integer"),
            (
                "[admin]\nadress = \"127.0.0.1:1\"",
                "did you mean `address`?",
            ),
            (
                "[admin]\naddress = \"nowhere\"",
                "is not an address to listen on",
            ),
            ("[admin", "wsgate.toml:1:"),
        ] {
            let wrong = read_text(text, AdminToken::Read).unwrap_err().to_string();
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
    }
}
