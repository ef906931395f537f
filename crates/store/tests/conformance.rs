//! What a store promises, run on both: the one in memory and the one on disk.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use futures::FutureExt;
use std::time::Duration;
use store::{CommitError, Event, MAX_TXN_BYTES, MAX_TXN_OPS, Op, Options, Store, Txn};
use support::{Clock, FEW_EVENTS, Harness, create, delete, pending, put, put_all, put_if, saw};

/// Makes each function two tests: `in_memory::name` and `on_disk::name`.
macro_rules! on_both {
    ($(async fn $name:ident($harness:ident: Harness) $body:block)*) => {
        $(async fn $name($harness: Harness) $body)*
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(super::Harness::Memory).await })*
        }
        mod on_disk {
            $(#[tokio::test] async fn $name() { super::$name(super::Harness::disk()).await })*
        }
    };
}

on_both! {
    async fn a_put_is_read_back(t: Harness) {
        let store = t.open(Options::default());
        assert!(store.get("/core/pods/default/a").is_none());
        let before = store.revision();
        let committed = put(&store, "/core/pods/default/a", "one").await;
        assert_eq!(committed, before + 1);
        assert_eq!(store.revision(), committed);
        let record = store.get("/core/pods/default/a").unwrap();
        assert_eq!(&record.value[..], b"one");
        assert_eq!(&*record.key, "/core/pods/default/a");
        assert_eq!((record.create_revision, record.revision), (committed, committed));
    }

    async fn an_empty_store_has_a_revision_that_clients_can_watch_from(t: Harness) {
        let store = t.open(Options::default());
        let empty = store.range("/core/pods/", None, 0);
        assert!(empty.records.is_empty());
        assert!(0 < empty.revision, "0 means any to Kubernetes' clients");
        let mut watcher = store.watch("/core/pods/", empty.revision).unwrap();
        put(&store, "/core/pods/default/a", "one").await;
        assert_eq!(saw(&mut watcher).await, ["2 + /core/pods/default/a"]);
        let error = store.watch("/core/pods/", 0).err().unwrap();
        assert_eq!((error.wanted, error.oldest), (0, 1));
    }

    async fn a_replaced_record_keeps_its_create_revision(t: Harness) {
        let store = t.open(Options::default());
        let first = put(&store, "/core/pods/default/a", "one").await;
        let second = put(&store, "/core/pods/default/a", "two").await;
        let record = store.get("/core/pods/default/a").unwrap();
        assert_eq!((record.create_revision, record.revision), (first, second));
        store.commit(delete("/core/pods/default/a")).await.unwrap();
        let third = put(&store, "/core/pods/default/a", "three").await;
        let record = store.get("/core/pods/default/a").unwrap();
        assert_eq!((record.create_revision, record.revision), (third, third));
    }

    async fn conditions_hold_or_nothing_happens(t: Harness) {
        let store = t.open(Options::default());
        let first = put(&store, "/core/pods/default/a", "one").await;

        let error = store.commit(create("/core/pods/default/a", "two")).await.unwrap_err();
        let CommitError::Conflict { key, current } = error else { panic!("{error}") };
        assert_eq!(key, "/core/pods/default/a");
        assert_eq!(current.unwrap().revision, first);

        let error = store.commit(put_if("/core/pods/default/a", first + 1, "two")).await.unwrap_err();
        assert!(matches!(error, CommitError::Conflict { .. }), "{error}");
        let error = store.commit(put_if("/core/pods/default/b", first, "two")).await.unwrap_err();
        assert!(matches!(error, CommitError::Conflict { current: None, .. }), "{error}");
        assert_eq!(store.revision(), first, "a refused write has no revision");
        assert_eq!(&store.get("/core/pods/default/a").unwrap().value[..], b"one");

        store.commit(put_if("/core/pods/default/a", first, "two")).await.unwrap();
        store.commit(create("/core/pods/default/b", "one")).await.unwrap();
        assert_eq!(store.revision(), first + 2);
    }

    async fn one_failed_condition_stops_all_operations(t: Harness) {
        let store = t.open(Options::default());
        let mut txn = put_all(&["/core/pods/default/a", "/core/pods/default/b"]);
        txn.conditions = vec![("/core/pods/default/a".into(), 0), ("/core/pods/default/c".into(), 7)];
        store.commit(txn).await.unwrap_err();
        assert!(store.range("/", None, 0).records.is_empty());
    }

    async fn of_many_creators_of_a_key_one_wins(t: Harness) {
        let store = t.open(Options::default());
        let creators = (0..50).map(|n| store.commit(create("/core/pods/default/a", &n.to_string())));
        let results = futures::future::join_all(creators).await;
        let winners: Vec<_> = results.iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            let CommitError::Conflict { current: Some(current), .. } = error else { panic!("{error}") };
            assert_eq!(current.revision, winners[0].revision, "each loser is shown the winner");
        }
    }

    async fn a_transaction_has_one_revision(t: Harness) {
        let store = t.open(Options::default());
        let from = store.revision();
        let mut watcher = store.watch("/core/pods/", from).unwrap();
        let keys = ["/core/pods/default/a", "/core/pods/default/b", "/batch/jobs/default/c"];
        let committed = store.commit(put_all(&keys)).await.unwrap();
        for (key, record) in keys.iter().zip(&committed.records) {
            let record = record.as_ref().unwrap();
            assert_eq!((&*record.key, record.revision), (*key, committed.revision));
        }
        assert_eq!(store.revision(), from + 1);
        assert_eq!(saw(&mut watcher).await, ["2 + /core/pods/default/a", "2 + /core/pods/default/b"]);
    }

    async fn deleting_returns_the_last_record(t: Harness) {
        let store = t.open(Options::default());
        put(&store, "/core/pods/default/a", "one").await;
        let deleted = store.commit(delete("/core/pods/default/a")).await.unwrap();
        assert_eq!(&deleted.records[0].as_ref().unwrap().value[..], b"one");
        assert!(store.get("/core/pods/default/a").is_none());

        let revision = store.revision();
        let deleted = store.commit(delete("/core/pods/default/a")).await.unwrap();
        assert!(deleted.records[0].is_none());
        assert_eq!((deleted.revision, store.revision()), (revision, revision), "nothing was written");
    }

    async fn ranges_are_ordered_limited_and_continued(t: Harness) {
        let store = t.open(Options::default());
        for name in ["c", "a", "d", "b"] {
            put(&store, &format!("/core/pods/default/{name}"), name).await;
        }
        let names = |after: Option<&str>, limit| -> Vec<String> {
            let range = store.range("/core/pods/default/", after, limit);
            assert_eq!(range.revision, store.revision());
            range.records.iter().map(|record| String::from_utf8(record.value.to_vec()).unwrap()).collect()
        };
        assert_eq!(names(None, 0), ["a", "b", "c", "d"]);
        assert_eq!(names(None, 3), ["a", "b", "c"]);
        assert_eq!(names(Some("/core/pods/default/c"), 3), ["d"]);
        assert_eq!(names(Some("/core/pods/default/bb"), 1), ["c"]);
        assert_eq!(names(Some("/core/pods/default/d"), 0), [""; 0]);
        assert_eq!(names(Some("/aaa"), 1), ["a"], "a place before the prefix");
        assert_eq!(names(Some("/zzz"), 1), [""; 0], "a place behind the prefix");
    }

    async fn a_prefix_keeps_neighbours_out(t: Harness) {
        let store = t.open(Options::default());
        let from = store.revision();
        let mut in_ns1 = store.watch("/core/pods/ns1/", from).unwrap();
        let mut all = store.watch("/core/pods/", from).unwrap();
        let keys = ["/core/pods/ns1/a", "/core/pods/ns10/b", "/core/podsx/ns1/c", "/core/pods/ns1-x/d"];
        for key in keys {
            put(&store, key, "").await;
        }
        let keys_of = |prefix: &str| -> Vec<String> {
            store.range(prefix, None, 0).records.iter().map(|record| record.key.to_string()).collect()
        };
        assert_eq!(keys_of("/core/pods/ns1/"), ["/core/pods/ns1/a"]);
        assert_eq!(keys_of("/core/pods/ns10/"), ["/core/pods/ns10/b"]);
        assert_eq!(keys_of("/core/pods/").len(), 3);
        assert_eq!(saw(&mut in_ns1).await, ["2 + /core/pods/ns1/a"]);
        assert!(pending(&mut in_ns1));
        assert_eq!(
            saw(&mut all).await,
            ["2 + /core/pods/ns1/a", "3 + /core/pods/ns10/b", "5 + /core/pods/ns1-x/d"]
        );
    }

    async fn a_watch_begins_after_its_revision(t: Harness) {
        let store = t.open(Options::default());
        put(&store, "/core/pods/default/a", "one").await;
        let second = put(&store, "/core/pods/default/a", "two").await;
        store.commit(delete("/core/pods/default/a")).await.unwrap();
        put(&store, "/core/pods/default/a", "three").await;
        let mut watcher = store.watch("/core/pods/", second).unwrap();
        assert_eq!(watcher.revision(), second);
        let events = watcher.next().await.unwrap();
        assert_eq!(watcher.revision(), store.revision());
        let [Event::Delete { previous, revision }, Event::Put { record, previous: None }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((&previous.value[..], *revision), (&b"two"[..], second + 1));
        assert_eq!((&record.value[..], record.create_revision), (&b"three"[..], second + 2));
        let mut watcher = store.watch("/core/pods/", second - 1).unwrap();
        let events = watcher.next().await.unwrap();
        let Event::Put { previous: Some(previous), .. } = &events[0] else { panic!("{events:?}") };
        assert_eq!(&previous.value[..], b"one");
    }

    async fn a_watch_may_begin_in_the_future(t: Harness) {
        let store = t.open(Options::default());
        let from = store.revision() + 1;
        let mut watcher = store.watch("/core/pods/", from).unwrap();
        put(&store, "/core/pods/default/a", "").await;
        assert!(pending(&mut watcher));
        put(&store, "/core/pods/default/b", "").await;
        assert_eq!(saw(&mut watcher).await, ["3 + /core/pods/default/b"]);
    }

    async fn a_waiting_watcher_is_woken(t: Harness) {
        let store = t.open(Options::default());
        let mut watcher = store.watch("/core/pods/", store.revision()).unwrap();
        let waiting = tokio::spawn(async move { saw(&mut watcher).await });
        tokio::task::yield_now().await;
        put(&store, "/batch/jobs/default/quiet", "").await;
        put(&store, "/core/pods/default/a", "").await;
        assert_eq!(waiting.await.unwrap(), ["3 + /core/pods/default/a"]);
    }

    async fn a_dropped_wait_loses_no_event(t: Harness) {
        let store = t.open(Options::default());
        let mut watcher = store.watch("/core/pods/", store.revision()).unwrap();
        for n in 2..20 {
            assert!(pending(&mut watcher));
            put(&store, "/core/pods/default/a", "").await;
            assert!(saw(&mut watcher).await[0].starts_with(&format!("{n} ")));
        }
    }

    async fn the_bookmark_of_a_quiet_resource_moves_on(t: Harness) {
        let store = t.open(Options::default());
        let watcher = store.watch("/core/pods/default/", store.revision()).unwrap();
        for key in ["/batch/jobs/default/a", "/core/pods/other/a"] {
            let written = put(&store, key, "").await;
            assert_eq!(watcher.revision(), written);
        }
        let seen = watcher.revision();
        put(&store, "/core/pods/default/a", "").await;
        put(&store, "/batch/jobs/default/a", "").await;
        assert_eq!(watcher.revision(), seen, "an event is waiting");
    }

    async fn a_slow_watcher_falls_off_and_holds_up_nobody(t: Harness) {
        let store = t.open(Options { ring_events: FEW_EVENTS, ..Options::default() });
        let from = store.revision();
        let mut slow = store.watch("/core/pods/", from).unwrap();
        let mut quiet = store.watch("/batch/jobs/", from).unwrap();
        let mut fast = store.watch("/core/pods/", from).unwrap();
        for n in 0..FEW_EVENTS * 3 {
            put(&store, "/core/pods/default/a", &n.to_string()).await;
            assert_eq!(saw(&mut fast).await.len(), 1);
        }
        let error = slow.next().await.unwrap_err();
        assert_eq!(error.wanted, from);
        assert_eq!(error.oldest, store.revision() - FEW_EVENTS as u64);
        assert!(store.watch("/core/pods/", error.oldest - 1).is_err());
        let mut again = store.watch("/core/pods/", error.oldest).unwrap();
        assert_eq!(again.next().await.unwrap().len(), FEW_EVENTS);
        assert!(pending(&mut quiet), "its ring has dropped nothing");
    }

    async fn a_ring_is_bounded_by_bytes(t: Harness) {
        let store = t.open(Options { ring_bytes: 100_000, ..Options::default() });
        let from = store.revision();
        for _ in 0..100 {
            put(&store, "/core/pods/default/a", &"x".repeat(10_000)).await;
        }
        let error = store.watch("/core/pods/", from).err().unwrap();
        let n_kept = store.revision() - error.oldest;
        assert!((5..10).contains(&n_kept), "{n_kept}");
    }

    async fn a_ring_is_bounded_by_age(t: Harness) {
        let clock = Clock::default();
        let options = Options { ring_age: Duration::from_secs(300), now: clock.now(), ..Options::default() };
        let store = t.open(options);
        let first = put(&store, "/core/pods/default/a", "").await;
        clock.advance(Duration::from_secs(200));
        let second = put(&store, "/core/pods/default/a", "").await;
        clock.advance(Duration::from_secs(100));
        put(&store, "/batch/jobs/default/a", "").await;
        assert!(store.watch("/core/pods/", first - 1).is_ok(), "not older than the bound");
        clock.advance(Duration::from_secs(1));
        // A write to any resource drops what is old in all.
        put(&store, "/batch/jobs/default/a", "").await;
        assert_eq!(store.watch("/core/pods/", first - 1).err().unwrap().oldest, first);
        let mut watcher = store.watch("/core/pods/", first).unwrap();
        assert_eq!(watcher.next().await.unwrap()[0].revision(), second);
    }

    async fn a_watcher_far_behind_reads_whole_revisions(t: Harness) {
        let store = t.open(Options::default());
        let mut watcher = store.watch("/core/pods/", store.revision()).unwrap();
        let keys: Vec<String> = (0..100).map(|n| format!("/core/pods/default/{n:03}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for _ in 0..35 {
            store.commit(put_all(&keys)).await.unwrap();
        }
        let mut n_events = 0;
        while n_events < 3_500 {
            let events = watcher.next().await.unwrap();
            assert_eq!(events.len() % 100, 0, "no revision is split");
            assert!(events.len() < 3_500, "not all at once");
            assert_eq!(events[0].revision(), 2 + n_events as u64 / 100);
            n_events += events.len();
        }
        assert!(pending(&mut watcher));
        assert_eq!(watcher.revision(), store.revision());
    }

    async fn reached_waits_for_a_revision(t: Harness) {
        let store = t.open(Options::default());
        store.reached(store.revision()).await;
        let ahead = store.revision() + 2;
        assert!(store.reached(ahead).now_or_never().is_none());
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.reached(ahead).await }
        });
        put(&store, "/core/pods/default/a", "").await;
        assert!(store.reached(ahead).now_or_never().is_none());
        put(&store, "/core/pods/default/a", "").await;
        waiting.await.unwrap();
    }

    async fn a_transaction_too_large_is_refused(t: Harness) {
        let store = t.open(Options::default());
        let keys: Vec<String> = (0..=MAX_TXN_OPS).map(|n| format!("/core/pods/default/{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let error = store.commit(put_all(&keys)).await.unwrap_err();
        assert_eq!(error.to_string(), "transaction too large: 129 operations, at most 128 are allowed");
        store.commit(put_all(&keys[..MAX_TXN_OPS])).await.unwrap();

        let value = Bytes::from(vec![b'x'; MAX_TXN_BYTES]);
        let txn = Txn { ops: vec![Op::Put { key: "/core/pods/default/a".into(), value }], ..Txn::default() };
        let error = store.commit(txn).await.unwrap_err();
        assert!(matches!(error, CommitError::TooLarge(_)), "{error}");
        put(&store, "/core/pods/default/a", &"x".repeat(MAX_TXN_BYTES - 100)).await;
    }

    async fn odd_keys_are_only_keys(t: Harness) {
        let store = t.open(Options::default());
        for key in ["", "/", "no slash", "/core", "/a/b/c/d/e", "/core/pods/ü/\u{10ffff}", "/nul/\0/x/y"] {
            let mut watcher = store.watch(key, store.revision()).unwrap();
            let revision = put(&store, key, "v").await;
            assert_eq!(store.get(key).unwrap().revision, revision);
            assert_eq!(saw(&mut watcher).await, [format!("{revision} + {key}")]);
        }
        store.close().await;
    }

    async fn a_note_is_kept_with_its_record(t: Harness) {
        let store = t.open(Options::default());
        put(&store, "/core/pods/default/a", "one").await;
        store.get("/core/pods/default/a").unwrap().note.get_or_init(|| Box::new(7_u32));
        let record = store.range("/core/pods/", None, 0).records.remove(0);
        assert_eq!(record.note.get().unwrap().downcast_ref::<u32>(), Some(&7));
    }

    async fn a_closed_store_refuses_writes_and_serves_reads(t: Harness) {
        let store = t.open(Options::default());
        put(&store, "/core/pods/default/a", "one").await;
        store.close().await;
        store.close().await;
        let error = store.commit(delete("/core/pods/default/a")).await.unwrap_err();
        assert!(matches!(error, CommitError::Closed), "{error}");
        assert!(store.get("/core/pods/default/a").is_some());
    }
}

/// Many watchers share the ring: each gets every event, whatever the others do.
#[tokio::test]
async fn a_thousand_watchers_each_see_everything() {
    let store = Store::in_memory(Options::default());
    let watching: Vec<_> = (0..1_000)
        .map(|_| {
            let mut watcher = store.watch("/core/pods/", 1).unwrap();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < 20 {
                    seen.extend(saw(&mut watcher).await);
                }
                seen
            })
        })
        .collect();
    let mut expected = Vec::new();
    for revision in 2..22 {
        put(&store, "/core/pods/default/a", "").await;
        expected.push(format!("{revision} + /core/pods/default/a"));
        tokio::task::yield_now().await;
    }
    for seen in watching {
        assert_eq!(seen.await.unwrap(), expected);
    }
}
