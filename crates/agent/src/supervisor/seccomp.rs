//! Turns the seccomp section of an OCI runtime spec into a BPF program, and has the profile that containers get by default.
//!
//! System calls with the same treatment form ranges, and the program finds the range by binary search: measured, a comparison per call
//! number costs a container start over a millisecond, this a tenth of that.

use super::syscalls;
use libc::sock_filter;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};
use std::collections::BTreeMap;

// Offsets in struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

// BPF_LD|BPF_W|BPF_ABS, BPF_JMP|{JA,JEQ,JGT,JGE}|BPF_K, BPF_ALU|BPF_AND|BPF_K, BPF_RET|BPF_K
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JGE: u16 = 0x35;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

const ALLOW: u32 = 0x7fff_0000;
const fn errno(number: i32) -> u32 {
    0x0005_0000 | (number as u32 & 0xffff)
}

/// What a call number gets: rules in order, then what holds without a match.
#[derive(Clone, PartialEq)]
struct Treatment {
    rules: Vec<(Vec<LinuxSeccompArg>, u32)>,
    otherwise: u32,
}

/// The program for `profile`. Calls newer than our table, and those of other ABIs (32-bit, x32), fail with ENOSYS, which programs
/// take as "use the older one".
pub fn compile(profile: &LinuxSeccomp) -> Result<Vec<sock_filter>, String> {
    let default = action(profile.default_action(), profile.default_errno_ret())?;
    let mut table = BTreeMap::<u32, Treatment>::new();
    for rule in profile.syscalls().iter().flatten() {
        let verdict = action(rule.action(), rule.errno_ret())?;
        let conditions = rule.args().clone().unwrap_or_default();
        if conditions.iter().any(|condition| 5 < condition.index()) {
            return Err("seccomp: a system call has no argument after the sixth".into());
        }
        for number in rule.names().iter().filter_map(|name| syscalls::number(name)) {
            let entry = table.entry(number).or_insert_with(|| Treatment { rules: Vec::new(), otherwise: default });
            if conditions.is_empty() {
                entry.otherwise = verdict;
            } else {
                entry.rules.push((conditions.clone(), verdict));
            }
        }
    }
    let ranges = ranges(table, default);
    let mut program = vec![
        instruction(LOAD, ARCH, 0, 0),
        instruction(JEQ, NATIVE, 1, 0),
        instruction(RETURN, errno(libc::ENOSYS), 0, 0),
        instruction(LOAD, NUMBER, 0, 0),
    ];
    search(&ranges, &mut program);
    if usize::from(u16::MAX) / 16 < program.len() {
        return Err(format!("seccomp: the profile is too large ({} instructions)", program.len()));
    }
    Ok(program)
}

fn action(action: LinuxSeccompAction, errno_ret: Option<u32>) -> Result<u32, String> {
    use LinuxSeccompAction::*;
    Ok(match action {
        ScmpActKill | ScmpActKillThread => 0x0000_0000,
        ScmpActKillProcess => 0x8000_0000,
        ScmpActTrap => 0x0003_0000,
        ScmpActErrno => errno(errno_ret.map_or(libc::EPERM, |n| n as i32)),
        ScmpActLog => 0x7ffc_0000,
        ScmpActAllow => ALLOW,
        ScmpActNotify | ScmpActTrace => {
            return Err(format!("seccomp: the action {action} is not supported"));
        }
    })
}

/// (first number, treatment), ascending from 0; the last reaches to the end.
fn ranges(table: BTreeMap<u32, Treatment>, default: u32) -> Vec<(u32, Treatment)> {
    let plain = |otherwise| Treatment { rules: Vec::new(), otherwise };
    let mut ranges: Vec<(u32, Treatment)> = vec![(0, plain(default))];
    let mut push = |start: u32, treatment: Treatment| {
        match ranges.last_mut() {
            Some(last) if last.1 == treatment => {}
            Some(last) if last.0 == start => last.1 = treatment,
            _ => ranges.push((start, treatment)),
        };
    };
    for (number, treatment) in table {
        push(number, treatment);
        push(number + 1, plain(default));
    }
    push(syscalls::highest() + 1, plain(errno(libc::ENOSYS)));
    ranges
}

fn search(ranges: &[(u32, Treatment)], program: &mut Vec<sock_filter>) {
    let [(_, only)] = ranges else {
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let mut left = Vec::new();
        search(low, &mut left);
        // Conditional jumps reach 255 instructions, unconditional ones any.
        match u8::try_from(left.len()) {
            Ok(length) => program.push(instruction(JGE, high[0].0, length, 0)),
            Err(_) => {
                program.push(instruction(JGE, high[0].0, 0, 1));
                program.push(instruction(JUMP, left.len() as u32, 0, 0));
            }
        }
        program.extend(left);
        search(high, program);
        return;
    };
    for (conditions, verdict) in &only.rules {
        rule(conditions, *verdict, program);
    }
    program.push(instruction(RETURN, only.otherwise, 0, 0));
}

/// Returns `verdict` if all conditions hold, else goes on behind itself.
fn rule(conditions: &[LinuxSeccompArg], verdict: u32, program: &mut Vec<sock_filter>) {
    let mut body = vec![instruction(RETURN, verdict, 0, 0)];
    for condition in conditions.iter().rev() {
        let mut checked = compare(condition, body.len() as u8);
        checked.append(&mut body);
        body = checked;
    }
    program.extend(body);
}

/// Falls through if the condition holds, else skips what follows it and `rest` further instructions.
/// Arguments are 64 bits, instructions 32: high word first.
fn compare(condition: &LinuxSeccompArg, rest: u8) -> Vec<sock_filter> {
    use LinuxSeccompOperator::*;
    let word = ARGS + 8 * condition.index() as u32;
    let (load_low, load_high) = (instruction(LOAD, word, 0, 0), instruction(LOAD, word + 4, 0, 0));
    let value = condition.value();
    let (low, high) = (value as u32, (value >> 32) as u32);
    match condition.op() {
        ScmpCmpEq => vec![load_high, instruction(JEQ, high, 0, rest + 2), load_low, instruction(JEQ, low, 0, rest)],
        ScmpCmpNe => vec![load_high, instruction(JEQ, high, 0, 2), load_low, instruction(JEQ, low, rest, 0)],
        ScmpCmpMaskedEq => {
            let wanted = condition.value_two().unwrap_or(0);
            vec![
                load_high,
                instruction(AND, high, 0, 0),
                instruction(JEQ, (wanted >> 32) as u32, 0, rest + 3),
                load_low,
                instruction(AND, low, 0, 0),
                instruction(JEQ, wanted as u32, 0, rest),
            ]
        }
        ScmpCmpGt => vec![
            load_high,
            instruction(JGT, high, 3, 0),
            instruction(JEQ, high, 0, rest + 2),
            load_low,
            instruction(JGT, low, 0, rest),
        ],
        ScmpCmpGe => vec![
            load_high,
            instruction(JGT, high, 3, 0),
            instruction(JEQ, high, 0, rest + 2),
            load_low,
            instruction(JGE, low, 0, rest),
        ],
        ScmpCmpLt => vec![
            load_high,
            instruction(JGT, high, rest + 3, 0),
            instruction(JEQ, high, 0, 2),
            load_low,
            instruction(JGE, low, rest, 0),
        ],
        ScmpCmpLe => vec![
            load_high,
            instruction(JGT, high, rest + 3, 0),
            instruction(JEQ, high, 0, 2),
            load_low,
            instruction(JGT, low, rest, 0),
        ],
    }
}

fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Calls that the default profile refuses, with the capability (if any) that opens them: those that change the machine
/// rather than the container, load code into the kernel, or have mostly been of use to attackers.
const DENIED: &[(Option<Capability>, &[&str])] = &[
    (
        Some(Capability::SysAdmin),
        &[
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "pivot_root",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "swapoff",
            "swapon",
            "umount2",
            "unshare",
        ],
    ),
    (Some(Capability::Syslog), &["syslog"]),
    (Some(Capability::Bpf), &["bpf"]),
    (Some(Capability::Perfmon), &["perf_event_open"]),
    (Some(Capability::DacReadSearch), &["open_by_handle_at"]),
    (Some(Capability::SysBoot), &["kexec_file_load", "kexec_load", "reboot"]),
    (Some(Capability::SysModule), &["delete_module", "finit_module", "init_module"]),
    (Some(Capability::SysPacct), &["acct"]),
    (Some(Capability::SysRawio), &["ioperm", "iopl"]),
    (Some(Capability::SysTime), &["clock_adjtime", "clock_settime", "settimeofday"]),
    (Some(Capability::SysTtyConfig), &["vhangup"]),
    (Some(Capability::SysPtrace), &["kcmp"]),
    (Some(Capability::SysNice), &["move_pages"]),
    (
        None,
        &[
            "_sysctl",
            "add_key",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "keyctl",
            "nfsservctl",
            "request_key",
            "sysfs",
            "uselib",
            "userfaultfd",
            "ustat",
        ],
    ),
];

/// What a container without a profile of its own gets, given its capabilities.
pub fn default_profile(capabilities: &Capabilities) -> LinuxSeccomp {
    let is_open = |by: &Option<Capability>| by.is_some_and(|by| capabilities.contains(&by));
    let denied = DENIED.iter().filter(|(by, _)| !is_open(by));
    let names = denied.flat_map(|(_, names)| names.iter().map(|name| name.to_string()));
    let mut rules = vec![refuse(names.collect(), libc::EPERM, Vec::new())];
    if !capabilities.contains(&Capability::SysAdmin) {
        // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; clone3 hides its flags behind a pointer, so that libc must take clone.
        for flag in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            let set = argument(0, LinuxSeccompOperator::ScmpCmpMaskedEq, flag, Some(flag));
            rules.push(refuse(vec!["clone".into()], libc::EPERM, vec![set]));
        }
        rules.push(refuse(vec!["clone3".into()], libc::ENOSYS, Vec::new()));
    }
    // AF_ALG (kernel crypto) and AF_VSOCK (the hypervisor's network, which no namespace separates).
    for family in [38, 40] {
        // The kernel takes an int: what is in the upper half of the register does not count.
        let is = argument(0, LinuxSeccompOperator::ScmpCmpMaskedEq, 0xffff_ffff, Some(family));
        rules.push(refuse(vec!["socket".into()], libc::EAFNOSUPPORT, vec![is]));
    }
    let mut profile = LinuxSeccomp::default();
    profile.set_default_action(LinuxSeccompAction::ScmpActAllow).set_syscalls(Some(rules));
    profile
}

fn refuse(names: Vec<String>, errno: i32, args: Vec<LinuxSeccompArg>) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(names)
        .set_action(LinuxSeccompAction::ScmpActErrno)
        .set_errno_ret(Some(errno as u32))
        .set_args((!args.is_empty()).then_some(args));
    rule
}

fn argument(index: usize, op: LinuxSeccompOperator, value: u64, value_two: Option<u64>) -> LinuxSeccompArg {
    let mut argument = LinuxSeccompArgBuilder::default().index(index).op(op).value(value);
    if let Some(value) = value_two {
        argument = argument.value_two(value);
    }
    argument.build().expect("every field has a default")
}

#[cfg(test)]
mod tests;
