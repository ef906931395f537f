//! What another OCI runtime is told: the spec of a container with what the built-in runtime knows without being told, such as the
//! pod's namespaces, its shared memory, and which devices work. Pure: what it needs from the machine has been read before.

use super::super::creds;
use crate::runtime::Resources;
use crate::volumes::subpath;
use oci_spec::runtime::{
    Capabilities, Linux, LinuxCapabilities, LinuxCpu, LinuxDevice, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder,
    LinuxMemory, LinuxNamespaceType, LinuxPidsBuilder, LinuxResources, Mount, Process, Spec,
};
use std::path::{Path, PathBuf};

const SHM: &str = "/dev/shm";

/// What is known of the place where the container will be.
pub struct Place<'a> {
    /// Its root, mounted.
    pub root: &'a Path,
    /// Its cgroup, from the top of each tree.
    pub cgroup: &'a Path,
    /// The namespaces that the pod's containers share, each by a path.
    pub namespaces: &'a [(LinuxNamespaceType, PathBuf)],
    /// The pod's shared memory.
    pub shm: &'a Path,
    /// What the bind mounts of the spec bind, in their order.
    pub sources: &'a [Source],
    /// Limits on the container.
    pub resources: &'a Resources,
    /// The kernel counts swap, so that it can be limited.
    pub counts_swap: bool,
    /// What may be handed on: a bit for each capability's number.
    pub capabilities: u64,
    /// What the kernel has let it be.
    pub oom_score_adj: Option<i32>,
}

/// What a bind mount binds.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub path: PathBuf,
    /// Only a device that is mounted as such is meant to work.
    pub is_device: bool,
    /// What its mount forbids, as options: a runtime that makes it read-only forgets the rest.
    pub forbids: Vec<&'static str>,
}

/// The spec for a runtime that knows nothing else.
pub fn translate(spec: &Spec, place: &Place<'_>) -> Spec {
    let mut spec = spec.clone();
    let mut root = spec.root().clone().unwrap_or_default();
    root.set_path(place.root.to_owned());
    spec.set_root(Some(root));
    // The pod's namespace has it.
    spec.set_hostname(None);
    spec.set_mounts(Some(mounts(spec.mounts().as_deref().unwrap_or_default(), place)));
    spec.set_process(spec.process().clone().map(|of_spec| process(of_spec, place)));
    spec.set_linux(spec.linux().clone().map(|of_spec| linux(of_spec, place)));
    spec
}

/// Whether a mount binds a part of the host's files.
pub fn is_bind(mount: &Mount) -> bool {
    let options = mount.options().as_deref().unwrap_or_default();
    mount.typ().as_deref() == Some("bind") || options.iter().any(|option| option == "bind" || option == "rbind")
}

/// The part of its source that a bind mount is of, if not all.
pub fn part_of(mount: &Mount) -> Option<&Path> {
    let options = mount.options().as_deref().unwrap_or_default();
    options.iter().find_map(|option| option.strip_prefix(subpath::OPTION)).map(Path::new)
}

fn mounts(of_spec: &[Mount], place: &Place<'_>) -> Vec<Mount> {
    let mut sources = place.sources.iter();
    let mut mounts: Vec<Mount> = of_spec
        .iter()
        .map(|mount| match is_bind(mount) {
            true => sources.next().map_or_else(|| mount.clone(), |source| bind(mount, source)),
            false => mount.clone(),
        })
        .collect();
    let is_at = |path: &'static str| move |mount: &Mount| mount.destination() == Path::new(path);
    if !mounts.iter().any(is_at(SHM)) {
        let after_dev = mounts.iter().position(is_at("/dev")).map_or(0, |at| at + 1);
        mounts.insert(after_dev, shared_memory(place.shm));
    }
    mounts
}

fn bind(mount: &Mount, source: &Source) -> Mount {
    let options = mount.options().iter().flatten().filter(|option| !option.starts_with(subpath::OPTION)).cloned();
    let nodev = (!source.is_device).then_some("nodev");
    let forbids = source.forbids.iter().copied().filter(|option| *option != "nodev");
    let more = forbids.chain(nodev).map(str::to_owned);
    let mut mount = mount.clone();
    mount.set_options(Some(options.chain(more).collect()));
    mount.set_source(Some(source.path.clone()));
    mount
}

fn shared_memory(source: &Path) -> Mount {
    let options = ["bind", "rw", "nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
    let mut mount = Mount::default();
    mount.set_destination(SHM.into());
    mount.set_typ(Some("bind".into()));
    mount.set_source(Some(source.to_owned()));
    mount.set_options(Some(options));
    mount
}

fn process(mut process: Process, place: &Place<'_>) -> Process {
    process.set_oom_score_adj(place.oom_score_adj);
    let sets = process.capabilities().clone();
    process.set_capabilities(sets.map(|sets| limited(sets, place.capabilities)));
    process
}

/// Runtimes refuse what they do not have themselves, where the built-in one hands on what there is.
fn limited(mut sets: LinuxCapabilities, own: u64) -> LinuxCapabilities {
    let limited = |set: &Option<Capabilities>| {
        let kept = |capability: &&_| own & (1 << creds::number(**capability)) != 0;
        set.as_ref().map(|set| set.iter().filter(kept).copied().collect::<Capabilities>())
    };
    sets.set_bounding(limited(sets.bounding()));
    sets.set_effective(limited(sets.effective()));
    sets.set_permitted(limited(sets.permitted()));
    sets.set_inheritable(limited(sets.inheritable()));
    sets.set_ambient(limited(sets.ambient()));
    sets
}

fn linux(mut linux: Linux, place: &Place<'_>) -> Linux {
    for namespace in linux.namespaces_mut().iter_mut().flatten() {
        let shared = place.namespaces.iter().find(|(typ, _)| *typ == namespace.typ());
        namespace.set_path(shared.map(|(_, path)| path.clone()));
    }
    linux.set_cgroups_path(Some(place.cgroup.to_owned()));
    let devices = linux.devices().as_deref().unwrap_or_default();
    linux.set_resources(Some(resources(place, devices)));
    linux
}

/// The limits that the built-in runtime sets, which leaves alone what nobody has asked for.
fn resources(place: &Place<'_>, devices: &[LinuxDevice]) -> LinuxResources {
    let wanted = place.resources;
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut resources = LinuxResources::default();
    resources.set_devices(Some(device_rules(devices)));
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(wanted.cpu_request_milli.map(crate::cgroups::plan::cpu_shares));
    if let Some(milli) = wanted.cpu_limit_milli {
        let (quota, period) = crate::cgroups::plan::cpu_quota(milli);
        cpu.set_quota(Some(signed(quota)));
        cpu.set_period(Some(period));
    }
    resources.set_cpu(Some(cpu));
    if let Some(bytes) = wanted.memory_limit_bytes {
        let mut memory = LinuxMemory::default();
        memory.set_limit(Some(signed(bytes)));
        // Memory and swap together, as v1 counts them; runtimes work it out for v2.
        memory.set_swap(place.counts_swap.then_some(signed(bytes)));
        resources.set_memory(Some(memory));
    }
    if let Some(limit) = wanted.pids_limit {
        resources.set_pids(LinuxPidsBuilder::default().limit(signed(limit)).build().ok());
    }
    resources
}

/// Nothing but the devices of the spec, and those that every runtime gives without being told. A container may be allowed to make
/// nodes, and must not read the host's disk through one: the built-in runtime sees to it by mounts, others by device cgroups.
fn device_rules(devices: &[LinuxDevice]) -> Vec<LinuxDeviceCgroup> {
    let rule = || LinuxDeviceCgroupBuilder::default().access("rwm");
    let none = rule().allow(false).build();
    let of_spec = devices
        .iter()
        .map(|device| rule().allow(true).typ(device.typ()).major(device.major()).minor(device.minor()).build());
    std::iter::once(none).chain(of_spec).flatten().collect()
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
