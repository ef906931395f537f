//! Who a container's process is: user and groups, capabilities, resource limits. Runs in the container's first process.

use super::sys;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, PosixRlimit, PosixRlimitType, User};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::io;

/// A user as the kernel wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// The user of the spec. A `username` (`user[:group]`, names or numbers) is looked up in the image's own files, whose texts are given.
pub fn identity(user: &User, passwd: &str, group: &str) -> Result<Identity, String> {
    let extra = user.additional_gids().clone().unwrap_or_default();
    let Some(name) = user.username().as_deref().filter(|name| !name.is_empty()) else {
        return Ok(Identity { uid: user.uid(), gid: user.gid(), groups: extra });
    };
    let (user_name, group_name) = match name.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (name, None),
    };
    let line = passwd.lines().map(fields).find(|fields| {
        fields.first() == Some(&user_name) || user_name.parse::<u32>().is_ok() && fields.get(2) == Some(&user_name)
    });
    let number = |fields: &[&str], at: usize| fields.get(at).and_then(|n| n.parse().ok());
    let uid = match &line {
        Some(fields) => number(fields, 2),
        None => user_name.parse().ok(),
    };
    let uid = uid.ok_or_else(|| format!("unable to find user {user_name}: no matching entries in passwd file"))?;
    let gid = match group_name {
        Some(wanted) => group
            .lines()
            .map(fields)
            .find(|fields| fields.first() == Some(&wanted))
            .and_then(|fields| number(&fields, 2))
            .or_else(|| wanted.parse().ok())
            .ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))?,
        None => line.as_ref().and_then(|fields| number(fields, 3)).unwrap_or(0),
    };
    let mut groups = extra;
    if let (Some(fields_of_user), None) = (&line, group_name) {
        let login = fields_of_user[0];
        let member_of = group.lines().map(fields).filter(|fields| {
            let members = fields.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| member == login)
        });
        groups.extend(member_of.filter_map(|fields| number(&fields, 2)));
    }
    Ok(Identity { uid, gid, groups })
}

/// The home directory of a user, `/` if the image knows none.
pub fn home(passwd: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let line = passwd.lines().map(fields).find(|fields| fields.get(2) == Some(&uid.as_str()));
    let home = line.and_then(|fields| fields.get(5).copied()).filter(|home| !home.is_empty());
    home.unwrap_or("/").to_owned()
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

/// Becomes `identity` with the capabilities given, and no more. `no_new_privs` and seccomp are the caller's.
pub fn become_user(identity: &Identity, wanted: Option<&LinuxCapabilities>) -> io::Result<()> {
    let none = Capabilities::new();
    let set = |of: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
        bits(wanted.and_then(|sets| of(sets).as_ref()).unwrap_or(&none))
    };
    let bounding = set(LinuxCapabilities::bounding);
    for number in 0..64 {
        // The kernel answers EINVAL for the first capability that it does not know.
        let Ok(has) = sys::bounding_has(number) else {
            break;
        };
        if has && bounding & (1 << number) == 0 {
            sys::bounding_drop(number)?;
        }
    }
    prctl::set_keepcaps(true)?;
    let groups: Vec<_> = identity.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    match setgroups(&groups) {
        // A namespace with one user keeps the groups it was made with.
        Err(Errno::EPERM) if has_fixed_groups() => {}
        set => set?,
    }
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    prctl::set_keepcaps(false)?;

    // What this server does not have itself (it may run in a container) it cannot hand on.
    let own = capabilities(None)?.permitted;
    let limited = |wanted: u64| CapabilitySet::from_bits_retain(wanted) & own;
    let permitted = limited(set(LinuxCapabilities::permitted));
    let inheritable = limited(set(LinuxCapabilities::inheritable));
    set_capabilities(
        None,
        CapabilitySets { effective: limited(set(LinuxCapabilities::effective)) & permitted, permitted, inheritable },
    )?;
    sys::ambient_clear()?;
    let ambient = limited(set(LinuxCapabilities::ambient)) & permitted & inheritable;
    for number in 0..64 {
        if ambient.bits() & (1 << number) != 0 {
            sys::ambient_raise(number)?;
        }
    }
    Ok(())
}

fn has_fixed_groups() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// Sets the limits; raising one beyond the host's own may be refused, and then the host's stands.
pub fn limit(limits: &[PosixRlimit]) -> io::Result<()> {
    for limit in limits {
        match setrlimit(resource(limit.typ()), limit.soft(), limit.hard()) {
            Ok(()) | Err(nix::errno::Errno::EPERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn resource(of: PosixRlimitType) -> Resource {
    match of {
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
    }
}

fn bits(set: &Capabilities) -> u64 {
    set.iter().fold(0, |bits, capability| bits | 1 << number(*capability))
}

/// The kernel's number (linux/capability.h).
pub fn number(capability: Capability) -> u32 {
    use Capability::*;
    match capability {
        Chown => 0,
        DacOverride => 1,
        DacReadSearch => 2,
        Fowner => 3,
        Fsetid => 4,
        Kill => 5,
        Setgid => 6,
        Setuid => 7,
        Setpcap => 8,
        LinuxImmutable => 9,
        NetBindService => 10,
        NetBroadcast => 11,
        NetAdmin => 12,
        NetRaw => 13,
        IpcLock => 14,
        IpcOwner => 15,
        SysModule => 16,
        SysRawio => 17,
        SysChroot => 18,
        SysPtrace => 19,
        SysPacct => 20,
        SysAdmin => 21,
        SysBoot => 22,
        SysNice => 23,
        SysResource => 24,
        SysTime => 25,
        SysTtyConfig => 26,
        Mknod => 27,
        Lease => 28,
        AuditWrite => 29,
        AuditControl => 30,
        Setfcap => 31,
        MacOverride => 32,
        MacAdmin => 33,
        Syslog => 34,
        WakeAlarm => 35,
        BlockSuspend => 36,
        AuditRead => 37,
        Perfmon => 38,
        Bpf => 39,
        CheckpointRestore => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nwww:x:44:\nextra:x:50:web,other\n";

    #[track_caller]
    fn check(name: &str, expect: Result<(u32, u32, &[u32]), &str>) {
        let mut user = User::default();
        user.set_username(Some(name.to_owned())).set_additional_gids(Some(vec![7]));
        match (identity(&user, PASSWD, GROUP), expect) {
            (Ok(seen), Ok((uid, gid, groups))) => {
                let groups = groups.to_vec();
                assert_eq!(seen, Identity { uid, gid, groups });
            }
            (Err(seen), Err(part)) => assert!(seen.contains(part), "{seen}"),
            (seen, _) => panic!("{seen:?}"),
        }
    }

    #[test]
    fn names_are_looked_up_in_the_images_files() {
        check("web", Ok((33, 44, &[7, 50])));
        check("33", Ok((33, 44, &[7, 50])));
        check("web:extra", Ok((33, 50, &[7])));
        check("web:9", Ok((33, 9, &[7])));
        check("1234", Ok((1234, 0, &[7])));
        check("nobody", Err("unable to find user nobody"));
        check("root:nogroup", Err("unable to find group nogroup"));
        check("", Ok((0, 0, &[7])));
    }

    #[test]
    fn capability_numbers_are_distinct() {
        let set = Capabilities::from([Capability::Chown, Capability::SysAdmin, Capability::Bpf]);
        assert_eq!(bits(&set), 1 | 1 << 21 | 1 << 39);
    }
}
