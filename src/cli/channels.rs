//! `wsgate channels`: which channels there are, and who is in one.

use clap::Args;
use serde_json::Value;
use wsgate::config::ChannelName;

use super::admin::Target;
use super::error::CommandError;
use super::interface::{Client, RequestTarget};
use super::output::{print, remark, width};
use super::table::{Column, TextTable};
use super::units::sessions;

/// Which channels to list, or the one whose members to list, and how.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Channels {
    /// List the members of this channel
    #[arg(value_name = "CHANNEL", conflicts_with = "prefix")]
    channel: Option<String>,
    /// Only channels whose names begin with this
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// List this many at most [default: 100 on a terminal, otherwise all]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with = "all"
    )]
    limit: Option<u64>,
    /// List every one
    #[arg(long)]
    all: bool,
    /// For scripts: print each as a line of JSON, with the names of the admin interface
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate channels                     the channels, with their members and what they retain
  wsgate channels --prefix room.
  wsgate channels room.42             who is in a channel
  wsgate channels --json | jq 'select(.sessions > 100).name'

SESSION is the name of a session among all gates, as `wsgate publish --session` takes it."
);

const CHANNELS: &[Column] = &[
    Column::text("CHANNEL"),
    Column::number("SESSIONS"),
    Column::number("RETAINED"),
];

const MEMBERS: &[Column] = &[
    Column::word("SESSION"),
    Column::text("SUBJECT"),
    Column::text("ROUTE"),
];

/// On a terminal, more are listed only with --all or --limit.
const ON_A_TERMINAL: u64 = 100;

/// As many as the admin interface puts on one page.
const PAGE: u64 = 1000;

/// What was listed.
struct Listed {
    count: u64,
    has_more: bool,
    /// Of the last page.
    page: Value,
}

impl Channels {
    pub(super) async fn list(self) -> Result<(), CommandError> {
        match &self.channel {
            None => self.list_channels().await,
            Some(channel) => {
                let channel = channel.parse().map_err(CommandError::option)?;
                self.list_members(&channel).await
            }
        }
    }

    async fn list_channels(&self) -> Result<(), CommandError> {
        let target = || RequestTarget::path("/channels").pair("prefix", self.prefix.as_ref());
        let mut table = TextTable::new(CHANNELS);
        let cells = |channel: &Value| {
            let number = |key: &str| channel[key].as_u64().unwrap_or_default().to_string();
            [
                text(channel, "name"),
                number("sessions"),
                number("retained"),
            ]
        };
        let add = |channel: &Value| table.row(cells(channel));
        let listed = self.pages(target, "channels", add).await?;
        if !self.json {
            print(&table.render(width()))?;
        }
        match listed.count {
            0 if !self.json => remark("there is no channel"),
            _ if listed.has_more => remark("there are more channels: --all lists every one"),
            _ => {}
        }
        Ok(())
    }

    async fn list_members(&self, channel: &ChannelName) -> Result<(), CommandError> {
        let target = || RequestTarget::path("/channels").segment(channel);
        let mut table = TextTable::new(MEMBERS);
        let cells = |member: &Value| {
            let subject = member["subject"].as_str().unwrap_or("-").to_owned();
            [text(member, "session"), subject, text(member, "route")]
        };
        let add = |member: &Value| table.row(cells(member));
        let listed = self.pages(target, "members", add).await?;
        if !self.json {
            print(&table.render(width()))?;
        }
        let total = listed.page["sessions"].as_u64().unwrap_or_default();
        match total {
            0 if !self.json => remark("no session is in this channel"),
            total if listed.has_more => {
                let shown = format!("{} of {}", listed.count, sessions(total));
                remark(&format!("{shown} are listed: --all lists every one"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Lists page by page: as JSON, or with `add`.
    async fn pages(
        &self,
        target: impl Fn() -> RequestTarget,
        key: &str,
        mut add: impl FnMut(&Value),
    ) -> Result<Listed, CommandError> {
        let client: Client = self.target.client()?;
        let most = match (self.limit, self.all) {
            (Some(limit), _) => limit,
            (None, false) if width().is_some() && !self.json => ON_A_TERMINAL,
            (None, _) => u64::MAX,
        };
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let page = target().pair("limit", Some(PAGE.min(most - count)));
            let response = client.get(&page.pair("after", after.as_ref())).await?;
            let page = response.json()?;
            let found = page[key].as_array();
            let found = found.ok_or_else(|| response.unexpected())?;
            match self.json {
                true => print(&found.iter().map(line).collect::<String>())?,
                false => found.iter().for_each(&mut add),
            }
            count += found.len() as u64;
            after = page["next"].as_str().map(str::to_owned);
            let has_more = after.is_some();
            if count >= most || !has_more {
                return Ok(Listed {
                    count,
                    has_more,
                    page,
                });
            }
        }
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or("?").to_owned()
}
