//! The admin listener of a file, for a command that talks to it: nothing else in the file has to be
//! right for that.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::interpolate::{Environment, expand};
use super::{environment, file, mask, read, syntax, text_of};
use crate::config::check;
use crate::config::errors::ConfigErrors;
use crate::config::report::Report;
use crate::config::settings::Admin;

/// Whether [`admin_listener`] reads the token as well.
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

fn read(
    name: &str,
    text: &str,
    directory: &Path,
    token: AdminToken,
    environment: &Environment<'_>,
) -> Result<Option<Admin>, ConfigErrors> {
    let document = DeTable::parse(text).map_err(|first| syntax::errors(name, text, &first))?;
    let document = document.get_ref();
    let Some(mut value) = document.get("admin").cloned() else {
        return Ok(None);
    };
    if let (DeValue::Table(table), AdminToken::Ignore) = (value.get_mut(), token) {
        table.remove("token");
    }
    let mut report = Report::new(Some(text));
    expand(&mut value, "admin", environment, &mut report);
    let admin: Option<Admin> = read::read(&mut value, "admin", &mut report);
    report.finish(name, |unknown| mask::by_value(text, document, unknown))?;
    Ok(admin.map(|admin| check::program::resolved(admin, directory)))
}

#[cfg(test)]
mod tests {
    use std::env::VarError;
    use std::net::SocketAddr;
    use std::path::PathBuf;

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
