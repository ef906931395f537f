//! `kiln exec` and `kiln attach`: a program's input and output in a container that runs, with a terminal if one is wanted.

use std::io::{IsTerminal, Read, Write};

use futures::SinkExt;
use futures::channel::mpsc::Sender;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, ListParams, TerminalSize};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::calls::Refusal;
use super::completion;
use super::logs::choose::{self, Containers};
use super::objects::{self, kind_named};
use super::session::{Place, Session};
use crate::output::{Exit, Problem};

const PIECE: usize = 16 * 1024;

/// Run a program in a container
#[derive(Debug, clap::Args)]
pub struct Exec {
    #[command(flatten)]
    whom: Whom,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD", required = true)]
    command: Vec<String>,
}

/// See what a container prints, and write to it
#[derive(Debug, clap::Args)]
pub struct Attach {
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// A pod, or TYPE/NAME: pod/x, job/x (a pod of it that runs)
    #[arg(value_name = "POD", add = completion::of_pods())]
    pod: String,
    /// This container [default: the first, or that of the annotation kubectl.kubernetes.io/default-container]
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give it a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// Say nothing but what the program says
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
}

/// Ends with the program's exit code.
pub async fn exec(arguments: Exec) -> Result<Exit, Problem> {
    let target = arguments.whom.find("exec into", false).await?;
    let process = target.api.exec(&target.pod, arguments.command, &target.parameters).await;
    talk(process.map_err(|error| Refusal::from(error).problem())?, &target.parameters).await
}

/// Ends with the container, or when somebody interrupts.
pub async fn attach(arguments: Attach) -> Result<Exit, Problem> {
    let target = arguments.whom.find("attach to", true).await?;
    if !target.is_quiet && target.parameters.tty {
        eprintln!("If you don't see a command prompt, try pressing enter.");
    }
    let process = target.api.attach(&target.pod, &target.parameters).await;
    talk(process.map_err(|error| Refusal::from(error).problem())?, &target.parameters).await
}

/// Who is talked to, and how.
struct Target {
    api: Api<Pod>,
    pod: String,
    parameters: AttachParams,
    is_quiet: bool,
}

impl Whom {
    async fn find(&self, doing: &str, is_attach: bool) -> Result<Target, Problem> {
        let session = self.place.connect().await?;
        let api: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
        let pod = pod(&self.pod, &api, &session).await?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
        if matches!(phase, "Succeeded" | "Failed") {
            let text = format!("cannot {doing} a container in a completed pod; current phase is {phase}");
            return Err(Problem::failed(text).remedy("kiln logs shows what it has printed"));
        }
        let (container, note) = choose(&pod, self.container.as_deref())?;
        if let (Some(note), false) = (&note, self.quiet) {
            eprintln!("{note}");
        }
        let has_terminal = self.has_terminal(is_attach.then(|| has_tty(&pod, &container)), &container);
        // A terminal has one output.
        let parameters = AttachParams::default().stdin(self.stdin).stdout(true).stderr(!has_terminal);
        let parameters = parameters.tty(has_terminal).container(container);
        Ok(Target { api, pod: pod.metadata.name.unwrap_or_default(), parameters, is_quiet: self.quiet })
    }
}

impl Whom {
    /// Whether what is passed on is a terminal's. Who attaches takes what the container has; a terminal that nobody types at is none.
    fn has_terminal(&self, of_container: Option<bool>, container: &str) -> bool {
        let say = |text: &str| {
            if !self.quiet {
                eprintln!("{text}");
            }
        };
        match of_container {
            Some(false) if self.tty => {
                say(&format!("error: Unable to use a TTY - container {container} did not allocate one"));
                return false;
            }
            Some(false) => return false,
            Some(true) => {}
            None if !self.tty => return false,
            None => {}
        }
        let is_typed_at = self.stdin && std::io::stdin().is_terminal();
        if self.tty && self.stdin && !is_typed_at {
            say("Unable to use a TTY - input is not a terminal or the right kind of file");
        }
        is_typed_at || of_container == Some(true)
    }
}

fn has_tty(pod: &Pod, container: &str) -> bool {
    let containers =
        pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    containers.filter(|of_pod| of_pod.name == container).any(|of_pod| of_pod.tty == Some(true))
}

/// The pod that a word names.
async fn pod(word: &str, api: &Api<Pod>, session: &Session) -> Result<Pod, Problem> {
    let (kind, name) = match word.split_once('/') {
        None => ("Pod", word),
        Some((kind, name)) => (kind_named(kind)?.names().kind, name),
    };
    objects::check_name(name)?;
    let refused = |error: kube::Error| Refusal::from(error).problem();
    match kind {
        "Pod" => api.get(name).await.map_err(refused),
        "Job" => {
            let job = session.path(kind_named("jobs")?, name)?;
            super::calls::get(&session.client, &job).await.map_err(Refusal::problem)?;
            let chosen = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
            let pods = api.list(&chosen).await.map_err(refused)?.items;
            let runs = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
            pods.into_iter().find(runs).ok_or_else(|| {
                Problem::failed(format!("no pod of job/{name} runs"))
                    .remedy(format!("kiln get pods -l job-name={name}"))
            })
        }
        other => Err(Problem::usage(format!("a {other} has no containers")).remedy("name a pod, or a Job: job/NAME")),
    }
}

/// The container that is meant, and a word about a choice among several.
fn choose(pod: &Pod, wanted: Option<&str>) -> Result<(String, Option<String>), Problem> {
    let (names, note) = choose::containers(pod, wanted.map_or(Containers::Default, Containers::Named))?;
    let name = names.into_iter().next().ok_or_else(|| Problem::failed("the pod has no containers"))?;
    Ok((name, note))
}

/// Passes everything on until the program has ended.
async fn talk(mut process: AttachedProcess, parameters: &AttachParams) -> Result<Exit, Problem> {
    let raw = (parameters.tty && parameters.stdin).then(RawTerminal::enter).flatten();
    let resized = process.terminal_size();
    let sizes = async {
        match resized.filter(|_| parameters.tty) {
            Some(sizes) => tell_sizes(sizes).await,
            None => std::future::pending().await,
        }
    };
    let input = process.stdin();
    let feed = async {
        if let Some(input) = input {
            pass_input_on(input).await;
        }
        std::future::pending::<()>().await;
    };
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let outputs = async { tokio::try_join!(copy(stdout, std::io::stdout()), copy(stderr, std::io::stderr())) };
    let status = process.take_status();
    let end = async {
        // Who has closed our output has seen enough (`| head`).
        outputs.await.ok()?;
        Some(match status {
            Some(status) => status.await,
            None => None,
        })
    };
    let status = tokio::select! {
        status = end => status,
        () = feed => None,
        () = sizes => None,
        code = told_to_end() => return Err(Problem::silent(Exit::Container(code))),
    };
    drop(raw);
    match status {
        Some(status) => ended(status.as_ref()),
        None => Ok(Exit::Success),
    }
}

/// The exit code for a signal that would otherwise leave the terminal as no shell wants it.
async fn told_to_end() -> u8 {
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => 128 + 15,
        _ = hangup.recv() => 128 + 1,
    }
}

/// What the program's end means for ours.
fn ended(status: Option<&Status>) -> Result<Exit, Problem> {
    let Some(status) = status else {
        return Err(Problem::internal("the connection ended before the program did")
            .remedy("look whether the server still runs"));
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(Exit::Success);
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let code = causes
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_deref());
    match code.and_then(|code| code.parse::<u8>().ok()) {
        Some(code) => {
            eprintln!("command terminated with exit code {code}");
            Ok(Exit::Container(code))
        }
        None => Err(Problem::failed(status.message.clone().unwrap_or_else(|| "the program could not be run".into()))),
    }
}

async fn copy(from: Option<impl AsyncRead + Unpin>, mut to: impl Write) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        to.write_all(&piece[..length]).and_then(|()| to.flush())?;
    }
    Ok(())
}

/// Until its end, which is the program's too.
async fn pass_input_on(mut to: impl AsyncWrite + Unpin) {
    let (send, mut pieces) = mpsc::channel::<Vec<u8>>(4);
    // A thread of its own: nobody waits for it when the program has ended and a read still hangs.
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = std::io::stdin().lock().read(&mut piece) {
            if send.blocking_send(piece[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    while let Some(piece) = pieces.recv().await {
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Tells the terminal's size, now and whenever it changes.
async fn tell_sizes(mut sizes: Sender<TerminalSize>) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return std::future::pending().await };
    loop {
        if let Ok(size) = tcgetwinsize(std::io::stdin()) {
            let told = sizes.send(TerminalSize { width: size.ws_col, height: size.ws_row }).await;
            if told.is_err() {
                return std::future::pending().await;
            }
        }
        changes.recv().await;
    }
}

/// A terminal that hands every key on; as it was before once this is dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_program_runs_in_one_container() {
        let pod = |containers: Value| {
            serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"containers": containers}})).unwrap()
        };
        let two = pod(json!([{"name": "a"}, {"name": "b"}]));
        assert_eq!(choose(&two, Some("b")).unwrap(), ("b".into(), None));
        assert_eq!(choose(&two, None).unwrap(), ("a".into(), Some("Defaulted container \"a\" out of: a, b".into())));
        assert_eq!(choose(&pod(json!([])), None).unwrap_err().what, "the pod has no containers");
    }

    #[test]
    fn the_end_is_the_programs_end() {
        let end = |status: Value| ended(Some(&serde_json::from_value(status).unwrap()));
        assert_eq!(end(json!({"status": "Success"})).unwrap(), Exit::Success);
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}});
        assert_eq!(end(failed).unwrap(), Exit::Container(7));
        let refused = json!({"status": "Failure", "reason": "InternalError", "message": "no such container"});
        assert_eq!(end(refused).unwrap_err().what, "no such container");
        assert_eq!(ended(None).unwrap_err().exit.code(), 125);
    }
}
