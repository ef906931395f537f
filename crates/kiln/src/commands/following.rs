//! Follows a collection: what is there, then every change. A watch that the server ends, or that is lost with it, is begun again
//! where it was; where the server has forgotten that point, all is listed again, and what has changed meanwhile is told.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{AsyncBufRead, AsyncBufReadExt};
use kinds::Kind;
use serde_json::Value;

use super::calls::{self, Refusal};
use super::objects::{self, innermost};
use crate::output::Problem;

/// Before a watch is begun again; doubled each time that one ends early, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A watch that lasted this long did not end early.
const STEADY: Duration = Duration::from_secs(10);
const GONE: u64 = 410;

/// What is followed.
pub struct Collection<'a> {
    /// Whose it is.
    pub client: &'a kube::Client,
    /// Of what.
    pub kind: &'static dyn Kind,
    /// `/apis/batch/v1/namespaces/default/jobs`
    pub path: String,
    /// Selectors.
    pub query: Vec<(&'static str, String)>,
    /// [`calls::JSON`], or [`calls::TABLE`]: then the items are rows.
    pub accept: &'static str,
}

/// An item that has changed.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub what: String,
    /// The object, or its row.
    pub item: Value,
}

/// A collection on its way.
pub struct Follower<'a> {
    collection: Collection<'a>,
    /// Of a table, as last told.
    pub columns: Value,
    revision: String,
    /// As last seen, by uid: what has changed while nobody watched is found beside it.
    known: HashMap<String, Value>,
    ready: VecDeque<Change>,
    watch: Option<Watch>,
    pause: Option<Duration>,
    is_told: bool,
}

struct Watch {
    lines: Pin<Box<dyn AsyncBufRead>>,
    begun: Instant,
}

impl Collection<'_> {
    fn with(&self, extra: &[(&'static str, &str)]) -> String {
        let own = self.query.iter().map(|(key, value)| (*key, value.as_str()));
        calls::path(&self.path, &own.chain(extra.iter().copied()).collect::<Vec<_>>())
    }
}

impl<'a> Follower<'a> {
    /// Looks at what is there.
    pub async fn begin(collection: Collection<'a>) -> Result<(Self, Vec<Value>), Problem> {
        let (columns, revision, known) = (Value::Null, String::new(), HashMap::new());
        let (ready, watch, pause, is_told) = (VecDeque::new(), None, None, false);
        let mut follower = Self { collection, columns, revision, known, ready, watch, pause, is_told };
        let items = follower.list().await.map_err(Refusal::problem)??;
        follower.known = items.iter().map(|item| (identity(item), item.clone())).collect();
        Ok((follower, items))
    }

    async fn list(&mut self) -> Result<Result<Vec<Value>, Problem>, Refusal> {
        let Collection { client, kind, accept, .. } = self.collection;
        let mut answer = calls::json(client, "GET", &self.collection.with(&[]), accept, calls::EMPTY).await?;
        self.revision = version(&answer).to_owned();
        self.take_columns(&mut answer);
        Ok(match rows(&mut answer) {
            Some(rows) => Ok(rows),
            None => objects::items(kind, answer),
        })
    }

    fn take_columns(&mut self, table: &mut Value) {
        if let Some(columns) = table.get_mut("columnDefinitions").filter(|columns| columns.is_array()) {
            self.columns = columns.take();
        }
    }

    /// The next change. It ends only with what the server refuses for good, or says in words that are not to be understood.
    pub async fn next(&mut self) -> Result<Change, Problem> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let Some(watch) = &mut self.watch else {
                self.resume().await?;
                continue;
            };
            let mut line = String::new();
            match watch.lines.read_line(&mut line).await {
                Ok(0) => self.end(None),
                Ok(_) => self.take_in(&line).await?,
                Err(error) => self.end(Some(innermost(&error).to_string())),
            }
        }
    }

    /// The watch is over; the next one waits the longer the shorter this one was.
    fn end(&mut self, lost: Option<String>) {
        let lasted = self.watch.take().map_or(Duration::ZERO, |watch| watch.begun.elapsed());
        self.pause = Some(pause(self.pause, lasted));
        if let Some(cause) = lost
            && !std::mem::replace(&mut self.is_told, true)
        {
            eprintln!("warning: lost the server, trying again: {cause}");
        }
    }

    async fn resume(&mut self) -> Result<(), Problem> {
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
        }
        let of_watch = [("watch", "true"), ("resourceVersion", &*self.revision), ("allowWatchBookmarks", "true")];
        let path = self.collection.with(&of_watch);
        match calls::stream(self.collection.client, &path, self.collection.accept).await {
            Ok(lines) => {
                self.watch = Some(Watch { lines: Box::pin(lines), begun: Instant::now() });
                Ok(())
            }
            Err(refusal) => self.refused(refusal).await,
        }
    }

    async fn refused(&mut self, refusal: Refusal) -> Result<(), Problem> {
        match refusal {
            Refusal::Status(status) if u64::from(status.code) == GONE => self.relist().await,
            refusal => self.bear(refusal),
        }
    }

    /// What may pass is waited for: it is overwhelmed, on its way up or down, or not there.
    fn bear(&mut self, refusal: Refusal) -> Result<(), Problem> {
        let cause = match refusal {
            Refusal::Status(status) if status.code == 429 || 500 <= status.code => status.message,
            Refusal::NoAnswer(cause) => cause,
            refusal => return Err(refusal.problem()),
        };
        self.end(Some(cause));
        Ok(())
    }

    /// The server does not know any more what has happened since: what is there tells it.
    async fn relist(&mut self) -> Result<(), Problem> {
        self.end(None);
        match self.list().await {
            Ok(items) => {
                self.ready.extend(changes(&mut self.known, items?));
                Ok(())
            }
            Err(refusal) => self.bear(refusal),
        }
    }

    /// A line of a watch.
    async fn take_in(&mut self, line: &str) -> Result<(), Problem> {
        let unreadable = |error| Problem::internal("the server's answer is unreadable").because(error);
        let event: Value = serde_json::from_str(line).map_err(unreadable)?;
        let Value::Object(mut event) = event else { return Err(objects::unreadable(&event)) };
        let what = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut object = event.remove("object").unwrap_or_default();
        if !object.is_object() {
            return Err(objects::unreadable(&object));
        }
        if what == "ERROR" {
            if object["code"] == GONE {
                return self.relist().await;
            }
            let message = object["message"].as_str().unwrap_or("the watch has failed");
            return Err(Problem::failed(message.to_owned()));
        }
        self.is_told = false;
        self.take_columns(&mut object);
        let items = rows(&mut object).unwrap_or_else(|| vec![object.clone()]);
        let versions = items.iter().chain([&object]).map(version);
        if let Some(version) = versions.into_iter().find(|version| !version.is_empty()) {
            version.clone_into(&mut self.revision);
        }
        for item in items.into_iter().filter(|_| what != "BOOKMARK") {
            match what.as_str() {
                "DELETED" => drop(self.known.remove(&identity(&item))),
                _ => drop(self.known.insert(identity(&item), item.clone())),
            }
            self.ready.push_back(Change { what: what.clone(), item });
        }
        Ok(())
    }
}

/// How long to wait after a watch that lasted so long, and after the pause before it.
fn pause(before: Option<Duration>, lasted: Duration) -> Duration {
    match before {
        Some(before) if lasted < STEADY => LONGEST_PAUSE.min(before * 2),
        _ => FIRST_PAUSE,
    }
}

/// The rows of a table.
fn rows(table: &mut Value) -> Option<Vec<Value>> {
    match table.get_mut("rows")?.take() {
        Value::Array(rows) => Some(rows),
        _ => (table["kind"] == "Table").then(Vec::new),
    }
}

/// An object's own, or that of a row's object.
fn metadata(item: &Value) -> &Value {
    item.pointer("/object/metadata").unwrap_or(&item["metadata"])
}

fn version(item: &Value) -> &str {
    metadata(item)["resourceVersion"].as_str().unwrap_or_default()
}

fn identity(item: &Value) -> String {
    let text = |field: &str| metadata(item)[field].as_str().unwrap_or_default();
    match text("uid") {
        "" => format!("{}/{}", text("namespace"), text("name")),
        uid => uid.to_owned(),
    }
}

/// What has become of what was known; afterwards `known` is what there is.
fn changes(known: &mut HashMap<String, Value>, items: Vec<Value>) -> Vec<Change> {
    let mut before = std::mem::take(known);
    let mut changes = Vec::new();
    for item in items {
        let what = match before.remove(&identity(&item)) {
            None => Some("ADDED"),
            Some(old) => (version(&old) != version(&item)).then_some("MODIFIED"),
        };
        known.insert(identity(&item), item.clone());
        changes.extend(what.map(|what| Change { what: what.into(), item }));
    }
    changes.extend(before.into_values().map(|item| Change { what: "DELETED".into(), item }));
    changes
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;
    use serde_json::json;

    fn object(name: &str, version: u32) -> Value {
        json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": name, "uid": name, "resourceVersion": version.to_string() } })
    }

    fn event(what: &str, object: Value) -> String {
        json!({ "type": what, "object": object }).to_string() + "\n"
    }

    /// A server that gives these answers, one a request, closes after each, and tells what it was asked.
    fn server(answers: Vec<(u16, String)>) -> (kube::Client, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (code, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                asked.push(head[0].split(' ').nth(1).unwrap().to_owned());
                let length = body.len();
                write!(stream, "HTTP/1.1 {code} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
            }
            asked
        });
        let client = kube::Client::try_from(kube::Config::new(format!("http://{address}").parse().unwrap())).unwrap();
        (client, asked)
    }

    fn collection(client: &kube::Client) -> Collection<'_> {
        let kind = objects::kind_named("cm").unwrap();
        Collection { client, kind, path: "/api/v1/configmaps".into(), query: Vec::new(), accept: calls::JSON }
    }

    fn list(version: u32, items: &[Value]) -> (u16, String) {
        (200, json!({ "metadata": { "resourceVersion": version.to_string() }, "items": items }).to_string())
    }

    #[tokio::test]
    async fn a_watch_goes_on_where_it_ended_and_lists_again_what_is_forgotten() {
        let (client, asked) = server(vec![
            list(5, &[object("a", 4), object("b", 5)]),
            (
                200,
                event("MODIFIED", object("a", 6))
                    + &event("BOOKMARK", json!({ "metadata": { "resourceVersion": "9" } })),
            ),
            (503, String::new()),
            (200, event("ERROR", json!({ "code": 410, "message": "too old" }))),
            list(20, &[object("a", 12), object("c", 13)]),
            (410, json!({ "kind": "Status", "status": "Failure", "code": 410, "message": "too old" }).to_string()),
            list(30, &[object("a", 12)]),
            (403, json!({ "kind": "Status", "status": "Failure", "code": 403, "message": "no more" }).to_string()),
        ]);
        let (mut follower, items) = Follower::begin(collection(&client)).await.unwrap();
        assert_eq!(items.len(), 2);
        let mut seen = Vec::new();
        let end = loop {
            match follower.next().await {
                Ok(Change { what, item }) => seen.push(format!("{what} {}", identity(&item))),
                Err(problem) => break problem,
            }
        };
        assert_eq!(seen, ["MODIFIED a", "MODIFIED a", "ADDED c", "DELETED b", "DELETED c"]);
        assert_eq!((end.what.as_str(), end.exit.code()), ("no more", 1));
        let revisions: Vec<String> = asked
            .join()
            .unwrap()
            .iter()
            .map(|path| {
                path.split("resourceVersion=").nth(1).map_or("list", |rest| rest.split('&').next().unwrap()).to_owned()
            })
            .collect();
        assert_eq!(revisions, ["list", "5", "9", "9", "list", "20", "list", "30"]);
    }

    #[tokio::test]
    async fn odd_changes_are_problems() {
        for line in [r#"{"type":"ADDED","object":"x"}"#, "[]", "x", r#"{"type":"ADDED"}"#] {
            let (client, _) = server(vec![list(1, &[]), (200, format!("{line}\n"))]);
            let (mut follower, _) = Follower::begin(collection(&client)).await.unwrap();
            assert_eq!(follower.next().await.unwrap_err().exit.code(), 125, "{line}");
        }
    }

    #[test]
    fn pauses_grow_while_watches_end_early() {
        let (short, long) = (Duration::from_millis(1), STEADY);
        let milliseconds = |before: Option<u64>, lasted| pause(before.map(Duration::from_millis), lasted).as_millis();
        for (before, lasted, expect) in
            [(None, short, 100), (Some(100), short, 200), (Some(4000), short, 5000), (Some(5000), long, 100)]
        {
            assert_eq!(milliseconds(before, lasted), expect, "{before:?} {lasted:?}");
        }
    }
}
