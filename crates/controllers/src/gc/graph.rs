//! Who owns whom, and what follows when an owner goes. Knows only metadata; reads and writes nothing.

use crate::engine::Key;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeSet, HashMap};

/// Deletion waits for blocking dependents.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Deletion waits until dependents are cut loose.
pub const ORPHAN: &str = "orphan";

/// An object, as garbage collection sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Position of its kind in the list of kinds.
    pub kind: usize,
    pub key: Key,
    pub uid: String,
    pub owners: Vec<OwnerReference>,
    pub deleted: bool,
    /// `foregroundDeletion` among its finalizers.
    pub foreground: bool,
    /// `orphan` among its finalizers.
    pub orphan: bool,
}

impl Node {
    /// Reads it off metadata.
    pub fn of(kind: usize, meta: &ObjectMeta) -> Self {
        let has = |name: &str| meta.finalizers.iter().flatten().any(|finalizer| finalizer == name);
        Self {
            kind,
            key: Key::of(meta),
            uid: meta.uid.clone().unwrap_or_default(),
            owners: meta.owner_references.clone().unwrap_or_default(),
            deleted: meta.deletion_timestamp.is_some(),
            foreground: has(FOREGROUND),
            orphan: has(ORPHAN),
        }
    }
}

/// Every object by uid, and who depends on whom.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: HashMap<String, Node>,
    /// Owner's uid to dependents' uids. Owners need not exist.
    dependents: HashMap<String, BTreeSet<String>>,
}

/// What to do about an object.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Keep,
    /// Every owner may be gone: if the server confirms that (`suspects`), the object goes too.
    /// `waits_below`: it has dependents that its own deletion has to wait for.
    DeleteIfOwnersGone {
        suspects: Vec<OwnerReference>,
        waits_below: bool,
    },
    /// Its owner is being deleted in the foreground and waits for it.
    Delete {
        waits_below: bool,
    },
    /// It is going away and its dependents are to stay: cut them loose, then let it go.
    CutLoose {
        dependents: Vec<String>,
    },
    /// It is going away in the foreground and nothing blocks it any more.
    LetGo,
}

impl Graph {
    /// Takes in a new or changed object; returns the uids to look at.
    pub fn put(&mut self, node: Node) -> Vec<String> {
        let mut concerned = vec![node.uid.clone()];
        let old = self.unlink(&node.uid);
        for owner in &node.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(node.uid.clone());
        }
        // An owner may wait for this object, or for its reference to go.
        concerned
            .extend(node.owners.iter().chain(old.iter().flat_map(|old| &old.owners)).map(|owner| owner.uid.clone()));
        if node.deleted {
            concerned.extend(self.dependents_of(&node.uid));
        }
        self.nodes.insert(node.uid.clone(), node);
        concerned.retain(|uid| self.nodes.contains_key(uid));
        concerned
    }

    /// Takes in that an object is gone; returns the uids to look at.
    pub fn remove(&mut self, uid: &str) -> Vec<String> {
        let old = self.unlink(uid);
        let owners = old.into_iter().flat_map(|old| old.owners).map(|owner| owner.uid);
        let mut concerned: Vec<String> = owners.filter(|owner| self.nodes.contains_key(owner)).collect();
        concerned.extend(self.dependents_of(uid));
        concerned
    }

    fn unlink(&mut self, uid: &str) -> Option<Node> {
        let old = self.nodes.remove(uid)?;
        for owner in &old.owners {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
        Some(old)
    }

    fn dependents_of(&self, uid: &str) -> Vec<String> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// The object of this uid.
    pub fn get(&self, uid: &str) -> Option<&Node> {
        self.nodes.get(uid)
    }

    fn waits_below(&self, uid: &str) -> bool {
        self.dependents.contains_key(uid)
    }

    /// Decides about one object.
    pub fn verdict(&self, uid: &str) -> Verdict {
        let Some(node) = self.nodes.get(uid) else { return Verdict::Keep };
        if node.deleted && node.orphan {
            return Verdict::CutLoose { dependents: self.dependents_of(uid) };
        }
        if node.deleted && node.foreground {
            let blocks = |dependent: &String| {
                let owners = self.nodes.get(dependent).into_iter().flat_map(|dependent| &dependent.owners);
                owners.into_iter().any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true))
            };
            let is_blocked = self.dependents.get(uid).is_some_and(|dependents| dependents.iter().any(blocks));
            return if is_blocked { Verdict::Keep } else { Verdict::LetGo };
        }
        if node.deleted || node.owners.is_empty() {
            return Verdict::Keep;
        }
        let waits_below = self.waits_below(uid);
        let owners: Vec<Option<&Node>> = node.owners.iter().map(|owner| self.nodes.get(&owner.uid)).collect();
        let is_solid = |owner: &Option<&Node>| owner.is_some_and(|owner| !(owner.deleted && owner.foreground));
        if owners.iter().any(is_solid) {
            return Verdict::Keep;
        }
        if owners.iter().any(Option::is_some) {
            return Verdict::Delete { waits_below };
        }
        Verdict::DeleteIfOwnersGone { suspects: node.owners.clone(), waits_below }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `NAME:OWNER,OWNER! deleted foreground`; `!` blocks the owner's deletion.
    fn node(text: &str) -> Node {
        let mut words = text.split_whitespace();
        let (name, owners) = words.next().unwrap().split_once(':').unwrap();
        let owner = |text: &str| OwnerReference {
            uid: text.trim_end_matches('!').into(),
            block_owner_deletion: text.ends_with('!').then_some(true),
            ..Default::default()
        };
        let words: Vec<&str> = words.collect();
        Node {
            kind: 0,
            key: Key { namespace: "n".into(), name: name.into() },
            uid: name.into(),
            owners: owners.split(',').filter(|text| !text.is_empty()).map(owner).collect(),
            deleted: words.contains(&"deleted"),
            foreground: words.contains(&"foreground"),
            orphan: words.contains(&"orphan"),
        }
    }

    #[track_caller]
    fn check(world: &str, uid: &str, expected: &str) {
        let mut graph = Graph::default();
        for text in world.split(';') {
            let _ = graph.put(node(text));
        }
        let shown = match graph.verdict(uid) {
            Verdict::Keep => "keep".into(),
            Verdict::DeleteIfOwnersGone { waits_below, .. } => format!("delete if owners gone, below {waits_below}"),
            Verdict::Delete { waits_below } => format!("delete, below {waits_below}"),
            Verdict::CutLoose { dependents } => format!("cut loose {}", dependents.join(" ")),
            Verdict::LetGo => "let go".into(),
        };
        assert_eq!(shown, expected, "{uid} in {world}");
    }

    #[test]
    fn dependents_follow_their_owners() {
        check("pod:job; job:", "pod", "keep");
        check("pod:job", "pod", "delete if owners gone, below false");
        check("pod:job,other; other:", "pod", "keep");
        check("job:cron; pod:job", "job", "delete if owners gone, below true");
        check("job: deleted; pod:job", "pod", "keep");
        check("pod:job deleted", "pod", "keep");
        check("free:", "free", "keep");
    }

    #[test]
    fn foreground_waits_for_blocking_dependents() {
        check("job: deleted foreground; pod:job!", "pod", "delete, below false");
        check("job: deleted foreground; pod:job!", "job", "keep");
        check("job: deleted foreground; pod:job", "job", "let go");
        check("job: deleted foreground", "job", "let go");
        check("job: deleted foreground; pod:job,solid!; solid:", "pod", "keep");
    }

    #[test]
    fn orphans_are_cut_loose() {
        check("job: deleted orphan; a:job; b:job", "job", "cut loose a b");
        check("job: deleted orphan; a:job", "a", "keep");
        check("job: deleted orphan", "job", "cut loose ");
    }

    #[test]
    fn what_goes_concerns_its_owners_and_dependents() {
        let mut graph = Graph::default();
        let _ = graph.put(node("cron:"));
        assert_eq!(graph.put(node("job:cron")), ["job", "cron"]);
        assert_eq!(graph.put(node("pod:job")), ["pod", "job"]);
        assert_eq!(graph.put(node("job:cron deleted")), ["job", "cron", "cron", "pod"]);
        assert_eq!(graph.remove("job"), ["cron", "pod"]);
        assert_eq!(graph.remove("pod"), [""; 0]);
    }
}
