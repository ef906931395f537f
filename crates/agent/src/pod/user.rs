//! Who a container's process is: numbers from the security context, or names looked up in the image's own /etc/passwd and
//! /etc/group. The image is not trusted: its files are opened beneath its layers without following links.

use crate::beneath;
use crate::runtime::Rootfs;
use k8s_openapi::api::core::v1::{Container, Pod, PodSecurityContext, SecurityContext};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::io::Read;
use std::path::Path;

/// Longest passwd or group file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Numeric identity of a process, and where its home is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Further groups.
    pub additional_gids: Vec<u32>,
    /// From the image's passwd file; `/` if it knows none.
    pub home: String,
}

/// The texts of an image's account files; empty when it has none.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// Reads them. Blocking.
    pub fn read(rootfs: &Rootfs) -> Self {
        Self { passwd: read_etc(rootfs, "passwd"), group: read_etc(rootfs, "group") }
    }
}

/// Finds the identity for a container of `pod`. The error is CreateContainerConfigError's message.
pub fn identify(pod: &Pod, container: &Container, image_user: &str, accounts: &Accounts) -> Result<Identity, String> {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let of_container = container.security_context.clone().unwrap_or_default();
    let run_as_user = of_container.run_as_user.or(of_pod.run_as_user);
    let run_as_group = of_container.run_as_group.or(of_pod.run_as_group);
    check_non_root(pod, container, &of_pod, &of_container, image_user)?;

    let (user_text, group_text) = match image_user.split_once(':') {
        Some((user, group)) => (user, group),
        None => (image_user, ""),
    };
    let account = match run_as_user {
        Some(uid) => by_uid(accounts, number(uid)?),
        None => find_user(accounts, user_text)?,
    };
    let gid = match (run_as_group, run_as_user) {
        (Some(gid), _) => number(gid)?,
        (None, None) if !group_text.is_empty() => find_group(accounts, group_text)?,
        (None, _) => account.gid,
    };
    // Strict: what the pod says, whatever the image adds to it (KEP-3619).
    let is_strict = of_pod.supplemental_groups_policy.as_deref() == Some("Strict");
    let mut additional_gids = if is_strict { Vec::new() } else { memberships(accounts, &account.name) };
    let supplemental = of_pod.supplemental_groups.iter().flatten().copied();
    for gid in supplemental.chain(of_pod.fs_group) {
        additional_gids.push(number(gid)?);
    }
    additional_gids.sort_unstable();
    additional_gids.dedup();
    Ok(Identity { uid: account.uid, gid, additional_gids, home: account.home })
}

/// runAsNonRoot (K:pkg/kubelet/kuberuntime/security_context.go).
fn check_non_root(
    pod: &Pod,
    container: &Container,
    of_pod: &PodSecurityContext,
    of_container: &SecurityContext,
    image_user: &str,
) -> Result<(), String> {
    let must_not_be_root = of_container.run_as_non_root.or(of_pod.run_as_non_root) == Some(true);
    if !must_not_be_root {
        return Ok(());
    }
    let place = format!("(pod: {:?}, container: {})", super::full_name(pod), container.name);
    match of_container.run_as_user.or(of_pod.run_as_user) {
        Some(0) => {
            return Err(format!("container's runAsUser breaks non-root policy {place}"));
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let user = image_user.split(':').next().unwrap_or("");
    match user.parse::<u32>() {
        Ok(0) => Err(format!("container has runAsNonRoot and image will run as root {place}")),
        Ok(_) => Ok(()),
        Err(_) if user.is_empty() => Err(format!("container has runAsNonRoot and image will run as root {place}")),
        Err(_) => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root {place}"
        )),
    }
}

fn number(id: i64) -> Result<u32, String> {
    u32::try_from(id).map_err(|_| format!("user or group id {id} is out of range"))
}

struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

/// Entries of a passwd file: `name:password:uid:gid:comment:home:shell`. Malformed lines are skipped.
fn passwd_entries(text: &str) -> impl Iterator<Item = Account> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, uid, gid) = (*fields.first()?, fields.get(2)?, fields.get(3)?);
        Some(Account {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: fields.get(5).filter(|home| home.starts_with('/')).map_or("/".to_owned(), |home| (*home).to_owned()),
        })
    })
}

fn by_uid(accounts: &Accounts, uid: u32) -> Account {
    passwd_entries(&accounts.passwd).find(|account| account.uid == uid).unwrap_or(Account {
        name: String::new(),
        uid,
        gid: 0,
        home: "/".into(),
    })
}

fn find_user(accounts: &Accounts, user: &str) -> Result<Account, String> {
    if user.is_empty() {
        return Ok(by_uid(accounts, 0));
    }
    let by_name = passwd_entries(&accounts.passwd).find(|account| account.name == user);
    match (by_name, user.parse()) {
        (Some(account), _) => Ok(account),
        (None, Ok(uid)) => Ok(by_uid(accounts, uid)),
        (None, Err(_)) => Err(format!("unable to find user {user}: no matching entry in the image's /etc/passwd")),
    }
}

/// Entries of a group file: `name:password:gid:member,member`.
fn group_entries(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let gid = fields.get(2)?.parse().ok()?;
        Some((*fields.first()?, gid, fields.get(3).copied().unwrap_or("")))
    })
}

fn find_group(accounts: &Accounts, group: &str) -> Result<u32, String> {
    let by_name = group_entries(&accounts.group).find(|(name, ..)| *name == group);
    match (by_name, group.parse()) {
        (Some((_, gid, _)), _) | (None, Ok(gid)) => Ok(gid),
        (None, Err(_)) => Err(format!("unable to find group {group}: no matching entry in the image's /etc/group")),
    }
}

fn memberships(accounts: &Accounts, user: &str) -> Vec<u32> {
    if user.is_empty() {
        return vec![];
    }
    group_entries(&accounts.group)
        .filter(|(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

/// `/etc/FILE` as a process in the image would see it; empty if it is not there.
fn read_etc(rootfs: &Rootfs, file: &str) -> String {
    let overlaid = rootfs.overlays.iter().find(|(_, inside)| inside == Path::new("/etc"));
    if let Some((host_dir, _)) = overlaid {
        return open_beneath(host_dir, file).map(read_bounded).unwrap_or_default();
    }
    rootfs
        .lower
        .iter()
        .find_map(|layer| open_beneath(layer, &format!("etc/{file}")).ok())
        .map(read_bounded)
        .unwrap_or_default()
}

/// Opens a regular file below `dir` without following any link out of it or in it.
fn open_beneath(dir: &Path, path: &str) -> std::io::Result<std::fs::File> {
    let dir = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let file = beneath::open(
        &dir,
        Path::new(path),
        // A fifo in an image must not hold us up.
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?;
    let file = std::fs::File::from(file);
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

fn read_bounded(file: std::fs::File) -> String {
    let mut bytes = vec![];
    match file.take(MAX_BYTES).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
