//! `kiln up`: a server in the background, and the user's kubeconfig told of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use super::context::Change;
use super::way::{Manager, Service, Way};
use super::{Directory, Ready, Standing, kubeconfig, process, standing, systemd, way};
use crate::output::progress::Progress;
use crate::output::{self, Exit, Problem};
use crate::server::ADMIN_KUBECONFIG;

/// Serve in the background, and tell kubectl of it
///
/// By systemd, where it runs; else as a process of its own. The kubeconfig that the user has gets a context "kiln".
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Address and port of the API; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", env = "KILN_LISTEN", default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
    /// A process of its own even where systemd runs: until the machine is switched off
    #[arg(long)]
    no_systemd: bool,
}

/// Between two looks at whether it answers.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may take to answer; a disk that is slow to recover is given time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who looks after the server that was begun.
enum Keeper {
    Process(Child),
    Unit {
        manager: Manager,
        file: PathBuf,
        name: String,
        /// There was none before.
        is_new: bool,
    },
}

/// Brings it up, unless it is; the context is put right in any case.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let data_dir = arguments.directory.path()?;
    let progress = Progress::on_stderr();
    let (ready, is_new) = match standing(&data_dir).await? {
        Standing::Ready(ready) => (ready, false),
        // Somebody else has begun one a moment ago, or ends one.
        Standing::Silent { .. } => match until_ready(&data_dir, None, &progress).await? {
            Some(ready) => (ready, false),
            None => (brought_up(&arguments, &data_dir, &progress).await?, true),
        },
        Standing::Down => (brought_up(&arguments, &data_dir, &progress).await?, true),
    };
    progress.finish();
    // Before anything is told: whoever reads that may have gone.
    let merged = kubeconfig::merge(&data_dir.join(ADMIN_KUBECONFIG));
    output::print(&told(&ready, &data_dir, is_new))?;
    match merged {
        Ok(done) => output::print(&context_told(&done))?,
        // The server is up all the same.
        Err(problem) => eprint!("{}", problem.render()),
    }
    if is_new {
        output::print("next        kiln demo\n")?;
    }
    Ok(Exit::Success)
}

async fn brought_up(arguments: &Arguments, data_dir: &Path, progress: &Progress) -> Result<Ready, Problem> {
    let keeper = begin(arguments, data_dir)?;
    let ready = until_ready(data_dir, Some(keeper), progress).await?;
    ready.ok_or_else(|| {
        Problem::internal("the server has ended again").remedy("kiln up again, or look with kiln doctor")
    })
}

fn begin(arguments: &Arguments, data_dir: &Path) -> Result<Keeper, Problem> {
    match way(data_dir, arguments.no_systemd) {
        (Way::Process, _) => process::begin(data_dir, arguments.listen).map(Keeper::Process),
        (Way::Unit { manager, file }, name) => {
            let program = process::program()?;
            let service = Service { program: &program, data_dir, listen: arguments.listen };
            let is_new = systemd::begin(manager, &file, &name, &service)?;
            Ok(Keeper::Unit { manager, file, name, is_new })
        }
    }
}

/// `None`: nobody was begun here, and nobody is there any more.
async fn until_ready(
    data_dir: &Path,
    mut keeper: Option<Keeper>,
    progress: &Progress,
) -> Result<Option<Ready>, Problem> {
    progress.wait("starting");
    let begun = tokio::time::Instant::now();
    loop {
        match standing(data_dir).await? {
            Standing::Ready(ready) => return Ok(Some(ready)),
            Standing::Down if keeper.is_none() => return Ok(None),
            Standing::Down | Standing::Silent { .. } => {}
        }
        if let Some(log) = keeper.as_mut().and_then(|keeper| keeper.ended(data_dir)) {
            progress.finish();
            return Err(Problem::internal("the server did not come up")
                .because(format!("it ended; the end of its log:\n{log}"))
                .remedy("do what the log says, or look with kiln doctor; then kiln up again"));
        }
        if PATIENCE <= begun.elapsed() {
            progress.finish();
            return Err(Problem::internal(format!("the server has not answered for {} s", PATIENCE.as_secs()))
                .because(format!("its log is {}", process::log_file(data_dir).display()))
                .remedy("kiln status says whether it does later; kiln down ends it"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Keeper {
    /// The end of the log of one that has ended; nothing keeps it up any more then.
    fn ended(&mut self, data_dir: &Path) -> Option<String> {
        match self {
            Keeper::Process(child) => {
                let has_ended = child.try_wait().is_ok_and(|status| status.is_some());
                has_ended.then(|| process::last_lines(data_dir))
            }
            Keeper::Unit { manager, file, name, is_new } => systemd::has_failed(*manager, name).then(|| {
                let lines = systemd::last_lines(*manager, name);
                // Or it would be tried for ever.
                if *is_new {
                    let _ = systemd::end(*manager, file, name);
                }
                lines
            }),
        }
    }
}

fn told(ready: &Ready, data_dir: &Path, is_new: bool) -> String {
    let up = if is_new { "kiln is up" } else { "kiln was up already" };
    let log = match super::unit_in_use(data_dir) {
        Some((manager, _, name)) => systemd::log_command(manager, &name),
        None => process::log_file(data_dir).display().to_string(),
    };
    format!("{up}: {} (process {})\nkept in     {}\nlog         {log}\n", ready.url, ready.pid, data_dir.display())
}

fn context_told(done: &kubeconfig::Done) -> String {
    let path = done.path.display();
    let change = match done.change {
        Change::Added => format!("context \"kiln\" added to {path}"),
        Change::Refreshed => format!("context \"kiln\" in {path} brought up to date"),
        Change::None => format!("context \"kiln\" is in {path}"),
    };
    let use_it = match done.current.as_str() {
        "kiln" => "it is the current one: kubectl get jobs".to_owned(),
        other => format!("{other:?} stays the current one: kubectl --context kiln get jobs"),
    };
    format!(
        "kubectl     {change}\n            {use_it}\nundo        kiln down; kiln down --forget takes the context out again too\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_the_kubeconfig_is_told() {
        let told = |change, current: &str| {
            context_told(&kubeconfig::Done { path: "/home/ann/.kube/config".into(), change, current: current.into() })
        };
        let undo = "undo        kiln down; kiln down --forget takes the context out again too\n";
        assert_eq!(
            told(Change::Added, "kiln"),
            format!(
                "kubectl     context \"kiln\" added to /home/ann/.kube/config\n            it is the current one: kubectl get jobs\n{undo}"
            )
        );
        assert_eq!(
            told(Change::Refreshed, "prod"),
            format!(
                "kubectl     context \"kiln\" in /home/ann/.kube/config brought up to date\n            \"prod\" stays the current one: kubectl --context kiln get jobs\n{undo}"
            )
        );
    }
}
