//! `/livez`, `/readyz`, `/healthz` and their single checks (K:apiserver/pkg/server/healthz).

use crate::query::Query;
use crate::respond::Answer;
use crate::server::ApiServer;
use http::{HeaderName, HeaderValue, StatusCode};
use std::time::Duration;

/// A store that has not answered an empty transaction by then hangs.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// One check: what it is called, and the name that probes written for a cluster know it by.
struct Check {
    name: &'static str,
    cluster_name: &'static str,
    probe: Probe,
}

#[derive(Clone, Copy)]
enum Probe {
    /// That there is an answer is the answer.
    Ping,
    /// The store's writer takes transactions.
    Store,
    /// Everything that has to be there before clients come is there.
    Started,
    /// The server is not ending.
    Staying,
}

const PING: Check = Check { name: "ping", cluster_name: "ping", probe: Probe::Ping };
/// Logs are written by whoever logs: there is no queue that could block, so this one says as much as `ping`.
const LOG: Check = Check { name: "log", cluster_name: "log", probe: Probe::Ping };
const STORE: Check = Check { name: "store", cluster_name: "etcd", probe: Probe::Store };
const STORE_READY: Check = Check { name: "store-readiness", cluster_name: "etcd-readiness", probe: Probe::Store };
const STARTED: Check = Check { name: "startup", cluster_name: "informer-sync", probe: Probe::Started };
const STAYING: Check = Check { name: "shutdown", cluster_name: "shutdown", probe: Probe::Staying };

fn checks(endpoint: &str) -> &'static [Check] {
    match endpoint {
        "readyz" => &[PING, LOG, STORE, STORE_READY, STARTED, STAYING],
        _ => &[PING, LOG, STORE],
    }
}

/// Answers `/ENDPOINT` (no `check`) or `/ENDPOINT/CHECK`; `None` when there is no such check.
pub(crate) async fn answer(server: &ApiServer, endpoint: &str, check: &str, query: &Query) -> Option<Answer> {
    if !check.is_empty() {
        let check = checks(endpoint).iter().find(|known| [known.name, known.cluster_name].contains(&check))?;
        return Some(match probe(server, check.probe).await {
            Ok(()) => text(StatusCode::OK, "ok"),
            Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {why}\n")),
        });
    }
    let mut excluded: Vec<&str> = query.all("exclude").collect();
    let (mut lines, mut failed) = (String::new(), false);
    for check in checks(endpoint) {
        let n_before = excluded.len();
        excluded.retain(|name| ![check.name, check.cluster_name].contains(name));
        if excluded.len() < n_before {
            lines += &format!("[+]{} excluded: ok\n", check.name);
            continue;
        }
        match probe(server, check.probe).await {
            Ok(()) => lines += &format!("[+]{} ok\n", check.name),
            Err(why) => {
                // Everybody may ask; why is for those who may read the log or the single check.
                lines += &format!("[-]{} failed: reason withheld\n", check.name);
                tracing::debug!(endpoint, check = check.name, why, "health check failed");
                failed = true;
            }
        }
    }
    if !excluded.is_empty() {
        excluded.sort_unstable();
        excluded.dedup();
        let names: Vec<String> = excluded.into_iter().map(meta::field::quote).collect();
        lines += &format!("warn: some health checks cannot be excluded: no matches for {}\n", names.join(","));
    }
    Some(match (failed, query.get("verbose")) {
        (true, _) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{endpoint} check failed\n")),
        (false, Some(_)) => text(StatusCode::OK, format!("{lines}{endpoint} check passed\n")),
        (false, None) => text(StatusCode::OK, "ok"),
    })
}

async fn probe(server: &ApiServer, probe: Probe) -> Result<(), String> {
    match probe {
        Probe::Ping => Ok(()),
        Probe::Store => match tokio::time::timeout(STORE_PATIENCE, server.store.commit(store::Txn::default())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the store's writer does not answer".into()),
        },
        Probe::Started if server.is_ready() => Ok(()),
        Probe::Started => Err("kiln is still starting".into()),
        Probe::Staying if server.stop.is_cancelled() => Err("process is shutting down".into()),
        Probe::Staying => Ok(()),
    }
}

fn text(code: StatusCode, body: impl Into<bytes::Bytes>) -> Answer {
    let mut answer = Answer::text(code, body);
    let options = HeaderName::from_static("x-content-type-options");
    answer.headers.push((options, HeaderValue::from_static("nosniff")));
    answer
}
