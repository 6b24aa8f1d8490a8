//! The settings in force.

use serde_json::json;

use super::super::kit::{Program, settings};
use super::{ADMIN, ask};

#[tokio::test]
async fn the_settings_are_shown_with_their_defaults_and_without_their_secrets() {
    let more = format!(
        "headers.set = {{ x-key = \"${{WSGATE_TEST_KEY}}\" }}\n\
         {ADMIN}token = \"${{WSGATE_TEST_TOKEN}}\"\n"
    );
    let text = settings("ws://127.0.0.1:1", &more);
    let variables = [
        ("WSGATE_TEST_KEY", "c4nary-key"),
        ("WSGATE_TEST_TOKEN", "c4nary-token"),
    ];
    let program = Program::run_with(&text, &variables).await;
    let admin = program.admin().await;
    let bearer = "Authorization: Bearer c4nary-token\r\n";
    assert_eq!(ask(&admin, "GET /config", "").await.status(), 401);
    let shown = ask(&admin, "GET /config", bearer).await;
    assert_eq!(shown.status(), 200);
    assert!(!shown.text().contains("c4nary"), "{}", shown.text());
    let shown = shown.json();
    assert_eq!(
        shown["admin"],
        json!({"address": "127.0.0.1:0", "token": "***"})
    );
    let route = &shown["route"][0];
    assert_eq!(route["headers"]["set"], json!({"x-key": "***"}));
    assert_eq!(route["timeouts"]["write"], "1m");
    assert_eq!(route["limits"]["message_size"], "16MiB");
    assert_eq!(shown["drain"]["spread"], "0s");
    let servers = json!([{"url": "ws://127.0.0.1:1", "weight": 1}]);
    assert_eq!(shown["upstream"]["chat"]["servers"], servers);

    let slower = text.replace("headers.set", "timeouts.write = \"90s\"\nheaders.set");
    program.rewrite(&slower);
    assert_eq!(ask(&admin, "POST /reload", bearer).await.status(), 200);
    let shown = ask(&admin, "GET /config", bearer).await.json();
    assert_eq!(shown["route"][0]["timeouts"]["write"], "90s");
    assert!(!program.stop().await.contains("c4nary"));
}
