//! What a container sees and can do: nothing of the host, and nothing to it.

use crate::harness::{Machine, Pod, eventually, text};
use agent::runtime::{Container, Tmpfs};
use oci_spec::runtime::{LinuxDeviceBuilder, LinuxDeviceType, Mount, MountBuilder, RootBuilder};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs each script in a container of its own and compares what it prints.
async fn check(machine: &Machine, pod: &Pod<'_>, cases: &[(&str, &str)]) {
    check_with(machine, pod, |_| {}, cases).await;
}

async fn check_with(machine: &Machine, pod: &Pod<'_>, change: impl Fn(&mut Container), cases: &[(&str, &str)]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    for (script, expect) in cases {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut container = machine.container(&format!("case-{number}"), script);
        change(&mut container);
        let (_, seen) = pod.run(container).await;
        assert_eq!(seen.trim_end(), *expect, "{script}");
    }
}

pub fn bind(source: &Path, destination: &str, options: &[&str]) -> Mount {
    let mut all = vec!["rbind".to_owned()];
    all.extend(options.iter().map(|option| option.to_string()));
    MountBuilder::default().source(source).destination(destination).typ("bind").options(all).build().unwrap()
}

fn add_mounts(container: &mut Container, mounts: Vec<Mount>) {
    container.spec.set_mounts(Some(mounts));
}

#[tokio::test]
async fn it_is_pid_1_in_a_world_of_its_own() {
    let machine = Machine::new();
    let pod = machine.pod("world").await;
    check(
        &machine,
        &pod,
        &[
            ("echo $$", "1"),
            ("ls -d /proc/[0-9]*; true", "/proc/1"),
            ("hostname", "host-world"),
            ("readlink /proc/1/exe", "/bin/busybox"),
            ("cat /proc/net/dev | grep -c :", "1"),
            ("ip addr show lo | grep -c 'inet 127.0.0.1'", "1"),
            ("cat /proc/self/cgroup | grep -v ':/$' | grep -c kiln", "0"),
            ("pwd", "/"),
            ("umask", "0022"),
            ("echo $HOME", "/root"),
            ("readlink /proc/self/fd/0; read x; echo $?", "/dev/null\n1"),
            ("ls /", "bin\ndev\netc\nproc\nsys\ntmp"),
        ],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_open_but_stdio() {
    let machine = Machine::new();
    let pod = machine.pod("fds").await;
    // Another container's pipes and the supervisor's socket are open in the parent meanwhile.
    pod.start("neighbour", "while :; do sleep 1; done").await;
    check(&machine, &pod, &[("ls /proc/1/fd; true", "0\n1\n2")]).await;
}

#[tokio::test]
async fn containers_of_a_pod_share_what_kubernetes_says() {
    let machine = Machine::new();
    let pod = machine.pod("shared").await;
    let script = "echo hello > /dev/shm/x; hostname; readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts";
    let first = pod.run(machine.container("a", script)).await.1;
    let script = "test \"$(cat /dev/shm/x)\" = hello || echo no shm; hostname; readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts";
    let second = pod.run(machine.container("b", script)).await.1;
    assert_eq!(first, second);
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert!(!first.contains(own.to_str().unwrap()), "the host's network");
}

#[tokio::test]
async fn the_hosts_network_is_there_when_asked_for() {
    let machine = Machine::new();
    let mut sandbox = machine.sandbox("host-net");
    sandbox.host_network = true;
    let pod = machine.pod_of(sandbox).await;
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    check(&machine, &pod, &[("readlink /proc/self/ns/net", own.to_str().unwrap())]).await;
    let mut container = machine.container("sysctl", "true");
    set_sysctl(&mut container, "net.ipv4.ip_forward", "1");
    assert!(pod.sandbox.start(container).await.is_err(), "the host's settings are not the pod's");
}

fn set_sysctl(container: &mut Container, name: &str, value: &str) {
    let linux = container.spec.linux_mut().as_mut().unwrap();
    linux.set_sysctl(Some(HashMap::from([(name.to_owned(), value.to_owned())])));
}

#[tokio::test]
async fn sysctls_are_set_if_they_are_the_pods_own() {
    let machine = Machine::new();
    let pod = machine.pod("sysctl").await;
    let mut container = machine.container("a", "cat /proc/sys/net/ipv4/ip_forward");
    set_sysctl(&mut container, "net.ipv4.ip_forward", "1");
    assert_eq!(pod.run(container).await.1, "1\n");
    for name in ["kernel.core_pattern", "vm.swappiness", "net.../../kernel.core_pattern", "net./etc/x"] {
        let mut container = machine.container("b", "true");
        set_sysctl(&mut container, name, "1");
        let error = pod.sandbox.start(container).await.unwrap_err().to_string();
        assert!(error.contains("sysctl"), "{error}");
    }
}

#[tokio::test]
async fn writes_stay_in_the_container() {
    let machine = Machine::new();
    let pod = machine.pod("writes").await;
    check(&machine, &pod, &[("rm /etc/passwd; echo x > /etc/new; ls /etc", "group\nnew\nsecret")]).await;
    assert!(machine.root().join("etc/passwd").exists());
    assert!(!machine.root().join("etc/new").exists());
}

#[tokio::test]
async fn a_read_only_root_is_read_only_and_its_volumes_are_not() {
    let machine = Machine::new();
    let volume = machine.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let pod = machine.pod("readonly").await;
    let change = |container: &mut Container| {
        container.spec.set_root(Some(RootBuilder::default().path("/").readonly(true).build().unwrap()));
        container.rootfs.overlays = vec![(machine.root().join("etc"), "/opt/etc".into())];
        let readonly = bind(&volume, "/ro", &["ro"]);
        add_mounts(container, vec![bind(&volume, "/volume", &[]), readonly]);
    };
    check_with(
        &machine,
        &pod,
        change,
        &[
            ("touch /x 2>&1", "touch: /x: Read-only file system"),
            ("touch /opt/etc/x 2>&1", "touch: /opt/etc/x: Read-only file system"),
            ("touch /ro/x 2>&1", "touch: /ro/x: Read-only file system"),
            ("echo fine > /volume/x; cat /ro/x", "fine"),
            ("echo fine > /dev/shm/x; cat /dev/shm/x; echo x > /dev/null", "fine"),
            ("touch /sys/x /proc/sys/kernel/domainname 2>&1 | grep -c 'Read-only'", "2"),
        ],
    )
    .await;
    assert_eq!(fs::read_to_string(volume.join("x")).unwrap(), "fine\n");
}

#[tokio::test]
async fn masked_paths_show_nothing() {
    let machine = Machine::new();
    fs::create_dir_all(machine.root().join("home/me")).unwrap();
    fs::write(machine.root().join("home/me/key"), "secret").unwrap();
    symlink("/etc/secret", machine.root().join("etc/alias")).unwrap();
    let volume = machine.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let pod = machine.pod("masked").await;
    let change = |container: &mut Container| {
        container.rootfs.masked = ["/home", "/etc/alias", "/not/there", "/etc/passwd/not"].map(Into::into).into();
        add_mounts(container, vec![bind(&volume, "/home/volume", &[])]);
    };
    check_with(
        &machine,
        &pod,
        change,
        &[
            ("cat /etc/secret; cat /etc/alias; echo end", "end"),
            ("ls /home", "volume"),
            ("touch /home/x 2>&1", "touch: /home/x: Read-only file system"),
            ("echo x > /home/volume/x; cat /home/volume/x", "x"),
            ("head -c 1 /proc/version | wc -c", "0"),
            ("umount /home 2>&1 | grep -c -i 'not permitted'", "1"),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_images_links_do_not_lead_out() {
    let machine = Machine::new();
    let victim = machine.dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    let up = "../".repeat(20);
    let root = machine.root();
    symlink(&victim, root.join("absolute")).unwrap();
    symlink(format!("{up}{}", victim.display()), root.join("relative")).unwrap();
    symlink("/proc/1/root", root.join("magic")).unwrap();
    let volume = machine.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("file"), "volume").unwrap();
    let pod = machine.pod("links").await;
    for (number, place) in ["/absolute/a", "/relative/b", "/relative/../../../c", "/absolute"].into_iter().enumerate() {
        let script = format!("cat {place}/file && echo was here > {place}/{number}");
        let mut container = machine.container(&format!("c{number}"), &script);
        add_mounts(&mut container, vec![bind(&volume, place, &[])]);
        // It lands inside, or is refused; the host has nothing of it.
        match pod.sandbox.start(container).await {
            Ok(_) => assert_eq!(pod.ended(&format!("c{number}")).await.0, 0, "{place}"),
            Err(error) => assert!(error.to_string().contains("failed to mount"), "{error}"),
        }
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{place}");
    }
    let mut container = machine.container("magic", "true");
    add_mounts(&mut container, vec![bind(&volume, "/magic/tmp", &[])]);
    let _ = pod.sandbox.start(container).await;
    assert!(!Path::new("/tmp/file").exists());
    // The same for what is masked, and for overlays.
    let mut container = machine.container("overlay", "cat /absolute/x/secret");
    container.rootfs.overlays = vec![(root.join("etc"), "/absolute/x".into())];
    container.rootfs.masked = vec!["/relative/../../../../etc/hostname".into()];
    if pod.sandbox.start(container).await.is_ok() {
        assert_eq!(pod.ended("overlay").await.0, 0);
    }
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    let hostname = fs::read_to_string("/etc/hostname").unwrap();
    assert!(!hostname.is_empty(), "the host's own file was masked");
}

#[tokio::test]
async fn an_image_cannot_put_proc_elsewhere() {
    let machine = Machine::new();
    symlink("/tmp", machine.root().join("proc")).unwrap();
    let pod = machine.pod("proc").await;
    let error = pod.sandbox.start(machine.container("c", "true")).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to mount /proc"), "{error}");
}

#[tokio::test]
async fn a_working_directory_leads_nowhere_else() {
    let machine = Machine::new();
    let pod = machine.pod("cwd").await;
    for number in 3..40 {
        let mut container = machine.container("c", "ls -d /etc/secret; pwd");
        container.attempt = number;
        let process = container.spec.process_mut().as_mut().unwrap();
        process.set_cwd(format!("/proc/self/fd/{number}").into());
        let log = container.log_path.clone();
        if pod.sandbox.start(container).await.is_ok() {
            pod.ended("c").await;
            assert!(text(&log).contains("/etc/secret"), "descriptor {number} leads out of the root");
        }
    }
    let mut container = machine.container("made", "pwd");
    container.spec.process_mut().as_mut().unwrap().set_cwd("/work/made/for/it".into());
    assert_eq!(pod.run(container).await.1, "/work/made/for/it\n");
}

#[tokio::test]
async fn the_kernel_refuses_what_the_profile_refuses() {
    let machine = Machine::new();
    let pod = machine.pod("seccomp").await;
    check(
        &machine,
        &pod,
        &[
            ("unshare -U true 2>&1", "unshare: unshare(0x10000000): Operation not permitted"),
            ("grep Seccomp: /proc/1/status | tail -c 2", "2"),
            ("mount -t tmpfs x /tmp 2>&1 | grep -c -i 'not permitted\\|denied'", "1"),
            ("dmesg 2>&1 | grep -c -i 'not permitted'", "1"),
        ],
    )
    .await;
    let unconfined = |container: &mut Container| {
        container.spec.linux_mut().as_mut().unwrap().set_seccomp(None);
    };
    check_with(&machine, &pod, unconfined, &[("grep Seccomp: /proc/1/status | tail -c 2", "0")]).await;
    let no_new_privileges = |container: &mut Container| {
        container.spec.process_mut().as_mut().unwrap().set_no_new_privileges(Some(true));
    };
    let script = "grep NoNewPrivs: /proc/1/status | tail -c 2; grep Seccomp: /proc/1/status | tail -c 2";
    check_with(&machine, &pod, no_new_privileges, &[(script, "1\n2")]).await;
}

#[tokio::test]
async fn capabilities_and_users_are_those_of_the_spec() {
    let machine = Machine::new();
    let pod = machine.pod("users").await;
    let caps = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/1/status | awk '{print $2}'";
    let none = "0000000000000000";
    let default = "00000000880405fb";
    check(&machine, &pod, &[(caps, &[none, default, default, default, none].join("\n"))]).await;
    let web = |container: &mut Container| {
        let process = container.spec.process_mut().as_mut().unwrap();
        process.user_mut().set_username(Some("web".into())).set_additional_gids(Some(vec![7]));
    };
    check_with(
        &machine,
        &pod,
        web,
        &[
            ("id -u; id -g; id -G", "33\n44\n44 7 8"),
            (caps, &[none, none, none, default, none].join("\n")),
            ("echo $HOME", "/srv"),
            ("echo out > /dev/stdout; echo err > /dev/stderr", "out\nerr"),
            ("touch /x 2>&1", "touch: /x: Permission denied"),
        ],
    )
    .await;
    let nobody = |container: &mut Container| {
        container.spec.process_mut().as_mut().unwrap().user_mut().set_uid(65534).set_gid(65534);
    };
    check_with(&machine, &pod, nobody, &[("id -u; id -g; id -G", "65534\n65534\n65534")]).await;
}

#[tokio::test]
async fn device_nodes_that_it_makes_do_not_work() {
    let machine = Machine::new();
    let volume = machine.dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let pod = machine.pod("devices").await;
    let change = |container: &mut Container| {
        add_mounts(container, vec![bind(&volume, "/volume", &[])]);
        let mut devices = LinuxDeviceBuilder::default();
        devices = devices.path("/dev/extra").typ(LinuxDeviceType::C).major(1).minor(5);
        container.spec.linux_mut().as_mut().unwrap().set_devices(Some(vec![devices.build().unwrap()]));
    };
    let places = ["", "/dev", "/dev/shm", "/volume", "/tmp"];
    for place in places {
        let script = format!("mknod {place}/node c 1 5 && head -c 1 {place}/node 2>&1 | grep -c -i denied");
        check_with(&machine, &pod, change, &[(&script, "1")]).await;
    }
    let script = "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; \
                  head -c 3 /dev/zero /dev/extra | wc -c; echo x > /dev/null; readlink /dev/fd; test -c /dev/ptmx";
    let mut container = machine.container("all", script);
    change(&mut container);
    let (code, seen) = pod.run(container).await;
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("no "), "{seen}");
}

#[tokio::test]
async fn memory_over_the_limit_is_an_oom_kill() {
    let machine = Machine::new();
    let pod = machine.pod("oom").await;
    let mut container = machine.container("big", "exec dd if=/dev/zero of=/dev/null bs=64M count=1");
    container.resources.memory_limit_bytes = Some(16 << 20);
    pod.sandbox.start(container).await.unwrap();
    assert_eq!(pod.ended("big").await, (137, true));
    let mut container = machine.container("small", "exec dd if=/dev/zero of=/dev/null bs=1M count=1");
    container.resources.memory_limit_bytes = Some(16 << 20);
    pod.sandbox.start(container).await.unwrap();
    assert_eq!(pod.ended("small").await, (0, false));
}

#[tokio::test]
async fn processes_over_the_limit_cannot_be_forked() {
    let machine = Machine::new();
    let pod = machine.pod("pids").await;
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 9 & done 2>&1";
    let mut container = machine.container("c", script);
    container.resources.pids_limit = Some(5);
    let (_, seen) = pod.run(container).await;
    assert!(seen.contains("can't fork"), "{seen}");
}

#[tokio::test]
async fn limits_show_inside_the_container() {
    let machine = Machine::new();
    let pod = machine.pod("limits").await;
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null";
    let mut container = machine.container("c", script);
    container.resources.memory_limit_bytes = Some(32 << 20);
    container.resources.cpu_limit_milli = Some(500);
    container.resources.cpu_request_milli = Some(250);
    assert_eq!(pod.run(container).await.1, "33554432\n");
}

#[tokio::test]
async fn memory_volumes_live_in_the_pod_alone() {
    let machine = Machine::new();
    let mut sandbox = machine.sandbox("tmpfs");
    let path = sandbox.dir.join("volumes/secret");
    sandbox.tmpfs = vec![Tmpfs { path: path.clone(), size_bytes: Some(1 << 20), mode: 0o1777 }];
    let pod = machine.pod_of(sandbox).await;
    let through = pod.sandbox.root().join(path.strip_prefix("/").unwrap());
    fs::write(through.join("key"), "value\n").unwrap();
    assert!(!path.join("key").exists(), "the host sees it");
    let change = |container: &mut Container| add_mounts(container, vec![bind(&path, "/secret", &["ro"])]);
    check_with(
        &machine,
        &pod,
        change,
        &[("cat /secret/key", "value"), ("touch /secret/x 2>&1", "touch: /secret/x: Read-only file system")],
    )
    .await;
    pod.start("long", "while :; do sleep 1; done").await;
    eventually("mounts stay out of the host", || {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        !mounts.contains(machine.dir.path().to_str().unwrap())
    });
}

#[tokio::test]
async fn its_device_files_are_not_the_hosts() {
    let machine = Machine::new();
    let pod = machine.pod("devices").await;
    let script = "for d in null zero full random urandom tty; do stat -c '%n %a %t:%T' /dev/$d; done; \
        echo x > /dev/null; head -c 2 /dev/zero | wc -c; chmod 600 /dev/full && stat -c %a /dev/full";
    let expect = "/dev/null 666 1:3\n/dev/zero 666 1:5\n/dev/full 666 1:7\n/dev/random 666 1:8\n/dev/urandom 666 1:9\n\
        /dev/tty 666 5:0\n2\n600";
    let before = fs::metadata("/dev/full").unwrap().permissions();
    let (_, seen) = pod.script(script).await;
    let after = fs::metadata("/dev/full").unwrap().permissions();
    // Before any assertion, so that a failure does not stay with the machine.
    fs::set_permissions("/dev/full", before.clone()).unwrap();
    assert_eq!(before, after);
    assert_eq!(seen.trim_end(), expect);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_a_mount_point_all_the_same() {
    let machine = Machine::new();
    let pod = machine.pod("dangling").await;
    let source = machine.dir.path().join("resolv.conf");
    fs::write(&source, "nameserver 192.0.2.1\n").unwrap();
    for (link, target) in [
        ("etc/relative", "../run/a/stub"),
        ("etc/absolute", "/run/b/stub"),
        ("etc/chain", "next"),
        ("etc/next", "/run/../../../c"),
        ("etc/loop", "loop"),
    ] {
        symlink(target, machine.root().join(link)).unwrap();
    }
    let places = ["/etc/relative", "/etc/absolute", "/etc/chain"];
    let mounts = |container: &mut Container| {
        add_mounts(container, places.iter().map(|place| bind(&source, place, &["rw"])).collect());
    };
    let line = "nameserver 192.0.2.1";
    let expect = format!("{line}\n{line}\n{line}\n{line}");
    check_with(&machine, &pod, mounts, &[("cat /etc/relative /etc/absolute /etc/chain /c", &expect)]).await;
    assert!(!Path::new("/run/a/stub").exists());

    let mut looped = machine.container("looped", "true");
    add_mounts(&mut looped, vec![bind(&source, "/etc/loop", &["rw"])]);
    let error = pod.sandbox.start(looped).await.unwrap_err().to_string();
    assert!(error.contains("/etc/loop"), "{error}");
}

#[tokio::test]
async fn an_images_account_files_may_be_anything() {
    let machine = Machine::new();
    let pod = machine.pod("accounts").await;
    let passwd = machine.root().join("etc/passwd");
    fs::remove_file(&passwd).unwrap();
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRUSR).unwrap();
    check(&machine, &pod, &[("echo fifo $HOME", "fifo /")]).await;
    fs::remove_file(&passwd).unwrap();
    symlink("/dev/zero", &passwd).unwrap();
    check(&machine, &pod, &[("echo zero $HOME", "zero /")]).await;
}

/// An overlay cannot lie on another; a machine that is a container itself often has nothing else.
#[tokio::test]
async fn where_the_disk_cannot_hold_what_is_written_memory_does() {
    use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
    // Of this thread and what it starts; the machine sees none of it.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    let base = tempfile::tempdir().unwrap();
    let place = |name: &str| base.path().join(name);
    ["lower", "upper", "work", "over"].iter().for_each(|name| fs::create_dir(place(name)).unwrap());
    let layers = ["lowerdir", "upperdir", "workdir"].iter().zip(["lower", "upper", "work"]);
    let options: Vec<_> = layers.map(|(option, name)| format!("{option}={}", place(name).display())).collect();
    let options = std::ffi::CString::new(options.join(",")).unwrap();
    mount("overlay", place("over"), "overlay", MountFlags::empty(), Some(options.as_c_str())).unwrap();
    {
        let machine = Machine::new_in(&place("over"));
        let pod = machine.pod("memory").await;
        check(&machine, &pod, &[("cat /etc/secret; echo mine > /etc/own; cat /etc/own", "do not read\nmine")]).await;
    }
    unmount(place("over"), UnmountFlags::DETACH).unwrap();
}
