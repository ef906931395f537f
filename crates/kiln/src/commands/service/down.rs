//! `kiln down`: ends the server in the background, and its pods.

use std::path::Path;
use std::time::Duration;

use agent::userns;

use super::process::{Pods, tell_to_end};
use super::{Directory, Standing, kubeconfig, process, standing, systemd, unit_in_use};
use crate::output::progress::Progress;
use crate::output::{self, Exit, Problem};

/// End the server in the background, and its pods
///
/// What it keeps stays: the next kiln up goes on with it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Pods run on, and the next server finds them
    #[arg(long)]
    keep_pods: bool,
    /// Take the context "kiln" out of the kubeconfig too
    #[arg(long)]
    forget: bool,
}

/// Between two looks at whether it is gone.
const PAUSE: Duration = Duration::from_millis(20);
/// Pods have their grace, and many of them take a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends it, if it is there.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let data_dir = arguments.directory.path()?;
    let pods = if arguments.keep_pods { Pods::Kept } else { Pods::Stopped };
    let progress = Progress::on_stderr();
    let told = end(&data_dir, pods, &progress).await;
    progress.finish();
    let told = told?;
    // Before anything is told: whoever reads that may have gone.
    let forgotten = arguments.forget.then(|| kubeconfig::forget(&data_dir));
    output::print(&format!("{told}\n"))?;
    if let Some(forgotten) = forgotten {
        output::print(&match forgotten? {
            Some(path) => format!("the context \"kiln\" is no longer in {}\n", path.display()),
            None => "there was no context \"kiln\" in the kubeconfig\n".to_owned(),
        })?;
    }
    Ok(Exit::Success)
}

async fn end(data_dir: &Path, pods: Pods, progress: &Progress) -> Result<String, Problem> {
    let state_dir = data_dir.join("agent");
    let holder = match standing(data_dir).await? {
        Standing::Down => None,
        Standing::Silent { pid } => Some(pid),
        Standing::Ready(ready) => Some(ready.pid),
    };
    let unit = unit_in_use(data_dir);
    let n_pods = userns::supervisors(&state_dir).len();
    progress.wait("ending");
    let pid = match (holder, pods) {
        (Some(pid), _) => Some(pid),
        // Only a server can stop what an earlier one has left: it knows what belongs to them.
        (None, Pods::Stopped) if 0 < n_pods => Some(bring_up(data_dir).await?),
        (None, _) => None,
    };
    let Some(pid) = pid else {
        if let Some((manager, file, name)) = unit {
            systemd::end(manager, &file, &name)?;
        }
        let left = if 0 < n_pods { format!("; pods that run on: {n_pods}") } else { String::new() };
        return Ok(format!("kiln is not up{left}"));
    };
    tell_to_end(pid, pods)?;
    until_gone(data_dir, pid).await?;
    // After that: systemd would end it in its own way, which leaves the pods.
    if let Some((manager, file, name)) = unit {
        systemd::end(manager, &file, &name)?;
    }
    Ok(match (pods, n_pods) {
        (_, 0) => "kiln is down".to_owned(),
        (Pods::Stopped, n) => format!("kiln is down; pods stopped: {n}"),
        (Pods::Kept, n) => format!("kiln is down; pods that run on until kiln up finds them: {n}"),
    })
}

/// A server that will end at once: wherever it listens, nobody talks to it.
async fn bring_up(data_dir: &Path) -> Result<u32, Problem> {
    let mut child = process::begin(data_dir, ([127, 0, 0, 1], 0).into())?;
    loop {
        if let Standing::Ready(ready) = standing(data_dir).await? {
            return Ok(ready.pid);
        }
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return Err(Problem::internal("no server came up to stop the pods that an earlier one has left")
                .because(process::last_lines(data_dir))
                .remedy("do what the log says, then kiln down again"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn until_gone(data_dir: &Path, pid: u32) -> Result<(), Problem> {
    let begun = tokio::time::Instant::now();
    loop {
        let holder = store::holder(data_dir)
            .map_err(|error| Problem::internal(format!("cannot look into {}", data_dir.display())).because(error))?;
        // It lets go of the directory first, and is still there for a moment.
        if holder != Some(pid) && process::has_ended(pid) {
            return Ok(());
        }
        if PATIENCE <= begun.elapsed() {
            return Err(Problem::internal(format!("the server has not ended for {} s", PATIENCE.as_secs()))
                .because(format!("process {pid} still holds {}", data_dir.display()))
                .remedy(format!("its log says what it waits for; kill -9 {pid} ends it, and leaves its pods")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
