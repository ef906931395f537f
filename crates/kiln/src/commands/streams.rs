//! Follows what the containers of a Job's pods print, each run of each container once.

use std::collections::HashSet;

use futures::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::calls::{self, Refusal};
use super::verdict;
use crate::output::Problem;

/// Lines that are read before somebody prints them. A log is read no faster than its reader takes it.
pub const LINES_AHEAD: usize = 256;

/// One line of a container's output.
pub struct Line {
    /// Of stderr, where the two are told apart.
    pub is_stderr: bool,
    /// What stands before it.
    pub prefix: Option<String>,
    /// With its newline, if it has one.
    pub bytes: Vec<u8>,
}

/// What is read of a container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Both streams in the order in which they were written.
    Together,
    /// Each by itself; their order is lost.
    Apart,
}

/// Followers of containers.
pub struct Followers {
    client: kube::Client,
    namespace: String,
    output: Output,
    /// More of the query: `timestamps`, `sinceSeconds`, …
    options: Vec<(&'static str, String)>,
    lines: Sender<Line>,
    /// pod, container, restart count
    seen: HashSet<(String, String, i32)>,
    tasks: JoinSet<Result<(), Problem>>,
}

impl Followers {
    /// Nobody is followed yet. Lines go to `lines`, which closes when all followers are dropped and have ended.
    pub fn new(
        client: kube::Client,
        namespace: String,
        output: Output,
        options: Vec<(&'static str, String)>,
        lines: Sender<Line>,
    ) -> Self {
        Self { client, namespace, output, options, lines, seen: HashSet::new(), tasks: JoinSet::new() }
    }

    /// What starts from now on is followed from its first line: `tailLines` speaks of what was there before.
    pub fn begins_are_wanted(&mut self) {
        self.options.retain(|(key, _)| *key != "tailLines");
    }

    /// Follows the containers that have started since, of those that are wanted. `prefix` is for a pod's and a container's lines.
    pub fn follow_started<'a>(
        &mut self,
        pods: impl IntoIterator<Item = &'a Pod>,
        is_wanted: impl Fn(&Pod, &str) -> bool,
        prefix: impl Fn(&Pod, &str) -> Option<String>,
    ) {
        for pod in pods {
            for status in verdict::statuses(pod) {
                let state = status.state.as_ref();
                let has_started = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
                let name = pod.metadata.name.clone().unwrap_or_default();
                if !has_started || !is_wanted(pod, &status.name) {
                    continue;
                }
                if self.seen.insert((name.clone(), status.name.clone(), status.restart_count)) {
                    self.follow(&name, &status.name, prefix(pod, &status.name));
                }
            }
        }
    }

    fn follow(&mut self, pod: &str, container: &str, prefix: Option<String>) {
        let streams: &[&str] = match self.output {
            Output::Together => &[""],
            Output::Apart => &["Stdout", "Stderr"],
        };
        for stream in streams {
            let mut query = vec![("container", container), ("follow", "true"), ("stream", stream)];
            query.extend(self.options.iter().map(|(key, value)| (*key, value.as_str())));
            let path = calls::path(&format!("/api/v1/namespaces/{}/pods/{pod}/log", self.namespace), &query);
            let (client, lines, prefix) = (self.client.clone(), self.lines.clone(), prefix.clone());
            let is_stderr = *stream == "Stderr";
            self.tasks.spawn(async move {
                let log = calls::stream(&client, &path, "*/*").await.map_err(Refusal::problem)?;
                forward(std::pin::pin!(log), is_stderr, prefix, lines).await
            });
        }
    }

    /// Lets go of the senders: lines end when the containers do. The tasks go on until they are dropped.
    pub fn finish(self) -> JoinSet<Result<(), Problem>> {
        self.tasks
    }
}

/// What kept followers from reading a log to its end. Waits for all of them.
pub async fn problems(tasks: JoinSet<Result<(), Problem>>) -> Vec<Problem> {
    tasks.join_all().await.into_iter().filter_map(Result::err).collect()
}

async fn forward(
    mut log: impl AsyncBufRead + Unpin,
    is_stderr: bool,
    prefix: Option<String>,
    lines: Sender<Line>,
) -> Result<(), Problem> {
    loop {
        let mut bytes = Vec::new();
        let read = log.read_until(b'\n', &mut bytes).await;
        let n_read = read.map_err(|error| Problem::internal("lost a log before its end").because(error))?;
        // Nobody to print it is an end as well.
        if n_read == 0 || lines.send(Line { is_stderr, prefix: prefix.clone(), bytes }).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_is_read_no_faster_than_it_is_printed() {
        let text = "line\n".repeat(10 * LINES_AHEAD);
        let (lines, mut printed) = tokio::sync::mpsc::channel(LINES_AHEAD);
        let mut log = futures::io::Cursor::new(text.clone());
        let mut reading = Box::pin(tokio::task::unconstrained(forward(&mut log, false, None, lines)));
        assert!(futures::poll!(&mut reading).is_pending());
        assert_eq!(printed.len(), LINES_AHEAD);
        let mut seen = Vec::new();
        let print = async {
            while let Some(line) = printed.recv().await {
                seen.extend(line.bytes);
            }
        };
        let (read, ()) = tokio::join!(reading, print);
        assert!(read.is_ok());
        assert_eq!(String::from_utf8(seen).unwrap(), text);
    }
}
