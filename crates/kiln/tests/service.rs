//! `kiln up`, `kiln status`, `kiln down`: a server in the background, real pods, and every screen recorded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use support::screen::Screen;
use support::{kubectl, processes, stderr, stdout, sweep, traces, wait_for};

/// A user's home with nothing in it. What a server of it leaves is gone when it is dropped.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("kiln-home-").tempdir().unwrap())
    }

    fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.0.path().join(".kube/config")
    }

    /// kiln as this user: no kubeconfig, data directory or address but these is known to it.
    fn kiln(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let mut command = support::kiln(&words);
        command
            .env("HOME", self.0.path())
            .env("KILN_DATA_DIR", self.data_dir())
            .env("KILN_LISTEN", "127.0.0.1:0")
            .env_remove("KUBECONFIG")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME");
        command
    }

    fn screen(&self) -> Screen {
        let host = nix::unistd::gethostname().unwrap().to_string_lossy().to_lowercase();
        let path = self.0.path().to_string_lossy().into_owned();
        Screen::masking(&[(&path, "/home/ann"), (&format!("node        {host}"), "node        box")])
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let output = self.kiln(line).output().unwrap();
        assert!(output.status.success(), "kiln {line}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        sweep(&self.data_dir());
    }
}

/// As a line of a screen: `kiln up --no-systemd` is what a machine without systemd does anyway.
const UP: &str = "up --no-systemd";

#[test]
fn up_serves_status_tells_and_down_leaves_nothing() {
    let home = Home::new();
    let mut screen = home.screen();
    for line in ["status", "get jobs", "down", UP, UP, "status"] {
        screen.run(&format!("kiln {line}"), &mut home.kiln(line));
    }
    let kubectl = kubectl();
    let mut jobs = Command::new(&kubectl.path);
    jobs.env("HOME", home.0.path()).env_remove("KUBECONFIG").args(["get", "jobs"]);
    screen.run("kubectl get jobs", &mut jobs);
    home.ok("create job naps --image=kiln/demo -- sleep 600");
    wait_for("the pod to run", || home.ok("get pods").contains("Running").then_some(()));
    for line in ["status", "down --forget", "status", "down --forget"] {
        screen.run(&format!("kiln {line}"), &mut home.kiln(line));
    }
    assert_eq!(traces(&home.data_dir().to_string_lossy()), Vec::<String>::new());
    screen.check("up-and-down");
}

#[test]
fn pods_that_are_kept_are_found_again_and_stopped_by_a_later_down() {
    let home = Home::new();
    let mut screen = home.screen();
    home.ok(UP);
    home.ok("create job naps --image=kiln/demo -- sleep 600");
    let uid = |home: &Home| {
        home.ok("get pods -o jsonpath={.items[*].metadata.uid}:{.items[*].status.containerStatuses[*].restartCount}")
    };
    wait_for("the pod to run", || home.ok("get pods").contains("Running").then_some(()));
    let before = uid(&home);
    screen.run("kiln down --keep-pods", &mut home.kiln("down --keep-pods"));
    screen.run("kiln down --keep-pods", &mut home.kiln("down --keep-pods"));
    screen.run("kiln status", &mut home.kiln("status"));
    home.ok(UP);
    assert_eq!(uid(&home), before, "the same pod, and its container was not started again");
    home.ok("down --keep-pods");
    assert_ne!(processes(&home.data_dir().to_string_lossy()), Vec::<u32>::new());
    // No server is there that could stop them.
    screen.run("kiln down", &mut home.kiln("down"));
    assert_eq!(traces(&home.data_dir().to_string_lossy()), Vec::<String>::new());
    screen.check("keep-pods");
}

#[test]
fn a_server_that_does_not_come_up_shows_why() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut up = home.kiln(UP);
    up.arg("--listen").arg(taken.local_addr().unwrap().to_string());
    let mut screen = home.screen();
    screen.run("kiln up", &mut up);
    let file = home.0.path().join("file");
    std::fs::write(&file, "").unwrap();
    screen.run("kiln up --data-dir ~/file", home.kiln(UP).arg("--data-dir").arg(&file));
    screen.check("up-fails");
    assert_eq!(traces(&home.data_dir().to_string_lossy()), Vec::<String>::new());
}

const OF_SOMEBODY: &str = "\
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: 'https://prod.example.org'}}
- {name: kiln, cluster: {server: 'https://kiln.example.org'}}
contexts:
- {name: prod, context: {cluster: prod, user: ann}}
- {name: kiln, context: {cluster: kiln, user: ann}}
users:
- {name: ann, user: {token: t}}
";

#[test]
fn the_kubeconfig_that_is_there_stays_the_users() {
    let home = Home::new();
    let path = home.kubeconfig();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, OF_SOMEBODY).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let mut screen = home.screen();
    screen.run("kiln up", &mut home.kiln(UP));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), OF_SOMEBODY, "what is called kiln there is something else");

    let lock = path.with_extension("lock");
    std::fs::write(&lock, "").unwrap();
    screen.run("kiln up", &mut home.kiln(UP));
    std::fs::remove_file(&lock).unwrap();

    std::fs::write(&path, OF_SOMEBODY.replace("name: kiln", "name: oven")).unwrap();
    screen.run("kiln up", &mut home.kiln(UP));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains("current-context: prod") && config.contains("https://prod.example.org"), "{config}");
    let kubectl = kubectl();
    let mut get = Command::new(&kubectl.path);
    get.env("HOME", home.0.path()).env_remove("KUBECONFIG").args([
        "--context",
        "kiln",
        "get",
        "namespaces",
        "-o",
        "name",
    ]);
    let output = get.output().unwrap();
    assert!(stdout(&output).contains("namespace/default"), "{}", stderr(&output));

    // The port is another after a restart; the context follows.
    home.ok("down");
    screen.run("kiln up", &mut home.kiln(UP));
    assert!(stdout(&get.output().unwrap()).contains("namespace/default"));

    std::fs::write(&path, "- not\n- a kubeconfig\n").unwrap();
    screen.run("kiln up", &mut home.kiln(UP));
    screen.run("kiln down --forget", &mut home.kiln("down --forget"));
    screen.check("kubeconfig");
}

/// What is told as it happens comes in any order.
fn with_middle_sorted(text: &str) -> String {
    let mut parts: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
    if let Some(middle) = parts.get_mut(1) {
        let mut lines: Vec<&str> = middle.lines().collect();
        lines.sort_by_key(|line| line.split(' ').next());
        *middle = lines.join("\n");
    }
    parts.join("\n\n")
}

#[test]
fn the_demonstration_shows_how_jobs_go_and_leaves_nothing() {
    let home = Home::new();
    let mut screen = home.screen();
    screen.run("kiln demo", &mut home.kiln("demo"));
    home.ok(UP);
    screen.note("kiln demo", &with_middle_sorted(&home.ok("demo")));
    let status = home.ok("status");
    assert!(
        status.contains("cronjobs    kiln-demo/clock   in ") && status.contains("BackoffLimitExceeded"),
        "{status}"
    );
    for line in [
        "get jobs,pods -n kiln-demo",
        "logs -n kiln-demo job/parts",
        "describe -n kiln-demo job/fails",
        "cron next --namespace kiln-demo",
    ] {
        assert_ne!(home.ok(line), "", "{line}, as the screen says");
    }
    for line in ["demo --rm", "demo --rm"] {
        screen.run(&format!("kiln {line}"), &mut home.kiln(line));
    }
    home.ok("create namespace kiln-demo");
    screen.run("kiln demo", &mut home.kiln("demo"));
    home.ok("down");
    assert_eq!(traces(&home.data_dir().to_string_lossy()), Vec::<String>::new());
    screen.check("demo");
}
