//! Turns a container of a pod into an OCI runtime spec. Pure: what it needs from image, disk and API server has been read before.

use super::env::{Environment, complete, expand};
use super::user::Identity;
use super::{files, resources};
use crate::images::ImageConfig;
use crate::supervisor::seccomp;
use crate::volumes;
use crate::volumes::subpath;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, SeccompProfile, SecurityContext, Volume, VolumeMount};
use oci_spec::runtime::{
    Capabilities, Capability, Linux, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxDevice, LinuxNamespace,
    LinuxNamespaceType, LinuxSeccomp, Mount, Process, Root, Spec, User,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// containerd's default, without MKNOD: no device cgroup stands behind it here.
const DEFAULT_CAPABILITIES: [Capability; 13] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

/// Every capability there is (linux/capability.h).
const ALL_CAPABILITIES: &str = "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN \
    DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE \
    MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN \
    SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG \
    WAKE_ALARM";

const MASKED_PATHS: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a spec is made from.
pub struct Ingredients<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// One of its containers.
    pub container: &'a Container,
    /// How its image wants to be run.
    pub image: &'a ImageConfig,
    /// Who the process is.
    pub identity: &'a Identity,
    /// What the spec sets in the environment.
    pub environment: &'a Environment,
    /// The pod's directory on the host.
    pub pod_dir: &'a Path,
    /// Where the claims' volumes lie.
    pub mounts: &'a volumes::Mounts,
    /// The host file bound to terminationMessagePath.
    pub termination_message: &'a Path,
    /// The pod's host name.
    pub hostname: &'a str,
    /// The seccomp profile that it names, as it was read.
    pub local_profile: Option<LinuxSeccomp>,
    /// The machine's devices, for a privileged container.
    pub devices: &'a [LinuxDevice],
    /// Memory of the machine, for oom_score_adj.
    pub machine_memory_bytes: u64,
}

/// The OCI spec of one container. The error is CreateContainerError's message.
pub fn build(from: &Ingredients<'_>) -> Result<Spec, String> {
    let default_spec = PodSpec::default();
    let pod_spec = from.pod.spec.as_ref().unwrap_or(&default_spec);
    let context = from.container.security_context.clone().unwrap_or_default();

    let is_privileged = context.privileged == Some(true);
    let capabilities = if is_privileged { all_capabilities() } else { capabilities(&context)? };
    let mut linux = linux(pod_spec);
    if is_privileged {
        linux.set_masked_paths(None);
        linux.set_readonly_paths(None);
        linux.set_devices(Some(from.devices.to_vec()));
    }
    linux.set_sysctl(Some(sysctls(pod_spec)).filter(|sysctls| !sysctls.is_empty()));
    if !is_privileged {
        linux.set_seccomp(match seccomp_profile(from.container, pod_spec).map(|profile| profile.type_.as_str()) {
            Some("Unconfined") => None,
            Some("Localhost") => Some(from.local_profile.clone().ok_or("the seccomp profile was not read")?),
            // Kubernetes' default is no filter; here containers get the runtime's unless they say otherwise.
            _ => Some(seccomp::default_profile(&capabilities)),
        });
    }

    let mut root = Root::default();
    root.set_path("rootfs".into());
    root.set_readonly(context.read_only_root_filesystem);

    let mut spec = Spec::default();
    spec.set_root(Some(root));
    spec.set_hostname(Some(from.hostname.to_owned()));
    spec.set_process(Some(process(from, pod_spec, &context, &capabilities)?));
    spec.set_mounts(Some(mounts(from, pod_spec, is_privileged)?));
    spec.set_linux(Some(linux));
    Ok(spec)
}

fn process(
    from: &Ingredients<'_>,
    pod_spec: &PodSpec,
    context: &SecurityContext,
    set: &Capabilities,
) -> Result<Process, String> {
    let has_terminal = from.container.tty == Some(true);
    let mut environment = complete(from.environment, &from.image.env, from.hostname);
    if has_terminal && environment.get("TERM").is_none() {
        environment.set("TERM", "xterm");
    }
    if environment.get("HOME").is_none() {
        environment.set("HOME", &from.identity.home);
    }
    let mut user = User::default();
    user.set_uid(from.identity.uid);
    user.set_gid(from.identity.gid);
    user.set_additional_gids(Some(from.identity.additional_gids.clone()));

    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .effective(set.clone())
        .permitted(set.clone())
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .map_err(|error| error.to_string())?;

    let mut process = Process::default();
    process.set_user(user);
    process.set_args(Some(command_line(from)?));
    process.set_terminal(Some(has_terminal));
    process.set_env(Some(environment.lines()));
    process.set_cwd(working_dir(from));
    process.set_capabilities(Some(capabilities));
    process.set_rlimits(None);
    // Unset means allowed, as in Kubernetes: only `false` forbids setuid programs.
    process.set_no_new_privileges(Some(context.allow_privilege_escalation == Some(false)));
    process.set_oom_score_adj(Some(resources::oom_score_adj(pod_spec, from.container, from.machine_memory_bytes)));
    Ok(process)
}

/// command and args of the container, or entrypoint and cmd of its image: a command replaces both, args only cmd.
fn command_line(from: &Ingredients<'_>) -> Result<Vec<String>, String> {
    let expanded = |list: &Option<Vec<String>>| -> Vec<String> {
        let list = list.iter().flatten();
        list.map(|text| expand(text, from.environment)).collect()
    };
    let command = expanded(&from.container.command);
    let args = expanded(&from.container.args);
    let line = match (command.is_empty(), args.is_empty()) {
        (false, _) => [command, args].concat(),
        (true, false) => [from.image.entrypoint.clone(), args].concat(),
        (true, true) => [from.image.entrypoint.clone(), from.image.cmd.clone()].concat(),
    };
    if line.is_empty() {
        return Err("no command specified".into());
    }
    Ok(line)
}

fn working_dir(from: &Ingredients<'_>) -> PathBuf {
    let wanted = from.container.working_dir.as_deref().unwrap_or("");
    [wanted, &from.image.working_dir]
        .into_iter()
        .find(|dir| !dir.is_empty())
        .map_or(PathBuf::from("/"), |dir| Path::new("/").join(dir))
}

/// The default set, changed by `capabilities.add` and then `drop`.
fn capabilities(context: &SecurityContext) -> Result<Capabilities, String> {
    let default = Default::default();
    let wanted = context.capabilities.as_ref().unwrap_or(&default);
    let add = wanted.add.as_deref().unwrap_or_default();
    let drop = wanted.drop.as_deref().unwrap_or_default();
    let is_all = |name: &String| name.eq_ignore_ascii_case("ALL");
    let mut set: Capabilities = DEFAULT_CAPABILITIES.into();
    if add.iter().any(is_all) {
        set = all_capabilities();
    }
    if drop.iter().any(is_all) {
        set.clear();
    }
    for name in add.iter().filter(|name| !is_all(name)) {
        set.insert(capability(name)?);
    }
    for name in drop.iter().filter(|name| !is_all(name)) {
        set.remove(&capability(name)?);
    }
    Ok(set)
}

fn all_capabilities() -> Capabilities {
    ALL_CAPABILITIES.split_whitespace().filter_map(|name| Capability::from_str(name).ok()).collect()
}

fn capability(name: &str) -> Result<Capability, String> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    Capability::from_str(bare).map_err(|_| format!("unknown capability \"{name}\""))
}

/// What the pod sets of its own kernel parameters; admission has let it.
fn sysctls(pod_spec: &PodSpec) -> HashMap<String, String> {
    let wanted = pod_spec.security_context.as_ref().and_then(|context| context.sysctls.as_deref()).unwrap_or_default();
    wanted.iter().map(|sysctl| (sysctl.name.replace('/', "."), sysctl.value.clone())).collect()
}

/// The container's own, or else the pod's.
pub fn seccomp_profile<'a>(container: &'a Container, pod_spec: &'a PodSpec) -> Option<&'a SeccompProfile> {
    let own = container.security_context.as_ref().and_then(|context| context.seccomp_profile.as_ref());
    own.or_else(|| pod_spec.security_context.as_ref()?.seccomp_profile.as_ref())
}

fn mount(destination: &str, typ: &str, source: &Path, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount.set_destination(destination.into());
    mount.set_typ(Some(typ.to_owned()));
    mount.set_source(Some(source.to_owned()));
    mount.set_options(Some(options.iter().map(|option| (*option).to_owned()).collect()));
    mount
}

/// The kernel's file systems, the pod's files in /etc, then the volumes, outer ones before those inside them.
/// /dev/shm is the runtime's: the pod's containers share one.
fn mounts(from: &Ingredients<'_>, pod_spec: &PodSpec, is_privileged: bool) -> Result<Vec<Mount>, String> {
    let devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let quiet = ["nosuid", "noexec", "nodev"];
    let kernels = ["nosuid", "noexec", "nodev", if is_privileged { "rw" } else { "ro" }];
    let dev = ["nosuid", "strictatime", "mode=755", "size=65536k"];
    let mut mounts = vec![
        mount("/proc", "proc", Path::new("proc"), &quiet),
        mount("/dev", "tmpfs", Path::new("tmpfs"), &dev),
        mount("/dev/pts", "devpts", Path::new("devpts"), &devpts),
        mount("/dev/mqueue", "mqueue", Path::new("mqueue"), &quiet),
        mount("/sys", "sysfs", Path::new("sysfs"), &kernels),
        mount("/sys/fs/cgroup", "cgroup", Path::new("cgroup"), &kernels),
    ];
    let volume_mounts = from.container.volume_mounts.as_deref().unwrap_or_default();
    let etc = files::etc_dir(from.pod_dir);
    let termination_path = from.container.termination_message_path.as_deref().unwrap_or("/dev/termination-log");
    for (destination, source) in [
        ("/etc/hosts", etc.join("hosts").as_path()),
        ("/etc/hostname", &etc.join("hostname")),
        ("/etc/resolv.conf", &etc.join("resolv.conf")),
        (termination_path, from.termination_message),
    ] {
        let is_taken = volume_mounts.iter().any(|mount| mount.mount_path == destination);
        if !is_taken {
            mounts.push(mount(destination, "bind", source, &["bind", "rw"]));
        }
    }
    let mut ordered: Vec<_> = volume_mounts.iter().collect();
    ordered.sort_by_key(|mount| Path::new(&mount.mount_path).components().count());
    for wanted in ordered {
        let (volume, source) = volume_of(wanted, pod_spec, from.mounts, from.pod_dir)?;
        // What comes from API objects is not the container's to write.
        let is_readonly = wanted.read_only == Some(true) || !volumes::is_writable(volume);
        let access = if is_readonly { "ro" } else { "rw" };
        let destination = Path::new("/").join(&wanted.mount_path);
        let part = subpath::wanted(wanted, from.environment)?;
        let part = part.map(|part| format!("{}{}", subpath::OPTION, part.display()));
        let options: Vec<&str> = ["rbind", "rprivate", access].into_iter().chain(part.as_deref()).collect();
        mounts.push(mount(&destination.to_string_lossy(), "bind", &source, &options));
    }
    Ok(mounts)
}

/// The volume that a mount names, and where it lies on the host.
pub fn volume_of<'a>(
    mount: &VolumeMount,
    spec: &'a PodSpec,
    mounts: &volumes::Mounts,
    pod_dir: &Path,
) -> Result<(&'a Volume, PathBuf), String> {
    let volume = spec
        .volumes
        .iter()
        .flatten()
        .find(|volume| volume.name == mount.name)
        .ok_or_else(|| format!("volume \"{}\" is not in spec.volumes", mount.name))?;
    let source = match mounts.get(&volume.name) {
        Some(mount) => mount.path.clone(),
        None => volumes::directory(pod_dir, volume),
    };
    Ok((volume, source))
}

/// Limits are not in it: they come with the container, as each runtime is to have them.
fn linux(pod_spec: &PodSpec) -> Linux {
    let mut namespaces = vec![
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Cgroup,
    ];
    if pod_spec.host_network != Some(true) {
        namespaces.push(LinuxNamespaceType::Network);
    }
    let namespaces: Vec<LinuxNamespace> = namespaces
        .into_iter()
        .map(|typ| {
            let mut namespace = LinuxNamespace::default();
            namespace.set_typ(typ);
            namespace
        })
        .collect();
    let strings = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    LinuxBuilder::default()
        .namespaces(namespaces)
        .masked_paths(strings(&MASKED_PATHS))
        .readonly_paths(strings(&READONLY_PATHS))
        .build()
        .expect("every field of Linux has a default")
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
