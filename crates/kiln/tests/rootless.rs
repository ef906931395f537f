//! Without root: containers in a user namespace of an ordinary user, with one id and with subordinate ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;
use support::{KILN, kubectl, processes, signal, stderr, stdout, wait_for};

/// Nobody's on any machine, and in no file of users.
const UID: u32 = 54_321;

/// A user with a home directory, a kiln and nothing else.
struct User {
    home: tempfile::TempDir,
    has_subordinates: bool,
}

impl User {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("kiln-test-user-").tempdir().unwrap();
        std::fs::copy(KILN, home.path().join("kiln")).unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(home.path(), Some(UID), Some(UID)).unwrap();
        Self { home, has_subordinates: false }
    }

    /// With a range of ids, as `usermod --add-subuids` gives one; only the user's processes see that.
    fn with_subordinates() -> Self {
        let mut user = Self::new();
        user.has_subordinates = true;
        std::fs::write(user.path("ids"), format!("{UID}:700000:65536\n")).unwrap();
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        std::fs::write(user.path("passwd"), format!("{users}kiln-test:x:{UID}:{UID}::/:/bin/sh\n")).unwrap();
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn kiln(&self, arguments: &[&str]) -> Command {
        let ids = [format!("--reuid={UID}"), format!("--regid={UID}"), "--clear-groups".into()];
        let mut command = match self.has_subordinates {
            false => Command::new("setpriv"),
            true => {
                let script = "mount --bind $0/ids /etc/subuid && mount --bind $0/ids /etc/subgid && \
                    mount --bind $0/passwd /etc/passwd && exec setpriv \"$@\"";
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", script]).arg(self.home.path());
                command
            }
        };
        command.args(ids).arg(self.path("kiln")).args(arguments).current_dir(self.home.path());
        command.env_clear().env("HOME", self.home.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.kiln(arguments).output().unwrap()
    }

    fn serve(&self) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.kiln(&["server", "--listen", "127.0.0.1:0", "--kubeconfig", "kubeconfig", "--data-dir"]);
        let child = command.arg(self.path("data")).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        wait_for("the server's kubeconfig", || self.path("kubeconfig").exists().then_some(()));
        child
    }

    fn kubectl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(kubectl().path);
        command.arg("--kubeconfig").arg(self.path("kubeconfig")).args(arguments).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        let log = || std::fs::read_to_string(self.path("log")).unwrap_or_default();
        assert!(output.status.success(), "kubectl {arguments:?}: {}{}", stderr(&output), log());
        stdout(&output)
    }

    fn import_busybox(&self, more: &[&str]) {
        let root = self.path("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:1234:1235::/:/bin/sh\n").unwrap();
        std::fs::write(root.join("web"), "").unwrap();
        // A directory is imported with the owners that its files have for who imports it; an archive has its own.
        let archive = self.path("root.tar");
        let packed = Command::new("tar")
            .args(["--owner=0", "--group=0", "--exclude=./web", "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(&root)
            .arg(".")
            .status();
        assert!(packed.unwrap().success());
        let added = Command::new("tar")
            .args(["--owner=1234", "--group=1235", "-rf"])
            .arg(&archive)
            .arg("-C")
            .arg(&root)
            .arg("./web")
            .status();
        assert!(added.unwrap().success());
        let output = self.run(&[&["image", "import", "root.tar", "--rootfs", "--name", "busybox:1"], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let home = self.home.path().to_str().unwrap();
        for pid in processes(home) {
            signal(pid, Signal::SIGKILL);
        }
        wait_for("the user's processes to end", || processes(home).is_empty().then_some(()));
    }
}

#[track_caller]
fn says(output: &Output, code: i32, out: &str, talk: &str) {
    let seen = (output.status.code(), stdout(output), stderr(output));
    assert_eq!((seen.0, seen.1.as_str()), (Some(code), out), "{}", seen.2);
    assert!(seen.2.contains(talk), "{talk:?} is not in {}", seen.2);
}

#[test]
fn an_ordinary_user_runs_jobs() {
    let begin = std::time::SystemTime::now();
    let user = User::new();
    let pi = user.run(&["run", "--image", "kiln/demo", "--", "pi", "20"]);
    says(&pi, 0, "3.1415926535897932385\n", "without root");
    assert_eq!(stderr(&pi).matches("without root").count(), 1, "{}", stderr(&pi));
    says(
        &user.run(&["run", "--image", "kiln/demo", "--", "fail", "7"]),
        7,
        "reading orders.csv\n",
        "ended with exit code 7",
    );

    let script = "id -u; cat /etc/shadow; (echo x >/usr/bin/x) 2>/dev/null || echo kept; echo hi >/tmp/x; cat /tmp/x
        cat /proc/1/comm; ls /sys/fs/cgroup; (echo 1 >/proc/sys/kernel/panic) 2>/dev/null || echo kept";
    let host = user.run(&["run", "--image", "kiln/host", "--", "sh", "-c", script]);
    says(&host, 0, "0\nkept\nhi\nsh\nkept\n", "");

    let doctor = user.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}{}", stdout(&doctor), stderr(&doctor));
    for line in ["this user is not root, and has one id", "ok     a Job              ran, and was over after"] {
        assert!(stdout(&doctor).contains(line), "{line:?} is not in {}", stdout(&doctor));
    }

    user.import_busybox(&[]);
    let owners = "stat -c '%n %u:%g' /web /bin/busybox; id -u";
    let owners = [
        "run",
        "--image",
        "busybox:1",
        "--ephemeral",
        "--",
        "sh",
        "-c",
        &owners.replace("stat", "busybox stat").replace("id", "busybox id"),
    ];
    says(&user.run(&owners), 0, "/web 0:0\n/bin/busybox 0:0\n0\n", "");
    let files: Vec<_> = std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .flatten()
        .filter(|entry| {
            use std::os::unix::fs::MetadataExt;
            let is_home = entry.file_name().to_string_lossy().starts_with("kiln-test-user-");
            let is_new = entry.metadata().is_ok_and(|metadata| metadata.created().is_ok_and(|at| begin <= at));
            !is_home && is_new && entry.metadata().is_ok_and(|metadata| metadata.uid() == UID)
        })
        .map(|entry| entry.path())
        .collect();
    assert_eq!(files, Vec::<PathBuf>::new(), "left behind");
}

/// Where the kernel has none left to give: a limit of none in a namespace around it.
#[test]
fn without_user_namespaces_it_says_what_to_do_and_still_talks_to_servers() {
    let user = User::new();
    // With all ids of this machine's, but its own count of namespaces.
    let mut holder = Command::new("unshare").args(["--user", "sleep", "600"]).spawn().unwrap();
    let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
    let pid = holder.id().to_string();
    wait_for("the namespace", || (of(&pid) != of("self")).then_some(()));
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{pid}/{map}"), "0 0 4294967295").unwrap();
    }
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/user")).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let without = |arguments: &[&str]| {
        let script = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
        let inner = user.kiln(arguments);
        let mut command = Command::new("nsenter");
        command.arg(format!("--user=/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()));
        command.args(["sh", "-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(user.home.path()).env_clear().env("HOME", user.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("NO_COLOR", "1").stdin(Stdio::null());
        command.output().unwrap()
    };
    let server = without(&["server", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    says(&server, 125, "", "error: containers cannot be run by this user\ncause: the kernel refuses a user namespace");
    assert!(stderr(&server).contains("to do: allow them (sysctl user.max_user_namespaces"), "{}", stderr(&server));
    let run = without(&["run", "--ephemeral", "--image", "kiln/demo", "--", "pi", "3"]);
    says(&run, 125, "", "error: containers cannot be run by this user\nto do: kiln doctor says why");
    let doctor = without(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(
        stdout(&doctor).contains("fails  root               this user is not root, and the kernel refuses"),
        "{}",
        stdout(&doctor)
    );
    // A server that runs elsewhere is all that `run` needs.
    let server = support::Server::start();
    let config = std::fs::read_to_string(server.kubeconfig()).unwrap();
    std::fs::write(user.path("config"), config).unwrap();
    chown(user.path("config"), Some(UID), Some(UID)).unwrap();
    let run = without(&["run", "--kubeconfig", "config", "--image", "kiln/demo", "--", "pi", "3"]);
    says(&run, 0, "3.14\n", "complete");
}

const WEB: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"restartPolicy": "Never",
    "securityContext": {"fsGroup": 777}, "volumes": [{"name": "v", "emptyDir": {}}],
    "containers": [{"name": "c", "image": "busybox:1", "securityContext": {"runAsUser": 1234, "runAsGroup": 1235},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "command": ["sh", "-c", "busybox id -u; busybox stat -c %u:%g /web; echo x >/v/x && busybox stat -c %u:%g /v/x"]}]}}"#;

#[test]
fn subordinate_ids_are_users_of_containers() {
    let user = User::with_subordinates();
    std::fs::write(user.path("web.json"), WEB).unwrap();
    user.import_busybox(&["--data-dir", "data"]);
    let mut server = user.serve();
    user.ok(&["create", "-f", user.path("web.json").to_str().unwrap()]);
    user.ok(&["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/web", "--timeout=60s"]);
    assert_eq!(user.ok(&["logs", "web"]), "1234\n1234:1235\n1234:777\n");
    // What other ids than the user's own have written is removed with the pod.
    user.ok(&["delete", "pod", "web"]);
    let pods = user.path("data/agent/pods");
    wait_for("the pod's directory to go", || (std::fs::read_dir(&pods).unwrap().count() == 0).then_some(()));
    signal(server.id(), Signal::SIGTERM);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_single_id_is_no_user_of_containers_and_says_so() {
    let user = User::new();
    let web = WEB.replace(r#""securityContext": {"fsGroup": 777}, "#, "");
    std::fs::write(user.path("web.json"), web).unwrap();
    user.import_busybox(&["--data-dir", "data"]);
    let mut server = user.serve();
    user.ok(&["create", "-f", user.path("web.json").to_str().unwrap()]);
    let message = wait_for("the container to be refused", || {
        let path = "jsonpath={.status.containerStatuses[0].state.waiting.message}";
        Some(user.ok(&["get", "pod", "web", "-o", path])).filter(|message| message.contains("user"))
    });
    assert!(message.contains("failed to become user 1234: this server runs without root"), "{message}");
    signal(server.id(), Signal::SIGKILL);
    server.wait().unwrap();
}

#[test]
fn pods_outlive_a_server_without_root() {
    let user = User::new();
    let mut server = user.serve();
    let script = "echo begun; until [ -e /go/go ]; do sleep 0.1; done; cat /go/go; echo done; exit 3";
    let go = user.path("go");
    std::fs::create_dir(&go).unwrap();
    std::fs::write(
        user.path("pod.json"),
        json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "hidden"}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default",
                "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "long"}, "spec": {"restartPolicy": "Never",
                "volumes": [{"name": "go", "hostPath": {"path": go}}, {"name": "s", "secret": {"secretName": "s"}}],
                "containers": [{"name": "c", "image": "kiln/host", "command": ["sh", "-c", script],
                    "volumeMounts": [{"name": "go", "mountPath": "/go"}, {"name": "s", "mountPath": "/s"}]}]}}]})
        .to_string(),
    )
    .unwrap();
    user.ok(&["apply", "--server-side", "--force-conflicts", "-f", user.path("pod.json").to_str().unwrap()]);
    wait_for("the pod to begin", || user.ok(&["logs", "long", "--ignore-errors"]).contains("begun").then_some(()));

    signal(server.id(), Signal::SIGKILL);
    server.wait().unwrap();
    std::fs::remove_file(user.path("kubeconfig")).unwrap();
    let mut server = user.serve();
    // The new server reaches into the namespaces that the old one has made.
    let seen = user.ok(&["exec", "long", "--", "cat", "/s/key"]);
    assert_eq!(seen, "hidden");
    std::fs::write(go.join("go"), "went\n").unwrap();
    wait_for("the pod to end", || {
        (user.ok(&["get", "pod", "long", "-o", "jsonpath={.status.phase}"]) == "Failed").then_some(())
    });
    let code =
        "jsonpath={.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].restartCount}";
    assert_eq!(user.ok(&["get", "pod", "long", "-o", code]), "3 0");
    assert_eq!(user.ok(&["logs", "long"]), "begun\nwent\ndone\n");
    user.ok(&["delete", "pod", "long"]);
    signal(server.id(), Signal::SIGTERM);
    assert!(server.wait().unwrap().success());
    let log = std::fs::read_to_string(user.path("log")).unwrap();
    assert_eq!(log.matches("without root").count(), 2, "once a start: {log}");
}

/// What a server in the background leaves is gone when it is dropped.
struct Swept(PathBuf);

impl Drop for Swept {
    fn drop(&mut self) {
        support::sweep(&self.0);
    }
}

#[test]
fn an_ordinary_user_has_a_server_in_the_background() {
    let user = User::new();
    let data_dir = user.path(".local/share/kiln");
    let _swept = Swept(data_dir.clone());
    let up = user.run(&["up", "--no-systemd", "--listen", "127.0.0.1:0"]);
    let told = stdout(&up);
    assert!(up.status.success(), "{told}{}", stderr(&up));
    let config = user.path(".kube/config");
    assert!(told.contains(&data_dir.display().to_string()) && told.contains(&config.display().to_string()), "{told}");
    let ok = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let output = user.run(&words);
        assert!(output.status.success(), "{line}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    };
    ok("create job naps --image=kiln/demo -- sleep 600");
    wait_for("the pod to run", || ok("get pods").contains("Running").then_some(()));
    assert!(ok("status").contains("pods        1 running"), "{}", ok("status"));
    assert_eq!(ok("down --forget").lines().next(), Some("kiln is down; pods stopped: 1"));
    assert_eq!(processes(&data_dir.to_string_lossy()), Vec::<u32>::new());
    assert!(!std::fs::read_to_string(config).unwrap().contains("127.0.0.1"));
}
