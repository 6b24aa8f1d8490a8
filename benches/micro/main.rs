//! `cargo bench --features microbench --bench micro`: what the walk over frames and the checks of a
//! handshake take, each for itself.
//!
//! Every walk is over a buffer of what one read may bring, with the same limits as a route in service
//! has and without them. It takes about a minute; `-- NAME` measures only what has that in its name.
#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot go on has nothing to measure"
)]

mod frames;
mod policies;
mod tokens;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use wsgate::Config;
use wsgate::microbench::Policies;

criterion_group! {
    name = benches;
    config = criterion();
    targets = frames::walks, frames::texts, policies::checks, policies::rates, policies::routes, tokens::checks
}
criterion_main!(benches);

/// Little time for each, as what is measured is even; the resampling would take longer than that.
fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .nresamples(10_000)
}

/// The policies of a file of one upstream and these routes.
fn policies(routes: &str) -> Policies {
    let text = format!("[upstream.echo]\nservers = [\"ws://127.0.0.1:9001\"]\n{routes}");
    let config = Config::from_toml("micro.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    Policies::new(&config).expect("a route")
}

/// One route that serves every path, with more tables.
fn route(tables: &str) -> Policies {
    policies(&format!(
        "[[route]]\nname = \"echo\"\npath = \"/*\"\nupstream = \"echo\"\n{tables}"
    ))
}
