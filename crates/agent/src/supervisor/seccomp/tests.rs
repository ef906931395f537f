use super::*;

/// Runs a program as the kernel would.
fn run(program: &[sock_filter], arch: u32, number: u32, args: [u64; 6]) -> u32 {
    let (mut pc, mut accumulator) = (0usize, 0u32);
    loop {
        let i = program[pc];
        pc += 1;
        let jump = |taken: bool| usize::from(if taken { i.jt } else { i.jf });
        match i.code {
            LOAD => {
                accumulator = match i.k {
                    NUMBER => number,
                    ARCH => arch,
                    offset => {
                        let arg = args[(offset - ARGS) as usize / 8];
                        if offset % 8 == 0 { arg as u32 } else { (arg >> 32) as u32 }
                    }
                }
            }
            JUMP => pc += i.k as usize,
            JEQ => pc += jump(accumulator == i.k),
            JGT => pc += jump(accumulator > i.k),
            JGE => pc += jump(accumulator >= i.k),
            AND => accumulator &= i.k,
            RETURN => return i.k,
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

fn call(program: &[sock_filter], name: &str, first: u64) -> u32 {
    let number = syscalls::number(name).unwrap();
    run(program, NATIVE, number, [first, 0, 0, 0, 0, 0])
}

#[test]
fn the_default_profile_refuses_what_it_says_and_nothing_else() {
    let program = compile(&default_profile(&Capabilities::new())).unwrap();
    let denied: Vec<_> = DENIED.iter().flat_map(|(_, names)| names.iter()).collect();
    for number in 0..=syscalls::highest() {
        let verdict = run(&program, NATIVE, number, [0; 6]);
        let is_denied = denied.iter().any(|name| syscalls::number(name) == Some(number));
        let expect = match syscalls::number("clone3") {
            Some(clone3) if clone3 == number => errno(libc::ENOSYS),
            _ if is_denied => errno(libc::EPERM),
            _ => ALLOW,
        };
        assert_eq!(verdict, expect, "call {number}");
    }
}

#[test]
fn flags_and_address_families_are_looked_at() {
    let program = compile(&default_profile(&Capabilities::new())).unwrap();
    for (name, first, expect) in [
        ("clone", libc::SIGCHLD as u64, ALLOW),
        ("clone", 0x1000_0011, errno(libc::EPERM)),
        ("clone", 0x0002_0000, errno(libc::EPERM)),
        ("socket", 2, ALLOW),
        ("socket", 40, errno(libc::EAFNOSUPPORT)),
        ("socket", 38, errno(libc::EAFNOSUPPORT)),
        ("socket", 0xdead_beef_0000_0028, errno(libc::EAFNOSUPPORT)),
    ] {
        assert_eq!(call(&program, name, first), expect, "{name}({first:#x})");
    }
}

#[test]
fn capabilities_open_their_calls() {
    let profile = default_profile(&Capabilities::from([Capability::SysAdmin]));
    let program = compile(&profile).unwrap();
    assert_eq!(call(&program, "mount", 0), ALLOW);
    assert_eq!(call(&program, "clone3", 0), ALLOW);
    assert_eq!(call(&program, "reboot", 0), errno(libc::EPERM));
}

#[test]
fn other_abis_and_unknown_numbers_do_not_exist() {
    let program = compile(&default_profile(&Capabilities::new())).unwrap();
    for (arch, number) in
        [(0x4000_0003, 1), (NATIVE, 0x4000_0000), (NATIVE, syscalls::highest() + 1), (NATIVE, u32::MAX)]
    {
        assert_eq!(run(&program, arch, number, [0; 6]), errno(libc::ENOSYS));
    }
}

#[test]
fn every_operator_compares_all_64_bits() {
    use LinuxSeccompOperator::*;
    let big = 0x1_0000_0005u64;
    for (op, two, cases) in [
        (ScmpCmpEq, None, [(big, true), (5, false), (0x1_0000_0000, false)]),
        (ScmpCmpNe, None, [(big, false), (5, true), (0x1_0000_0000, true)]),
        (ScmpCmpGt, None, [(big, false), (big + 1, true), (0x2_0000_0000, true)]),
        (ScmpCmpGe, None, [(big, true), (big - 1, false), (0x2_0000_0000, true)]),
        (ScmpCmpLt, None, [(big, false), (big - 1, true), (0x2_0000_0000, false)]),
        (ScmpCmpLe, None, [(big, true), (big + 1, false), (7, true)]),
        (ScmpCmpMaskedEq, Some(0x1_0000_0001), [(big, false), (0x1_0000_0001, true), (0x3_0000_0003, true)]),
    ] {
        let condition = argument(0, op, big, two);
        let mut profile = LinuxSeccomp::default();
        profile.set_default_action(LinuxSeccompAction::ScmpActAllow).set_syscalls(Some(vec![refuse(
            vec!["read".into()],
            1,
            vec![condition],
        )]));
        let program = compile(&profile).unwrap();
        for (value, matches) in cases {
            let expect = if matches { errno(1) } else { ALLOW };
            assert_eq!(call(&program, "read", value), expect, "{op} {value:#x}");
        }
    }
}

#[test]
fn what_the_built_in_runtime_cannot_do_is_refused() {
    let mut profile = LinuxSeccomp::default();
    profile.set_default_action(LinuxSeccompAction::ScmpActNotify);
    assert!(compile(&profile).is_err());
}
