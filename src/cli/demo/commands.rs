//! The operator's commands for the demo, as a person types them.

use std::env;
use std::path::{Path, PathBuf};

use super::publisher;
use super::self_signed::SelfSigned;

/// The name of the admin socket in the demo's folder.
pub(super) const ADMIN_SOCKET: &str = "admin.sock";

/// The commands for the demo of one folder.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    program: String,
    admin: String,
    publish: String,
}

impl Commands {
    pub(super) fn of(folder: &Path) -> Self {
        let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("wsgate"));
        let folders = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = env::split_paths(&folders).collect();
        let here = env::current_dir().unwrap_or_default();
        Self {
            program: typed(&program, &folders, &here),
            admin: format!("--admin unix:{}", folder.join(ADMIN_SOCKET).display()),
            publish: format!(
                "--url unix:{} --token-file {}",
                publisher::socket(folder).display(),
                publisher::token_file(folder).display()
            ),
        }
    }

    /// Those that have to do with the chat, each with what it does.
    pub(super) fn of_chat(&self) -> Vec<(String, &'static str)> {
        let Self {
            program,
            admin,
            publish,
        } = self;
        vec![
            (
                format!("{program} publish room.lobby 'hello from a terminal' {publish}"),
                "say something to everybody in the lobby",
            ),
            (format!("{program} channels {admin}"), "the rooms"),
            (
                format!("{program} channels room.lobby {admin}"),
                "who is in the lobby",
            ),
        ]
    }

    /// Each with what it does; without a URL there is none for a client.
    pub(super) fn all(
        &self,
        url: Option<&str>,
        tls: Option<&SelfSigned>,
    ) -> Vec<(String, &'static str)> {
        let of_admin = [
            ("top", "live statistics"),
            ("sessions", "the open sessions"),
            ("close --route echo --yes", "close them"),
            (
                "upstreams drain echo 0 --close",
                "take the echo server out of service",
            ),
            ("upstreams resume echo 0", "put it back"),
        ];
        let commands = of_admin.into_iter().map(|(command, what)| {
            let (program, admin) = (&self.program, &self.admin);
            (format!("{program} {command} {admin}"), what)
        });
        let probe = url.map(|url| {
            let mut command = format!("{} probe {url} --echo hello", self.program);
            if let Some(tls) = tls {
                command += &format!(" --ca {}", tls.cert().display());
            }
            (command, "what a client gets")
        });
        commands.chain(probe).collect()
    }
}

/// The program as it is started here: by its name if a shell finds it, or else by the shortest path.
fn typed(program: &Path, folders: &[PathBuf], here: &Path) -> String {
    let is_found = program
        .parent()
        .is_some_and(|folder| folders.iter().any(|other| other == folder));
    let typed = match program.strip_prefix(here) {
        _ if is_found => program.file_name().map(Path::new),
        Ok(below) => Some(below),
        Err(_) => None,
    };
    let typed = typed.unwrap_or(program).display().to_string();
    match typed.contains(|letter: char| letter.is_whitespace() || letter == '\'') {
        true => format!("'{}'", typed.replace('\'', r"'\''")),
        false => typed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_as_a_shell_finds_it() {
        let folders = [PathBuf::from("/usr/bin")];
        for (program, expected) in [
            ("/usr/bin/wsgate", "wsgate"),
            ("/home/a/wsgate/target/debug/wsgate", "target/debug/wsgate"),
            ("/opt/wsgate", "/opt/wsgate"),
            ("/opt/it's here/wsgate", r"'/opt/it'\''s here/wsgate'"),
        ] {
            let typed = typed(program.as_ref(), &folders, "/home/a/wsgate".as_ref());
            assert_eq!(typed, expected);
        }
    }
}
