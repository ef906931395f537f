//! Derives the schema table from published facts and writes it as Rust.
//!
//! [ kubernetes-validate: fields, types, list types, keys ] ─┐
//! [ k8s-pb: protobuf tags ]                                ─┼─> crates/kinds/src/schema/table.rs
//! [ `zero`: which scalars keep their zero on the wire ]    ─┘

mod definitions;
mod protobuf;
mod render;
mod sources;
mod zero;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The types that are served or stored by name; the table is their closure. A kind's list follows its kind.
const ROOTS: &[&str] = &[
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "io.k8s.api.authentication.v1.TokenRequest",
    "io.k8s.api.authentication.v1.TokenReview",
    "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    "io.k8s.api.authorization.v1.SubjectAccessReview",
    "io.k8s.api.batch.v1.CronJob",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.core.v1.Binding",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Event",
    "io.k8s.api.core.v1.LimitRange",
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Node",
    "io.k8s.api.core.v1.PersistentVolume",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.ResourceQuota",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.events.v1.Event",
    "io.k8s.api.node.v1.RuntimeClass",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.rbac.v1.ClusterRole",
    "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
    "io.k8s.api.scheduling.v1.PriorityClass",
    "io.k8s.api.storage.v1.StorageClass",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
];

/// One type of the table.
#[derive(Debug)]
pub struct Type {
    pub name: String,
    /// Group, version, kind of a root.
    pub gvk: Option<[String; 3]>,
    pub atomic: bool,
    pub fields: Vec<Field>,
}

impl Type {
    /// `Container` of `io.k8s.api.core.v1.Container`.
    pub fn short(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// What a field (or its items) holds: a scalar by the table's name for it, or another type by its definition name.
#[derive(Debug, PartialEq)]
pub enum Kind {
    Scalar(&'static str),
    Message(String),
}

/// Whether a field holds one value, a list or a map of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    One,
    List,
    Map,
}

/// One field of a type, named as in JSON.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub shape: Shape,
    pub required: bool,
    pub keeps_zero: bool,
    pub list_type: Option<String>,
    pub list_keys: Vec<String>,
    pub patch_strategy: Option<String>,
    pub merge_key: Option<String>,
    pub atomic: bool,
    /// Protobuf tag, and that of the embedded message it lies in (0: none).
    pub tag: u16,
    pub via: u16,
}

/// Writes the table. Without arguments the sources are looked for, and fetched by the package managers' own clients.
pub fn write(definitions: Option<PathBuf>, tags: Option<PathBuf>) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("kiln-schema-{}", std::process::id()));
    let written = derive(&scratch, definitions, tags);
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).context("failed to remove the scratch directory")?;
    }
    written
}

fn derive(scratch: &Path, definitions: Option<PathBuf>, tags: Option<PathBuf>) -> Result<()> {
    let definitions = match definitions {
        Some(directory) => sources::definitions_in(&directory)?,
        None => sources::fetch_definitions(scratch)?,
    };
    let tags = match tags {
        Some(directory) => sources::tags_in(&directory)?,
        None => sources::find_tags(scratch)?,
    };
    let mut types = definitions::closure(&definitions, ROOTS)?;
    let untagged = protobuf::add_tags(&mut types, &tags)?;
    zero::mark(&mut types)?;
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/kinds/src/schema/table.rs");
    std::fs::write(&table, render::table(&types)).with_context(|| format!("failed to write {}", table.display()))?;
    let n_fields: usize = types.iter().map(|ty| ty.fields.len()).sum();
    println!("{} types, {n_fields} fields", types.len());
    for field in untagged {
        println!("no protobuf tag known (JSON only): {field}");
    }
    Ok(())
}
