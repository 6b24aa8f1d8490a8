//! What the rounds came to.

use std::fmt::Write as _;
use std::fs;
use std::io;

use crate::peers::Peer;
use crate::scenarios::{Column, Scenario};

/// The figures of one scenario: by peer, then by round.
pub(crate) struct Table {
    scenario: Scenario,
    columns: Vec<Column>,
    peers: Vec<(Peer, Vec<Vec<f64>>)>,
}

impl Table {
    pub(crate) fn new(scenario: Scenario, columns: Vec<Column>, peers: &[Peer]) -> Self {
        let peers = peers.iter().map(|&peer| (peer, Vec::new())).collect();
        Self {
            scenario,
            columns,
            peers,
        }
    }

    pub(crate) fn add(&mut self, peer: Peer, figures: Vec<f64>) {
        let mut peers = self.peers.iter_mut();
        if let Some((_, rounds)) = peers.find(|(known, _)| *known == peer) {
            rounds.push(figures);
        }
    }

    /// A round that failed.
    pub(crate) fn add_nothing(&mut self, peer: Peer) {
        self.add(peer, vec![f64::NAN; self.columns.len()]);
    }

    /// A table of medians in Markdown. The first column is compared: how much of the peer's figure
    /// wsgate's is, as the median of the rounds' own ratios, with the least and the most of them.
    pub(crate) fn markdown(&self) -> String {
        let mut rows = vec![vec![String::new(), "wsgate's to it".to_owned()]];
        rows[0].extend(self.columns.iter().map(|column| column.name.clone()));
        for (peer, rounds) in &self.peers {
            let mut row = vec![peer.name().to_owned(), self.ratio(*peer, rounds)];
            for (index, column) in self.columns.iter().enumerate() {
                let figures = rounds.iter().map(|round| round[index]).collect();
                row.push(match median(figures) {
                    Some(median) => format!("{median:.*}", column.digits),
                    None => "–".to_owned(),
                });
            }
            rows.push(row);
        }
        format!("### {}\n\n{}", self.scenario.title(), aligned(&rows))
    }

    fn ratio(&self, peer: Peer, theirs: &[Vec<f64>]) -> String {
        let ours = self.peers.iter().find(|(peer, _)| *peer == Peer::Wsgate);
        let Some((_, ours)) = ours.filter(|_| peer != Peer::Wsgate) else {
            return String::new();
        };
        let mut ratios: Vec<_> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours[0] / theirs[0])
            .filter(|ratio| ratio.is_finite())
            .collect();
        ratios.sort_by(f64::total_cmp);
        match (ratios.first(), ratios.last(), median(ratios.clone())) {
            (Some(least), Some(most), Some(median)) => {
                format!("{median:.2} ({least:.2}–{most:.2})")
            }
            _ => "–".to_owned(),
        }
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.retain(|figure| figure.is_finite());
    figures.sort_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    let lower = figures[(figures.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// Rows of a table whose columns are below each other in a terminal too; the first is its head.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |index: usize| {
        let widths = rows.iter().map(|row| row[index].chars().count());
        widths.max().unwrap_or(0).max(1)
    };
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match index {
                0 => write!(text, "| {cell:<width$} |"),
                _ => write!(text, " {cell:>width$} |"),
            };
        }
        text.push('\n');
        if at == 0 {
            for (index, width) in widths.iter().enumerate() {
                let _ = match index {
                    0 => write!(text, "|{}|", "-".repeat(width + 2)),
                    _ => write!(text, "{}:|", "-".repeat(width + 1)),
                };
            }
            text.push('\n');
        }
    }
    text
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md");
const BEGIN: &str = "<!-- figures: what `cargo bench --bench compare -- --write` puts here -->\n";
const END: &str = "<!-- end of the figures -->";

/// Puts the figures into the page, in the place of the last ones.
pub(crate) fn write_page(figures: &str) -> io::Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, behind)) = parts else {
        return Err(io::Error::other(format!("no place for figures in {PAGE}")));
    };
    fs::write(PAGE, format!("{before}{BEGIN}\n{figures}\n{END}{behind}"))
}
