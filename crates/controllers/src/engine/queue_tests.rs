//! The queue under a virtual clock: each test records what ran at which second.

use super::*;
use std::future::ready;

type Log = Arc<Mutex<Vec<(u64, String)>>>;

/// Works on the queue for `seconds`, logging (second, key) at each start.
async fn watch_it<F: Future<Output = Outcome>>(
    queue: &Queue<String>,
    seconds: u64,
    reconcile: impl Fn(String) -> F,
) -> Vec<(u64, String)> {
    let log = Log::default();
    let start = Instant::now();
    let work = queue.clone().work(|key, _| {
        log.lock().push((start.elapsed().as_secs(), key.clone()));
        reconcile(key)
    });
    let _ = tokio::time::timeout(Duration::from_secs(seconds), work).await;
    std::mem::take(&mut log.lock())
}

fn seconds(log: &[(u64, String)]) -> Vec<u64> {
    log.iter().map(|(second, _)| *second).collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_added_often_runs_once() {
    let queue = Queue::default();
    for key in ["a", "b", "a"] {
        queue.add(key.to_string());
    }
    let log = watch_it(&queue, 5, |_| ready(Ok(Next::WhenAdded))).await;
    assert_eq!(log, [(0, "a".into()), (0, "b".into())]);
}

#[tokio::test(start_paused = true)]
async fn failures_come_back_ever_later_up_to_a_minute() {
    let queue = Queue::default();
    queue.add("a".to_string());
    let log = watch_it(&queue, 200, |_| ready(Err("no".into()))).await;
    assert_eq!(seconds(&log), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[tokio::test(start_paused = true)]
async fn one_key_never_runs_twice_at_a_time_but_again_if_added_meanwhile() {
    let queue = Queue::default();
    queue.add("a".to_string());
    let adder = queue.clone();
    let first = Mutex::new(true);
    let log = watch_it(&queue, 60, |key| {
        let again = std::mem::take(&mut *first.lock());
        let adder = adder.clone();
        async move {
            if again {
                adder.add(key);
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(Next::WhenAdded)
        }
    })
    .await;
    assert_eq!(seconds(&log), [0, 10]);
}

#[tokio::test(start_paused = true)]
async fn five_keys_run_at_a_time() {
    let queue = Queue::default();
    for key in 0..12 {
        queue.add(key.to_string());
    }
    let log = watch_it(&queue, 60, |_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Next::WhenAdded)
    })
    .await;
    assert_eq!(seconds(&log), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_earliest_wish_counts() {
    let queue = Queue::default();
    queue.add_after("a".to_string(), Duration::from_secs(30));
    queue.add_after("a".to_string(), Duration::from_secs(3));
    queue.add_after("a".to_string(), Duration::from_secs(20));
    let log = watch_it(&queue, 55, |_| ready(Ok(Next::WhenAdded))).await;
    assert_eq!(seconds(&log), [3]);
}
