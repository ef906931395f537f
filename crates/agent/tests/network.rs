//! The pods' network on this kernel, as root: a bridge of the test's own, gone afterwards, also when the test fails.

#![allow(clippy::unwrap_used)]

use agent::network::{Bridge, Connected, Network};
use nix::sched::{CloneFlags, setns};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "these tests make bridges and need root");
        Self { dir: tempfile::Builder::new().prefix("kiln-network-").tempdir().unwrap() }
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn instance(&self) -> String {
        agent::cgroups::instance(&self.state_dir().canonicalize().unwrap())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.state_dir().exists() {
            agent::network::remove(&self.instance()).unwrap();
        }
    }
}

fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

async fn connect(bridge: &Bridge, uid: &str) -> (Ipv4Addr, OwnedFd) {
    match bridge.connect(uid).await.unwrap() {
        Connected::Bridged { address, namespace } => (address, namespace),
        other => panic!("{other:?}"),
    }
}

/// Does something in a network namespace.
fn inside<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let within = scope.spawn(|| {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        within.join().unwrap()
    })
}

/// What a listener hears from whoever connects: the caller's address as the listener sees it.
fn say(from: impl FnOnce() -> TcpStream + Send, listener: TcpListener) -> Ipv4Addr {
    std::thread::scope(|scope| {
        let heard = scope.spawn(move || {
            let (mut stream, caller) = listener.accept().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello");
            match caller {
                SocketAddr::V4(caller) => *caller.ip(),
                SocketAddr::V6(caller) => panic!("{caller}"),
            }
        });
        from().write_all(b"hello").unwrap();
        heard.join().unwrap()
    })
}

#[tokio::test]
async fn pods_reach_each_other_and_the_machine() {
    let machine = Machine::new();
    let bridge = Bridge::set_up(&machine.state_dir()).unwrap();
    let (one_address, one) = connect(&bridge, "one").await;
    let (two_address, two) = connect(&bridge, "two").await;
    assert_ne!(one_address, two_address);
    let listener = inside(&two, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let to_two = || inside(&one, || TcpStream::connect((two_address, port)).unwrap());
    assert_eq!(say(to_two, listener), one_address, "pods see each other's own addresses");
    let listener = TcpListener::bind((bridge.range().gateway(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateway = bridge.range().gateway();
    let to_machine = || inside(&one, || TcpStream::connect((gateway, port)).unwrap());
    assert_eq!(say(to_machine, listener), one_address);
    let to_loopback = inside(&one, || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    assert!(to_loopback.is_ok(), "loopback is up");
}

#[tokio::test]
async fn what_goes_beyond_the_machine_has_the_machines_address() {
    let machine = Machine::new();
    let bridge = Bridge::set_up(&machine.state_dir()).unwrap();
    let (_, pod) = connect(&bridge, "pod").await;
    // Another machine, behind a cable: it knows no way back to pods.
    let beyond = Beyond::new(&machine.instance());
    let listener = inside(&beyond.namespace, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let out = || inside(&pod, || TcpStream::connect((beyond.address, port)).unwrap());
    assert_eq!(say(out, listener), beyond.machines_address);
}

/// A network namespace at the end of a pair of interfaces, with TEST-NET-3's addresses.
struct Beyond {
    near_end: String,
    namespace: OwnedFd,
    address: Ipv4Addr,
    machines_address: Ipv4Addr,
}

impl Beyond {
    fn new(instance: &str) -> Self {
        let near_end = format!("t{}", &instance[5..15]);
        let namespace = std::thread::spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET).unwrap();
            OwnedFd::from(fs::File::open("/proc/thread-self/ns/net").unwrap())
        });
        let namespace = namespace.join().unwrap();
        let beyond =
            Self { near_end, namespace, address: [203, 0, 113, 2].into(), machines_address: [203, 0, 113, 1].into() };
        let near = &beyond.near_end;
        let file = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&beyond.namespace));
        ip(&["link", "add", near, "type", "veth", "peer", "name", "far", "netns", &file]);
        ip(&["addr", "add", "203.0.113.1/24", "dev", near]);
        ip(&["link", "set", near, "up"]);
        inside(&beyond.namespace, || {
            ip(&["addr", "add", "203.0.113.2/24", "dev", "far"]);
            ip(&["link", "set", "far", "up"]);
        });
        beyond
    }
}

impl Drop for Beyond {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.near_end]).status();
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("these tests need ip: apt-get install iproute2");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_server_finds_its_bridge_again_and_takes_it_down_with_the_last_pod() {
    let machine = Machine::new();
    let first = Bridge::set_up(&machine.state_dir()).unwrap();
    let (address, namespace) = connect(&first, "stays").await;
    let gateway = first.range().gateway();
    // Killed: nothing is taken down.
    drop(first);
    let second = Bridge::set_up(&machine.state_dir()).unwrap();
    assert_eq!(second.range().gateway(), gateway);
    second.keep("stays", address);
    let (other, _) = connect(&second, "comes").await;
    assert_ne!(other, address);
    second.release("comes");
    second.close();
    assert!(exists(&machine.instance()), "a pod is still connected");
    second.release("stays");
    drop(namespace);
    second.close();
    assert!(!exists(&machine.instance()));
}

#[tokio::test]
async fn two_servers_do_not_meet() {
    let (one, two) = (Machine::new(), Machine::new());
    let (first, second) = (Bridge::set_up(&one.state_dir()).unwrap(), Bridge::set_up(&two.state_dir()).unwrap());
    assert_ne!(first.range().gateway(), second.range().gateway());
    let (one_address, _one) = connect(&first, "pod").await;
    let (two_address, _two) = connect(&second, "pod").await;
    assert_ne!(one_address, two_address);
    first.release("pod");
    first.close();
    assert!(!exists(&one.instance()) && exists(&two.instance()));
}

#[tokio::test]
async fn an_address_whose_old_pod_the_kernel_still_takes_down_can_be_had() {
    let machine = Machine::new();
    let bridge = Bridge::set_up(&machine.state_dir()).unwrap();
    let (address, _still_there) = connect(&bridge, "old").await;
    bridge.release("old");
    // A server that comes back begins with the first address again.
    let bridge = Bridge::set_up(&machine.state_dir()).unwrap();
    assert_eq!(connect(&bridge, "new").await.0, address);
}
