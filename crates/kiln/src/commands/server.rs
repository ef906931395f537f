//! `kiln server`: one machine's API server, controllers and agent, in the foreground.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use agent::images::collect::Thresholds;
use tokio::signal::unix::{SignalKind, signal};

use super::image::{self, Registries};
use super::runtimes::Runtimes;
use crate::output::{Exit, Problem};
use crate::rootless;
use crate::server::{self, Options, Server};

/// Serve the Kubernetes API and run pods.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where everything is kept [default: /var/lib/kiln as root, else $XDG_DATA_HOME/kiln]
    #[arg(long, value_name = "DIR", env = "KILN_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port of the API; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", env = "KILN_LISTEN", default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
    /// Write the admin kubeconfig here (0600) once the server is ready; removed on a clean exit
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    registries: Registries,
    #[command(flatten)]
    runtimes: Runtimes,
    /// Remove pulled images that nothing uses once the disk is this full, in percent; 100 keeps them all
    #[arg(long, value_name = "PERCENT", default_value_t = 85, value_parser = clap::value_parser!(u8).range(0..=100))]
    image_gc_high_threshold: u8,
    /// Until it is this full
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(0..=100))]
    image_gc_low_threshold: u8,
    /// Processes and threads that a pod may have at once; -1: as many as the machine
    #[arg(long, value_name = "N", default_value_t = server::POD_MAX_PIDS, allow_negative_numbers = true, value_parser = parse_max_pids)]
    pod_max_pids: i64,
    /// In a session of its own: what ends the terminal does not end the server
    #[arg(long, hide = true)]
    background: bool,
}

fn parse_max_pids(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(n @ (-1 | 1..)) => Ok(n),
        _ => Err("give a number above 0, or -1 for no limit".into()),
    }
}

impl Arguments {
    /// Where everything is kept.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(super::default_data_dir)
    }

    /// How full images may make the disk; nothing to do at 100.
    fn room(&self) -> Result<Thresholds, Problem> {
        let (high_percent, low_percent) = (self.image_gc_high_threshold, self.image_gc_low_threshold);
        if high_percent < low_percent {
            return Err(Problem::usage(format!(
                "--image-gc-low-threshold {low_percent} is above --image-gc-high-threshold {high_percent}"
            ))
            .remedy("images are removed from the high threshold down to the low one"));
        }
        Ok(Thresholds { high_percent, low_percent, ..Thresholds::default() })
    }
}

/// Serves until SIGTERM or SIGINT: then pods keep running; or until SIGUSR1: then they are stopped too.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    if arguments.background {
        // Fails only where it has one already.
        let _ = nix::unistd::setsid();
    }
    log_to_stderr();
    let failed = |error: std::io::Error| Problem::internal("failed to watch for signals").because(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut end_with_pods = signal(SignalKind::user_defined1()).map_err(failed)?;

    let room = arguments.room()?;
    let data_dir = arguments.data_dir();
    let own_kubeconfig = data_dir.join(server::ADMIN_KUBECONFIG);
    let images = arguments.registries.supply(image::open(&image::directory(Some(&data_dir)))?)?;
    if let Some(shortfalls) = rootless::shortfalls(&data_dir.join("agent")) {
        tracing::warn!("{shortfalls}");
    }
    let options = Options {
        data_dir,
        images,
        handlers: arguments.runtimes.handlers()?,
        room: Some(room),
        listen: Some(arguments.listen),
        pod_max_pids: u64::try_from(arguments.pod_max_pids).ok(),
        ephemeral: false,
    };
    let server = Server::start(options).await?;

    let kubeconfigs: Vec<PathBuf> = std::iter::once(own_kubeconfig).chain(arguments.kubeconfig).collect();
    let text = server.admin_kubeconfig().unwrap_or_default();
    for path in &kubeconfigs {
        write_kubeconfig(path, text)?;
    }
    tracing::info!(url = server.url().unwrap_or_default(), kubeconfig = %kubeconfigs.last().expect("there is always one").display(), "ready");

    let takes_pods_along = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        _ = end_with_pods.recv() => true,
    };
    for path in &kubeconfigs {
        let _ = std::fs::remove_file(path);
    }
    match takes_pods_along {
        true => server.stop_with_pods().await,
        false => server.stop().await,
    }
    Ok(Exit::Success)
}

/// Writes a kubeconfig that exists whole, 0600, or not at all.
fn write_kubeconfig(path: &Path, text: &str) -> Result<(), Problem> {
    use std::io::Write;
    let failed = |error: std::io::Error| {
        Problem::internal(format!("failed to write the kubeconfig {}", path.display()))
            .because(error)
            .remedy("give --kubeconfig a path in a directory that exists and can be written")
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // tempfile makes it 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("KILN_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,kiln::audit=off,kube=warn,kube_runtime=warn,kube_client=warn"));
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .try_init();
}
