//! Where a pod's processes are counted, limited and killed: `kiln-INSTANCE/pod-UID/CONTAINER.ATTEMPT`, in cgroup v2, in v1,
//! and in the mixture of both where the limits stand in v1 directories and v2 only tracks and kills.
//!
//! [`detect`] says what the machine has, [`plan`] says what to make and to write, [`apply`] does it.

pub mod apply;
pub mod detect;
pub mod plan;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The controllers that kiln sets limits with.
pub const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// The cgroup trees of this machine, as far as kiln may use them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// The v2 tree, if mounted.
    pub unified: Option<Unified>,
    /// v1 trees by controller: the directory under which kiln makes its own.
    pub v1: BTreeMap<String, PathBuf>,
    /// Every other v1 tree: other runtimes put containers into those too.
    #[serde(default)]
    pub others: Vec<PathBuf>,
}

/// The v2 tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unified {
    /// The directory under which kiln makes its own.
    pub base: PathBuf,
    /// Those of [`CONTROLLERS`] that can be enabled below `base`; none on a hybrid machine.
    pub controllers: Vec<String>,
}

/// A server's own part of the trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cgroups {
    /// The trees of the machine.
    pub hierarchy: Hierarchy,
    /// `kiln-XXXXXXXX`.
    pub instance: String,
}

/// The name under which a server with this state directory keeps its cgroups, so that several servers on one machine never meet.
pub fn instance(state_dir: &Path) -> String {
    let digest = Sha256::digest(state_dir.as_os_str().as_bytes());
    let mut name = String::from("kiln-");
    for byte in &digest[..5] {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

impl Cgroups {
    /// Those of [`CONTROLLERS`] whose limits no tree can hold.
    pub fn unlimited(&self) -> Vec<&'static str> {
        let Hierarchy { unified, v1, others: _ } = &self.hierarchy;
        let has = |name: &str| {
            v1.contains_key(name) || unified.iter().any(|tree| tree.controllers.iter().any(|known| known == name))
        };
        CONTROLLERS.into_iter().filter(|name| !has(name)).collect()
    }

    /// Every directory that may hold the pod, in every tree.
    pub fn pod_dirs(&self, pod_uid: &str) -> Vec<PathBuf> {
        self.instance_dirs().into_iter().map(|dir| dir.join(plan::pod_name(pod_uid))).collect()
    }

    /// This server's top directory in every tree; v2 first.
    pub fn instance_dirs(&self) -> Vec<PathBuf> {
        let unified = self.hierarchy.unified.iter().map(|tree| &tree.base);
        let v1 = self.hierarchy.v1.values().chain(&self.hierarchy.others);
        unified.chain(v1).map(|base| base.join(&self.instance)).collect()
    }

    /// Where a run of a container is in every v1 tree, of which the built-in runtime uses those it sets limits in.
    pub fn v1_dirs(&self, pod_uid: &str, container: &str, attempt: u32) -> Vec<PathBuf> {
        let own = plan::container_path(&self.instance, pod_uid, container, attempt);
        let mut dirs: Vec<_> =
            self.hierarchy.v1.values().chain(&self.hierarchy.others).map(|base| base.join(&own)).collect();
        // Two controllers may share a tree.
        dirs.sort();
        dirs.dedup();
        dirs
    }

    /// The v2 leaf that all supervisors of this server sit in, apart from the server and from the containers.
    pub fn supervisors(&self) -> Option<PathBuf> {
        let tree = self.hierarchy.unified.as_ref()?;
        Some(tree.base.join(&self.instance).join("supervisors"))
    }
}
