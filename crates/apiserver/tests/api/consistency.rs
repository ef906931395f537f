//! Whoever lists and then watches ends with the server's state: whatever is written meanwhile, however slowly he reads,
//! through selectors, pieces, forgotten history and a server that starts again.

use crate::harness::{Server, Watch, config_map};
use futures::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const NAMESPACES: [&str; 2] = ["default", "kube-system"];
const COLOURS: [&str; 3] = ["red", "blue", ""];

/// What a reader asks for: path, and selectors.
const VIEWS: [(&str, &str); 6] = [
    ("/api/v1/configmaps", ""),
    ("/api/v1/namespaces/default/configmaps", ""),
    ("/api/v1/configmaps", "labelSelector=colour%3Dred"),
    ("/api/v1/namespaces/default/configmaps", "labelSelector=colour+in+(red,blue)"),
    ("/api/v1/configmaps", "labelSelector=!colour"),
    ("/api/v1/namespaces/default/configmaps", "fieldSelector=metadata.name%3Dc1"),
];

#[derive(Debug, Clone)]
enum Step {
    /// Creates, replaces or deletes one of a few objects.
    Write { namespace: usize, name: usize, colour: usize, delete: bool },
    /// One reader does its next thing.
    Read(usize),
    /// Its connection breaks.
    Break(usize),
    /// The server ends and another one starts on its disk.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..2usize, 0..5usize, 0..3usize, prop::bool::weighted(0.3))
            .prop_map(|(namespace, name, colour, delete)| Step::Write { namespace, name, colour, delete }),
        12 => (0..VIEWS.len() * 2).prop_map(Step::Read),
        1 => (0..VIEWS.len() * 2).prop_map(Step::Break),
        1 => Just(Step::Restart),
    ]
}

type Objects = BTreeMap<String, Value>;

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{}/{}", metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap())
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// A client's cache.
struct Reader {
    path: &'static str,
    selector: &'static str,
    /// Lists as a stream instead of in pieces.
    streams: bool,
    limit: usize,
    objects: Objects,
    seen: u64,
    state: State,
}

enum State {
    Nothing,
    /// Pieces of a list so far, and the token for the next.
    Listing(Objects, String),
    /// What the streamed list has brought so far.
    Streaming(Watch, Objects),
    Listed,
    Watching(Watch),
}

impl Reader {
    fn new(index: usize, limit: usize) -> Self {
        let (path, selector) = VIEWS[index % VIEWS.len()];
        let streams = VIEWS.len() <= index;
        Self { path, selector, streams, limit, objects: Objects::new(), seen: 0, state: State::Nothing }
    }

    /// Does one thing; false when there was nothing to do.
    async fn step(&mut self, server: &Server) -> bool {
        match std::mem::replace(&mut self.state, State::Nothing) {
            State::Nothing if self.streams => {
                let query =
                    "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
                let watch = server.watch(&format!("{}?{query}&{}", self.path, self.selector), &[]).await;
                self.state = State::Streaming(watch, Objects::new());
                true
            }
            State::Nothing => self.list(server, Objects::new(), "").await,
            State::Listing(objects, token) => self.list(server, objects, &token).await,
            State::Streaming(watch, objects) => self.stream(watch, objects),
            State::Listed => {
                let query = format!("watch=true&allowWatchBookmarks=true&resourceVersion={}", self.seen);
                let watch = server.watch(&format!("{}?{query}&{}", self.path, self.selector), &[]).await;
                self.state = State::Watching(watch);
                true
            }
            State::Watching(watch) => self.watch(watch),
        }
    }

    async fn list(&mut self, server: &Server, mut objects: Objects, token: &str) -> bool {
        let query = format!("limit={}&continue={token}&{}", self.limit, self.selector);
        let reply = server.get(&format!("{}?{query}", self.path)).await;
        if reply.code == 410 {
            // The rest is gone (a new server knows nothing of it): from the start again.
            return true;
        }
        let list = reply.expect(200).json();
        for item in list["items"].as_array().unwrap() {
            assert!(objects.insert(key(item), item.clone()).is_none(), "{item} came twice");
        }
        match list["metadata"]["continue"].as_str() {
            Some(token) => self.state = State::Listing(objects, token.to_owned()),
            None => {
                (self.objects, self.seen) = (objects, revision(&list));
                self.state = State::Listed;
            }
        }
        true
    }

    fn stream(&mut self, mut watch: Watch, mut objects: Objects) -> bool {
        let Some(event) = watch.next().now_or_never() else {
            self.state = State::Streaming(watch, objects);
            return false;
        };
        let Some(event) = event else { return true };
        match event["type"].as_str().unwrap() {
            "ADDED" => {
                let object = bare(&event["object"]);
                assert!(objects.insert(key(&object), object).is_none(), "{event} came twice");
                self.state = State::Streaming(watch, objects);
            }
            "BOOKMARK" => {
                assert_eq!(event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
                (self.objects, self.seen) = (objects, revision(&event["object"]));
                self.state = State::Watching(watch);
            }
            other => panic!("{other} before the end of the list: {event}"),
        }
        true
    }

    fn watch(&mut self, mut watch: Watch) -> bool {
        let Some(event) = watch.next().now_or_never() else {
            self.state = State::Watching(watch);
            return false;
        };
        // An end without a word: on from where it was.
        self.state = State::Listed;
        let Some(event) = event else { return true };
        let object = &event["object"];
        if event["type"] == "ERROR" {
            assert_eq!(object["code"], 410, "{event}");
            self.state = State::Nothing;
            return true;
        }
        let (now, bare) = (revision(object), bare(object));
        assert!(self.seen < now || event["type"] == "BOOKMARK" && self.seen <= now, "{event} after {}", self.seen);
        self.seen = now;
        let key = if event["type"] == "BOOKMARK" { String::new() } else { key(object) };
        let known = self.objects.contains_key(&key);
        match event["type"].as_str().unwrap() {
            "ADDED" => assert!(self.objects.insert(key, bare).is_none(), "{event}: it was there"),
            "MODIFIED" => assert!(self.objects.insert(key, bare).is_some(), "{event}: it was not there"),
            "DELETED" => assert!(self.objects.remove(&key).is_some(), "{event}: it was not there"),
            "BOOKMARK" => assert!(!known),
            other => panic!("{other}"),
        }
        self.state = State::Watching(watch);
        true
    }

    /// Reads to the end of what there is, and compares.
    async fn settle(&mut self, server: &Server) {
        let mut n_steps = 0;
        while self.step(server).await {
            n_steps += 1;
            assert!(n_steps < 10_000, "it never ends");
        }
        let list = server.get(&format!("{}?{}", self.path, self.selector)).await.expect(200).json();
        let truth: Objects = list["items"].as_array().unwrap().iter().map(|item| (key(item), item.clone())).collect();
        assert_eq!(self.objects, truth, "{} {}", self.path, self.selector);
    }
}

/// As lists have it.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().retain(|key, _| !["apiVersion", "kind"].contains(&key.as_str()));
    object
}

async fn write(server: &Server, namespace: usize, name: usize, colour: usize, delete: bool) {
    let path = format!("/api/v1/namespaces/{}/configmaps", NAMESPACES[namespace]);
    let labels = match COLOURS[colour] {
        "" => json!({}),
        colour => json!({"colour": colour}),
    };
    let object = config_map(&format!("c{name}"), labels);
    let one = format!("{path}/c{name}");
    if delete {
        assert!([200, 404].contains(&server.delete(&one).await.code));
        return;
    }
    let reply = server.put(&one, &object).await;
    if reply.code == 404 {
        server.post(&path, &object).await.expect(201);
    } else {
        reply.expect(200);
    }
}

fn open(dir: &Path, ring_events: usize) -> store::Store {
    store::Store::open(dir, store::Options { ring_events, ..store::Options::default() }).unwrap()
}

async fn run(steps: Vec<Step>, ring_events: usize, limit: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), ring_events);
    let mut server = Server::on(store.clone());
    let mut readers: Vec<Reader> = (0..VIEWS.len() * 2).map(|index| Reader::new(index, limit)).collect();
    for step in steps {
        match step {
            Step::Write { namespace, name, colour, delete } => write(&server, namespace, name, colour, delete).await,
            Step::Read(index) => {
                readers[index].step(&server).await;
            }
            Step::Break(index) => broken(&mut readers[index]),
            Step::Restart => {
                readers.iter_mut().for_each(broken);
                store.close().await;
                drop((server, store));
                store = open(dir.path(), ring_events);
                server = Server::on(store.clone());
            }
        }
    }
    for reader in &mut readers {
        reader.settle(&server).await;
    }
    store.close().await;
}

/// A reader goes on from what it knows; a list that was not finished is begun again.
fn broken(reader: &mut Reader) {
    reader.state = match reader.state {
        State::Watching(_) | State::Listed => State::Listed,
        State::Nothing | State::Listing(..) | State::Streaming(..) => State::Nothing,
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn whoever_lists_and_watches_ends_with_the_servers_state(
        steps in prop::collection::vec(step(), 1..160),
        ring_events in prop::sample::select(vec![2usize, 8, 1_000]),
        limit in prop::sample::select(vec![1usize, 2, 0]),
    ) {
        // The store's writer is a real thread, so time is real; nothing here waits for it to pass.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps, ring_events, limit));
    }
}
