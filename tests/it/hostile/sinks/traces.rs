//! Case S03: a collector that accepts connections and never answers.

use super::{STOPS, goes_on, reloads, stops};
use crate::kit::{Echo, Program, Upstream, settings};

#[tokio::test]
async fn s03_a_collector_that_never_answers_holds_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for signal in STOPS {
        let silent = Upstream::start().await;
        let url = silent.url().replace("ws://", "http://");
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ];
        let text = settings(echo.url(), "[admin]\naddress = \"127.0.0.1:0\"");
        let mut program = Program::run_with(&text, &variables).await;
        let admin = program.admin().await;
        goes_on(&program.address).await;
        // The first batch is on its way, and the queue behind it is full.
        let _unanswered = silent.request().await;
        goes_on(&program.address).await;
        reloads(&program, &admin).await;
        // The last batch has five seconds.
        stops(&mut program, signal).await;
    }
}
