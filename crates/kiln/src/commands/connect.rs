//! Which server a verb talks to: `--kubeconfig`/`--context`, `KILN_KUBECONFIG`, the default data directory's server if it
//! answers; `run` else brings up an ephemeral one. `$KUBECONFIG` is never followed: a Job must not land on a cluster by accident.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::userns;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::image::{self, Registries};
use super::runtimes::Runtimes;
use crate::output::Problem;
use crate::rootless;
use crate::server::{ADMIN_KUBECONFIG, Options, POD_MAX_PIDS, Server};

/// How to find a server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Target {
    /// Use the server this kubeconfig names
    #[arg(long, value_name = "FILE", env = "KILN_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
}

impl Target {
    /// The server that a kubeconfig names, or else the running one.
    pub fn at(kubeconfig: Option<PathBuf>) -> Self {
        Self { kubeconfig, context: None }
    }
}

/// A server to talk to, and the ephemeral one behind it if there is one.
pub struct Connection {
    /// A client with administrator's rights.
    pub client: kube::Client,
    /// Set when the server is this process's own.
    pub ephemeral: Option<Ephemeral>,
}

/// A server that lives as long as a command, in a directory that is gone afterwards.
pub struct Ephemeral {
    server: Server,
    directory: tempfile::TempDir,
}

impl Ephemeral {
    /// Brings one up. It has no listener: only this process talks to it.
    pub async fn start(registries: &Registries) -> Result<Self, Problem> {
        if userns::standing() == userns::Standing::Ordinary {
            return Err(no_containers(None));
        }
        let failed = |error: std::io::Error| Problem::internal("failed to make a temporary directory").because(error);
        let directory = tempfile::Builder::new().prefix("kiln-run-").tempdir().map_err(failed)?;
        if let Some(shortfalls) = rootless::shortfalls(&directory.path().join("agent")) {
            eprintln!("warning: {shortfalls}");
        }
        let options = Options {
            data_dir: directory.path().to_owned(),
            images: registries.supply(image::open(&image::directory(None))?)?,
            handlers: Runtimes::default().handlers()?,
            room: None,
            listen: None,
            pod_max_pids: Some(POD_MAX_PIDS.unsigned_abs()),
            ephemeral: true,
        };
        Ok(Self { server: Server::start(options).await?, directory })
    }

    /// Stops its pods, then removes everything.
    pub async fn stop(self) -> Result<(), Problem> {
        self.server.stop().await;
        let path = self.directory.path().to_owned();
        self.directory
            .close()
            .map_err(|error| Problem::internal(format!("failed to remove {}", path.display())).because(error))
    }
}

impl Connection {
    /// The named server, the running one, or a fresh ephemeral one.
    pub async fn or_ephemeral(
        target: &Target,
        force_ephemeral: bool,
        registries: &Registries,
    ) -> Result<Self, Problem> {
        if !force_ephemeral && let Some(client) = existing(target).await? {
            return Ok(Self { client, ephemeral: None });
        }
        let ephemeral = Ephemeral::start(registries).await?;
        Ok(Self { client: ephemeral.server.client(), ephemeral: Some(ephemeral) })
    }
}

/// An ordinary user who got no user namespace.
pub fn no_containers(refused: Option<&userns::Refused>) -> Problem {
    let problem = Problem::internal("containers cannot be run by this user");
    match refused {
        Some(userns::Refused { cause, remedy }) => {
            problem.because(cause).remedy(format!("{remedy}\nkiln doctor says more"))
        }
        None => problem.remedy("kiln doctor says why, and what to do; or name a server with --kubeconfig"),
    }
}

/// The named server or the running one, for verbs that need what is there already.
pub async fn running(target: &Target) -> Result<kube::Client, Problem> {
    existing(target).await?.ok_or_else(|| {
        Problem::internal("no server is running")
            .because(format!("there is none at {}", super::default_data_dir().display()))
            .remedy("start one: kiln up; or name one with --kubeconfig FILE or KILN_KUBECONFIG")
    })
}

/// The named server or the running one, if there is any.
pub async fn existing(target: &Target) -> Result<Option<kube::Client>, Problem> {
    match &target.kubeconfig {
        Some(path) => client_from(path, target.context.clone()).await.map(Some),
        None => Ok(running_server().await),
    }
}

/// The default data directory's server, if it answers within a second.
async fn running_server() -> Option<kube::Client> {
    let path = super::default_data_dir().join(ADMIN_KUBECONFIG);
    let client = client_from(&path, None).await.ok()?;
    let answer = tokio::time::timeout(Duration::from_secs(1), client.apiserver_version()).await;
    answer.ok()?.ok().map(|_| client)
}

/// A client of the server that a kubeconfig names.
pub async fn client_from(path: &Path, context: Option<String>) -> Result<kube::Client, Problem> {
    let unusable = |cause: String| {
        Problem::usage(format!("cannot use the kubeconfig {}", path.display()))
            .because(cause)
            .remedy("check the path, and that its server runs: kiln status")
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| unusable(error.to_string()))?;
    kube::Client::try_from(config).map_err(|error| unusable(error.to_string()))
}
