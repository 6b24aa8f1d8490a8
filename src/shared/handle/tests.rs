//! With a real server, where there is one.

use redis::cmd;
use tokio::runtime::Runtime;

use super::*;
use crate::shared::engine_server::EngineServer;

fn config(server: Option<&EngineServer>, more: &str) -> Config {
    let shared = server.map_or_else(String::new, |server| {
        format!("[shared]\nurl = \"{}\"\n{more}\n", server.url())
    });
    let text = format!(
        "{shared}[upstream.chat]\nservers = [\"ws://127.0.0.1:9\"]\n\
         [[route]]\nname = \"chat\"\npath = \"/*\"\nupstream = \"chat\"\n"
    );
    Config::from_toml("test.toml", &text).unwrap()
}

fn engine(shared: &Shared) -> Arc<Engine> {
    shared.0.current.engine().unwrap()
}

/// A runtime whose thread does nothing else.
fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Waits until the task has ended.
async fn end(shared: &Shared) {
    let has_ended = || {
        let task = lock(&shared.0.task);
        task.as_ref().is_none_or(AbortOnDropHandle::is_finished)
    };
    while !has_ended() {
        tokio::task::yield_now().await;
    }
}

/// The newest connection of the engine that listens to other gates.
async fn newest_listener(shared: &Shared) -> u64 {
    let mut connection = engine(shared).connection_for_tests();
    let mut list = cmd("CLIENT");
    list.arg("LIST").arg("TYPE").arg("PUBSUB");
    let listed: redis::RedisResult<redis::Value> = list.query_async(&mut connection).await;
    let listed: String = redis::from_redis_value(listed.unwrap()).unwrap();
    let ids = listed.lines().map(|line| {
        let id = line.split([' ', '=']).nth(1);
        id.unwrap().parse().unwrap()
    });
    ids.max().unwrap_or(0)
}

#[tokio::test]
async fn settings_with_the_same_engine_leave_its_connections_alone() {
    let Some(server) = EngineServer::any() else {
        return;
    };
    let shared = Shared::new(NodeId::random(), &config(Some(&server), ""));
    shared.start();
    let engine = engine(&shared);
    engine.condition.becomes(true).await;
    shared.follow(&config(Some(&server), "on_failure = \"deny\""));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(engine.condition.is_up());
    assert!(Arc::ptr_eq(&engine, &self::engine(&shared)));
}

#[tokio::test]
async fn the_chosen_runtime_keeps_the_connections_and_another_one_goes_on_when_it_has_ended() {
    let Some(server) = EngineServer::any() else {
        return;
    };
    let (with, without) = (config(Some(&server), ""), config(None, ""));
    let shared = Shared::new(NodeId::random(), &without);
    let mut newest = 0;
    // Which part of the task runs first is left to chance.
    for _ in 0..8 {
        let chosen = runtime();
        {
            let _there = chosen.enter();
            shared.connect_here();
        }
        for _ in 0..2 {
            shared.follow(&with);
            shared.start();
            engine(&shared).condition.becomes(true).await;
            assert!(chosen.metrics().num_alive_tasks() > 0);
            let listener = newest_listener(&shared).await;
            assert!(listener > newest, "{listener} {newest}");
            newest = listener;
            shared.follow(&without);
            end(&shared).await;
        }
        shared.follow(&with);
        shared.start();
        let engine = engine(&shared);
        engine.condition.becomes(true).await;
        let before = newest_listener(&shared).await;
        chosen.shutdown_background();
        end(&shared).await;
        shared.start();
        engine.condition.becomes(false).await;
        engine.condition.becomes(true).await;
        newest = newest_listener(&shared).await;
        assert!(newest > before, "{newest} {before}");
        shared.follow(&without);
        end(&shared).await;
    }
}
