//! `kiln up`, `kiln down`, `kiln status`: the server in the background, and what there is to know of it.
//!
//! [ up ] -> way (systemd, or a process of its own) -> [ kiln server ] <- [ status ] [ down ]
//!       └─> context (the user's kubeconfig)

mod context;
pub mod down;
mod facts;
mod kubeconfig;
mod process;
pub mod status;
mod systemd;
pub mod up;
mod way;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::Kubeconfig;

use self::way::{Facts, Manager, Way};
use super::calls;
use super::connect;
use crate::output::Problem;
use crate::server::ADMIN_KUBECONFIG;

/// Which server of this machine.
#[derive(Debug, Clone, clap::Args)]
pub struct Directory {
    /// Where the server keeps everything [default: /var/lib/kiln as root, else $XDG_DATA_HOME/kiln]
    #[arg(long, value_name = "DIR", env = "KILN_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl Directory {
    /// Absolute: another process will use it, perhaps from elsewhere.
    fn path(&self) -> Result<PathBuf, Problem> {
        let path = self.data_dir.clone().unwrap_or_else(super::default_data_dir);
        std::path::absolute(&path)
            .map_err(|error| Problem::usage(format!("{} is no directory", path.display())).because(error))
    }
}

/// How a server stands.
enum Standing {
    /// There is none.
    Down,
    /// A process holds the directory, but does not answer: it begins, ends, or hangs.
    Silent { pid: u32 },
    /// It answers.
    Ready(Ready),
}

/// A server that answers.
struct Ready {
    pid: u32,
    url: String,
    client: kube::Client,
}

/// How long an answer may take before a server counts as silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at the data directory, and asks the server if there is one.
async fn standing(data_dir: &Path) -> Result<Standing, Problem> {
    let holder = store::holder(data_dir).map_err(|error| {
        Problem::internal(format!("cannot look into {}", data_dir.display()))
            .because(error)
            .remedy("run this as the user that the server runs as, or name another --data-dir")
    })?;
    let Some(pid) = holder else { return Ok(Standing::Down) };
    Ok(match tokio::time::timeout(PATIENCE, answering(data_dir)).await.ok().flatten() {
        Some((url, client)) => Standing::Ready(Ready { pid, url, client }),
        None => Standing::Silent { pid },
    })
}

async fn answering(data_dir: &Path) -> Option<(String, kube::Client)> {
    let path = data_dir.join(ADMIN_KUBECONFIG);
    let config = Kubeconfig::read_from(&path).ok()?;
    let url = config.clusters.first()?.cluster.as_ref()?.server.clone()?;
    let client = connect::client_from(&path, None).await.ok()?;
    calls::text(&client, "GET", "/readyz", calls::JSON, calls::EMPTY).await.ok()?;
    Some((url, client))
}

/// How this machine and this user keep a server up that has this data directory.
fn way(data_dir: &Path, is_systemd_unwanted: bool) -> (Way, String) {
    let unit = way::unit_name(data_dir, &super::usual_data_dir());
    let private = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("systemd/private"));
    let facts = Facts {
        is_root: crate::machine::is_root(),
        has_systemd: Path::new("/run/systemd/system").is_dir(),
        has_user_manager: private.is_some_and(|path| path.exists()),
        config_home: super::config_home(),
        is_systemd_unwanted,
    };
    (way::choose(&facts, &unit), unit)
}

/// The unit that keeps this server up, if there is one that kiln wrote.
fn unit_in_use(data_dir: &Path) -> Option<(Manager, PathBuf, String)> {
    match way(data_dir, false) {
        (Way::Unit { manager, file }, unit) if systemd::is_ours(&file) => Some((manager, file, unit)),
        _ => None,
    }
}
