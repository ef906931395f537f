//! Follows the containers of several pods, or all of one, from their first line on: those that have yet to start too.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};

use super::choose::{self, Containers};
use super::{Arguments, copy, job};
use crate::commands::objects::innermost;
use crate::commands::session::Session;
use crate::commands::streams::{self, Followers, LINES_AHEAD, Output};
use crate::commands::verdict;
use crate::commands::writes::Failures;
use crate::output::{Exit, Problem};

/// Pods by their uid.
type Known = BTreeMap<String, Pod>;

/// Until every container that is meant has ended, or it is known that it does not start.
pub(super) async fn follow(
    pods: Vec<Pod>,
    arguments: &Arguments,
    containers: Containers<'_>,
    session: &Session,
) -> Result<Exit, Problem> {
    let (lines, mut printed) = tokio::sync::mpsc::channel(LINES_AHEAD);
    let (client, namespace) = (session.client.clone(), session.namespace.clone());
    let mut followers = Followers::new(client, namespace, Output::Together, arguments.options(), lines);
    let prefix = |pod: &Pod, container: &str| arguments.prefix.then(|| choose::prefix(pod, container));
    let is_wanted = |pod: &Pod, container: &str| choose::is_wanted(pod, container, containers);

    let api: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
    let mut events = watcher(api, watched(&pods, arguments)).default_backoff().boxed();
    let mut known: Known = pods.into_iter().map(|pod| (uid(&pod), pod)).collect();
    let (mut told, mut listed) = (false, BTreeSet::new());
    followers.follow_started(known.values(), is_wanted, prefix);
    followers.begins_are_wanted();
    while known.values().any(|pod| is_to_come(pod, containers)) {
        tokio::select! {
            Some(line) = printed.recv() => job::print_line(&line)?,
            event = events.try_next() => match event {
                Ok(Some(event)) => {
                    take_in(event, &mut known, &mut listed);
                    followers.follow_started(known.values(), is_wanted, prefix);
                }
                Ok(None) => break,
                Err(error) if !std::mem::replace(&mut told, true) => {
                    eprintln!("warning: lost the server, trying again: {}", innermost(&error));
                }
                Err(_) => {}
            },
        }
    }
    let tasks = followers.finish();
    while let Some(line) = printed.recv().await {
        job::print_line(&line)?;
    }
    let mut failures = Failures::default();
    for problem in streams::problems(tasks).await {
        failures.keep::<()>(Err(problem));
    }
    for pod in known.values() {
        for container in hopeless(pod, containers) {
            // The server says why it does not start.
            failures.keep(copy(pod, &container, prefix(pod, &container), arguments, session).await);
        }
    }
    failures.end()
}

fn watched(pods: &[Pod], arguments: &Arguments) -> watcher::Config {
    match (&arguments.selector, pods) {
        (Some(selector), _) => watcher::Config::default().labels(selector),
        (None, pods) => {
            let name = pods.first().and_then(|pod| pod.metadata.name.as_deref()).unwrap_or_default();
            watcher::Config::default().fields(&format!("metadata.name={name}"))
        }
    }
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

/// Pods that come later are not followed: they are others than those that were meant.
fn take_in(event: watcher::Event<Pod>, known: &mut Known, listed: &mut BTreeSet<String>) {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitDone => known.retain(|uid, _| listed.contains(uid)),
        watcher::Event::Delete(pod) => drop(known.remove(&uid(&pod))),
        watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => {
            listed.insert(uid(&pod));
            if let Some(old) = known.get_mut(&uid(&pod)) {
                *old = pod;
            }
        }
    }
}

/// Whether a container that is meant may yet start for the first time.
fn is_to_come(pod: &Pod, containers: Containers<'_>) -> bool {
    let n_waiting = waiting(pod, containers).len();
    !is_over(pod) && hopeless(pod, containers).len() < n_waiting
}

/// Containers that wait, and for nothing that would come by itself.
fn hopeless(pod: &Pod, containers: Containers<'_>) -> Vec<String> {
    if is_over(pod) {
        return Vec::new();
    }
    let inits = pod.status.as_ref().and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let is_held_up = inits.iter().any(verdict::is_stuck);
    let is_stuck =
        |name: &String| verdict::statuses(pod).any(|status| status.name == *name && verdict::is_stuck(status));
    waiting(pod, containers).into_iter().filter(|name| is_held_up || is_stuck(name)).collect()
}

/// Those that are meant and have never run.
fn waiting(pod: &Pod, containers: Containers<'_>) -> Vec<String> {
    let has_run = |status: &ContainerStatus| {
        let is_first = status.restart_count == 0;
        let waits = status.state.as_ref().is_none_or(|state| state.running.is_none() && state.terminated.is_none());
        !(is_first && waits)
    };
    let chosen = choose::containers(pod, containers).map(|(names, _)| names).unwrap_or_default();
    let runs = |name: &String| verdict::statuses(pod).any(|status| status.name == *name && has_run(status));
    chosen.into_iter().filter(|name| !runs(name)).collect()
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(phase: &str, init: Value, main: Value) -> Pod {
        let status = |name: &str, state: Value| json!({ "name": name, "state": state, "restartCount": 0, "ready": false, "image": "x", "imageID": "" });
        serde_json::from_value(json!({ "metadata": { "name": "p", "uid": "u" },
            "spec": { "initContainers": [{ "name": "init" }], "containers": [{ "name": "main" }] },
            "status": { "phase": phase, "initContainerStatuses": [status("init", init)], "containerStatuses": [status("main", main)] } }))
        .unwrap()
    }

    #[test]
    fn what_has_yet_to_start_is_awaited_unless_it_never_will() {
        let runs = || json!({ "running": {} });
        let ended = || json!({ "terminated": { "exitCode": 0 } });
        let waits = |reason: &str| json!({ "waiting": { "reason": reason } });
        for (phase, init, main, is_awaited, never) in [
            ("Pending", runs(), waits("PodInitializing"), true, &[][..]),
            ("Pending", json!({}), json!({}), true, &[]),
            ("Running", ended(), runs(), false, &[]),
            ("Pending", ended(), waits("ImagePullBackOff"), false, &["main"]),
            ("Pending", waits("ErrImagePull"), waits("PodInitializing"), false, &["init", "main"]),
            ("Pending", ended(), waits("ContainerCreating"), true, &[]),
            ("Failed", ended(), waits("PodInitializing"), false, &[]),
        ] {
            let pod = pod(phase, init, main);
            assert_eq!(is_to_come(&pod, Containers::All), is_awaited, "{:?}", pod.status);
            assert_eq!(hopeless(&pod, Containers::All), never, "{:?}", pod.status);
        }
        let only_main = pod("Pending", waits("ErrImagePull"), waits("PodInitializing"));
        assert_eq!(hopeless(&only_main, Containers::Default), ["main"]);
    }

    #[test]
    fn who_is_deleted_is_not_awaited_and_who_comes_later_is_not_followed() {
        let with_uid = |uid: &str| {
            let mut pod = pod("Pending", json!({}), json!({}));
            pod.metadata.uid = Some(uid.into());
            pod
        };
        let mut known: Known = ["a", "b"].map(|uid| (uid.to_owned(), with_uid(uid))).into();
        let mut listed = BTreeSet::new();
        take_in(watcher::Event::Init, &mut known, &mut listed);
        take_in(watcher::Event::InitApply(with_uid("a")), &mut known, &mut listed);
        take_in(watcher::Event::InitApply(with_uid("c")), &mut known, &mut listed);
        take_in(watcher::Event::InitDone, &mut known, &mut listed);
        assert_eq!(known.keys().collect::<Vec<_>>(), ["a"]);
        take_in(watcher::Event::Delete(with_uid("a")), &mut known, &mut listed);
        assert!(known.is_empty());
    }
}
