//! The agent as the API server sees it: the same requests in the agent's own words.

use std::sync::{Arc, OnceLock};

use agent::logs::write::Stream;
use agent::runtime::{Attach, Exec, Streams};
use apiserver::node::{AttachRequest, Connection, ExecRequest, LogRequest, NodeConnection, Output, Session, Target};
use futures::stream::BoxStream;
use meta::status::Status;

/// The agent is made after the API server, since it is a client of it.
#[derive(Default)]
pub struct LateNode(pub OnceLock<Arc<agent::Agent>>);

impl LateNode {
    fn agent(&self) -> Result<&agent::Agent, Box<Status>> {
        self.0.get().map(Arc::as_ref).ok_or_else(|| Box::new(Status::internal("the agent has not started yet")))
    }
}

#[async_trait::async_trait]
impl NodeConnection for LateNode {
    async fn logs(&self, request: LogRequest) -> Result<BoxStream<'static, std::io::Result<bytes::Bytes>>, Status> {
        let request = agent::logs::LogRequest {
            namespace: request.namespace,
            pod: request.pod,
            pod_uid: request.pod_uid,
            container: request.container,
            follow: request.follow,
            previous: request.previous,
            timestamps: request.timestamps,
            tail_lines: request.tail_lines,
            output: request.output.map(|output| match output {
                Output::Stdout => Stream::Stdout,
                Output::Stderr => Stream::Stderr,
            }),
            limit_bytes: request.limit_bytes,
            since: request.since,
        };
        self.agent().map_err(|status| *status)?.logs(request).await
    }

    async fn exec(&self, request: ExecRequest) -> Result<Session, Status> {
        let ExecRequest { target, command, wanted } = request;
        let exec = Exec {
            container: target.container,
            command,
            terminal: wanted.tty,
            stdin: wanted.stdin,
            stdout: wanted.stdout,
            stderr: wanted.stderr,
        };
        self.agent().map_err(|status| *status)?.exec(&target.pod_uid, exec).await.map(session)
    }

    async fn attach(&self, request: AttachRequest) -> Result<Session, Status> {
        let AttachRequest { target, wanted } = request;
        let attach =
            Attach { container: target.container, stdin: wanted.stdin, stdout: wanted.stdout, stderr: wanted.stderr };
        self.agent().map_err(|status| *status)?.attach(&target.pod_uid, attach).await.map(session)
    }

    async fn connect(&self, pod: &Target, port: u16) -> Result<Box<dyn Connection>, String> {
        let agent = self.agent().map_err(|status| status.message)?;
        Ok(Box::new(agent.connect(&pod.pod_uid, port).await?))
    }
}

fn session(streams: Streams) -> Session {
    let Streams { stdin, stdout, stderr, resize, ends_with_input, exit } = streams;
    Session { stdin, stdout, stderr, resize, ends_with_input, end: exit }
}
