//! `wsgate upstreams`: the servers, and taking one of them out of service.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use wsgate::config::parse_duration;

use super::admin::Target;
use super::error::CommandError;
use super::interface::{Client, ClientError, RequestTarget};
use super::output::{print, print_line, width};
use super::table::{Column, TextTable};
use super::units::sessions;

/// The servers, or what to do with one.
#[derive(Args, Debug)]
#[command(
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    override_usage = "wsgate upstreams [OPTIONS]\n       \
                      wsgate upstreams drain NAME SERVER [--close [--over DURATION]] [OPTIONS]\n       \
                      wsgate upstreams resume NAME SERVER [OPTIONS]",
)]
pub(super) struct Upstreams {
    #[command(subcommand)]
    change: Option<Change>,
    /// For scripts: print each server as a line of JSON; for drain and resume, the answer
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Give a server no new sessions; its open sessions continue, unless --close is given
    Drain {
        #[command(flatten)]
        server: Server,
        /// Close its sessions too
        #[arg(long)]
        close: bool,
        /// Spread the closes over this time, such as 10s [default: drain.spread of the settings]
        #[arg(long, value_name = "DURATION", requires = "close", value_parser = duration)]
        over: Option<String>,
    },
    /// Give a server new sessions again
    Resume {
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Args, Debug)]
struct Server {
    /// The upstream's name in the settings
    #[arg(value_name = "NAME")]
    upstream: String,
    /// The server: host:port, its URL as the settings have it, or its position in the list, from 0
    #[arg(value_name = "SERVER")]
    server: String,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate upstreams
  wsgate upstreams drain chat 10.0.0.7:9001
  wsgate upstreams drain chat 10.0.0.7:9001 --close --over 5m
  wsgate upstreams resume chat 10.0.0.7:9001
  wsgate upstreams --json | jq 'select(.draining and .sessions + .connecting == 0).server'

A server stays drained until it is resumed or the process ends; a reload does not change that."
);

const COLUMNS: &[Column] = &[
    Column::text("UPSTREAM"),
    Column::text("SERVER"),
    Column::word("STATE"),
    Column::number("WEIGHT"),
    Column::number("SESSIONS"),
    Column::number("CONNECTING"),
    Column::number("FAILED CONNECTS"),
    Column::number("FAILED HANDSHAKES"),
];

impl Upstreams {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        match &self.change {
            None => self.list(&client).await,
            Some(Change::Drain {
                server,
                close,
                over,
            }) => {
                let target = server.target("drain");
                let target = target.pair("close", close.then_some(true));
                let target = target.pair("over", over.as_ref());
                self.change(&client, &target, |answer| {
                    let count = |key: &str| answer[key].as_u64().unwrap_or_default();
                    let (open, closing) = (sessions(count("sessions")), count("closing"));
                    let server = &server.server;
                    match closing {
                        0 => format!("{server} gets no new sessions; {open} open with it"),
                        closing => format!(
                            "{server} gets no new sessions; {open} open with it, {closing} being \
                             closed"
                        ),
                    }
                })
                .await
            }
            Some(Change::Resume { server }) => {
                let target = server.target("resume");
                let done = format!("{} gets new sessions again", server.server);
                self.change(&client, &target, |_| done).await
            }
        }
    }

    async fn change(
        &self,
        client: &Client,
        target: &RequestTarget,
        describe: impl FnOnce(&Value) -> String,
    ) -> Result<(), CommandError> {
        let response = client.send(Method::POST, target).await?.succeeded()?;
        let changed = response.json()?;
        match self.json {
            _ if !changed["draining"].is_boolean() => Err(response.unexpected().into()),
            true => print_line(&changed.to_string()),
            false => print_line(&describe(&changed)),
        }
    }

    async fn list(&self, client: &Client) -> Result<(), CommandError> {
        let servers = servers(client).await?;
        if self.json {
            let lines = servers.iter().map(|server| format!("{server}\n"));
            return print(&lines.collect::<String>());
        }
        let mut table = TextTable::new(COLUMNS);
        for server in &servers {
            table.row(cells(server));
        }
        print(&table.render(width()))
    }
}

impl Server {
    fn target(&self, change: &str) -> RequestTarget {
        RequestTarget::path("/upstreams")
            .segment(&self.upstream)
            .segment(&self.server)
            .segment(change)
    }
}

/// Every server, with the name of its upstream and how that chooses.
pub(super) async fn servers(client: &Client) -> Result<Vec<Value>, ClientError> {
    let response = client.get(&RequestTarget::path("/upstreams")).await?;
    listed(&response.json()?).ok_or_else(|| response.unexpected())
}

fn listed(answer: &Value) -> Option<Vec<Value>> {
    let mut found = Vec::new();
    for upstream in answer["upstreams"].as_array()? {
        for server in upstream["servers"].as_array()? {
            let mut server = server.clone();
            let fields = server.as_object_mut()?;
            fields.insert("upstream".to_owned(), json!(upstream["name"]));
            fields.insert("balance".to_owned(), json!(upstream["balance"]));
            found.push(server);
        }
    }
    Some(found)
}

fn cells(server: &Value) -> [String; 8] {
    let text = |key: &str| server[key].as_str().unwrap_or("?").to_owned();
    let number = |key: &str| server[key].as_u64().unwrap_or_default().to_string();
    [
        text("upstream"),
        text("server"),
        state(server).to_owned(),
        number("weight"),
        number("sessions"),
        number("connecting"),
        number("failed_connects"),
        number("failed_handshakes"),
    ]
}

/// In one word.
pub(super) fn state(server: &Value) -> &'static str {
    match (server["draining"].as_bool(), server["failing"].as_bool()) {
        (Some(true), _) => "draining",
        (_, Some(true)) => "failing",
        _ => "in service",
    }
}

/// The text as it is, if it is a duration as the settings write one.
fn duration(text: &str) -> Result<String, &'static str> {
    match parse_duration(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a duration is a whole number and one of ms, s, m, h: 10s, 5m"),
    }
}
