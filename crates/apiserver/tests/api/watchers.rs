//! Watchers by the thousand, some of them asleep.

use crate::harness::{CONFIG_MAPS, Server, config_map};
use serde_json::json;

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_watchers_cost_little_and_sleepers_hold_up_nobody() {
    const READERS: usize = 1_800;
    const SLEEPERS: usize = 200;
    const WRITES: usize = 100;
    // Sleepers fall off the ring, which keeps less than what is written.
    let server = Server::on(store::Store::in_memory(store::Options { ring_events: 60, ..store::Options::default() }));
    let mut object = config_map("a", json!({}));
    object["data"]["key"] = "x".repeat(2_000).into();
    let created = server.post(CONFIG_MAPS, &object).await.expect(201).json();
    let from = created["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{CONFIG_MAPS}?watch=true&resourceVersion={from}");
    let before = resident_bytes();
    let mut sleepers = Vec::new();
    for _ in 0..SLEEPERS {
        sleepers.push(server.watch(&path, &[]).await);
    }
    // How many readers have seen each write.
    let (seen, mut all_seen) = tokio::sync::watch::channel([0usize; WRITES + 1]);
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let mut watch = server.watch(&path, &[]).await;
        let seen = seen.clone();
        readers.spawn(async move {
            for n in 1..=WRITES {
                let event = watch.next().await.expect("the stream goes on");
                assert_eq!(
                    (&event["type"], &event["object"]["metadata"]["labels"]["n"]),
                    (&json!("MODIFIED"), &json!(n.to_string()))
                );
                seen.send_modify(|seen| seen[n] += 1);
            }
        });
    }
    for n in 1..=WRITES {
        object["metadata"]["labels"] = json!({"n": n.to_string()});
        server.put(&format!("{CONFIG_MAPS}/a"), &object).await.expect(200);
        // No reader falls behind by more than half a ring; the sleepers are not waited for.
        if let Some(earlier @ 1..) = n.checked_sub(30) {
            all_seen.wait_for(|seen| seen[earlier] == READERS).await.unwrap();
        }
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("every reader saw every write in order");
    }
    let grown_kib = resident_bytes().saturating_sub(before) / 1024;
    println!("{} watchers and {WRITES} events: {grown_kib} KiB", READERS + SLEEPERS);
    // A piece of an answer each (64 KiB at most) and the test's own reader of it; not what the sleepers missed.
    assert!(grown_kib < (READERS + SLEEPERS) * 128, "{grown_kib} KiB for {} watchers", READERS + SLEEPERS);
    for mut sleeper in sleepers {
        let event = sleeper.next().await.unwrap();
        assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
        assert_eq!(sleeper.next().await, None);
    }
}
