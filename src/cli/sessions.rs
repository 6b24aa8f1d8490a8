//! `wsgate sessions`: who is connected.

use clap::Args;
use serde_json::Value;

use super::admin::{Selection, Target};
use super::error::CommandError;
use super::output::{print, remark, width};
use super::table::{Column, TextTable};
use super::units::{age, bytes, sessions};

/// Which sessions to list, and how.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Sessions {
    /// List this many at most, the oldest first [default: 100 on a terminal, otherwise all]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with = "all"
    )]
    limit: Option<u64>,
    /// List every session
    #[arg(long)]
    all: bool,
    /// For scripts: print each session as a line of JSON, with the names of the admin interface
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate sessions                                 the oldest hundred
  wsgate sessions --route chat --client 10.0.0.0/8
  wsgate sessions --json | jq 'select(.idle_seconds > 3600).id'

HTTP and TLS are the versions that the client speaks: h1 or h2, and 1.2, 1.3 or -. MESSAGES and
BYTES are first those from the client, then those from the upstream."
);

const COLUMNS: &[Column] = &[
    Column::number("ID"),
    Column::text("ROUTE"),
    Column::text("CLIENT"),
    Column::text("HTTP"),
    Column::text("TLS"),
    Column::text("UPSTREAM"),
    Column::text("SERVER"),
    Column::number("AGE"),
    Column::number("IDLE"),
    Column::number("MESSAGES"),
    Column::number("BYTES"),
];

/// On a terminal, more are listed only with --all or --limit.
const ON_A_TERMINAL: u64 = 100;

/// As many as the admin interface puts on one page.
const PAGE: u64 = 1000;

impl Sessions {
    pub(super) async fn list(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        let width = width();
        let most = match (self.limit, self.all) {
            (Some(limit), _) => limit,
            (None, false) if width.is_some() && !self.json => ON_A_TERMINAL,
            (None, _) => u64::MAX,
        };
        let (mut table, mut listed, mut after) = (TextTable::new(COLUMNS), 0, None);
        let total = loop {
            let page = self.selection.target();
            let page = page.pair("limit", Some(PAGE.min(most - listed)));
            let page = page.pair("after", after);
            let response = client.get(&page).await?;
            let page = response.json()?;
            let found = page["sessions"].as_array();
            let found = found.ok_or_else(|| response.unexpected())?;
            match self.json {
                true => print(&found.iter().map(line).collect::<String>())?,
                false => found.iter().for_each(|session| table.row(cells(session))),
            }
            listed += found.len() as u64;
            after = page["next"].as_u64().filter(|_| listed < most);
            if after.is_none() {
                break response.number("total")?;
            }
        };
        if !self.json {
            print(&table.render(width))?;
        }
        match total {
            0 if !self.json => remark(&format!("no session{} is open", self.selection.describe())),
            total if total > listed => {
                let shown = format!("{listed} of {}", sessions(total));
                remark(&format!("{shown} are listed: --all lists every one"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn line(session: &Value) -> String {
    format!("{session}\n")
}

fn cells(session: &Value) -> [String; 11] {
    let text = |key: &str| session[key].as_str().unwrap_or("?").to_owned();
    let number = |key: &str| session[key].as_u64().unwrap_or_default();
    [
        number("id").to_string(),
        text("route"),
        text("client"),
        text("http_version"),
        session["tls"].as_str().unwrap_or("-").to_owned(),
        text("upstream"),
        text("server"),
        age(number("age_seconds")),
        age(number("idle_seconds")),
        format!(
            "{} / {}",
            number("messages_from_client"),
            number("messages_from_upstream")
        ),
        format!(
            "{} / {}",
            bytes(number("bytes_from_client")),
            bytes(number("bytes_from_upstream"))
        ),
    ]
}
