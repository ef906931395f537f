//! Imported images in real containers: the guide's own perl and busybox, made from Debian's packages without docker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{Server, kiln, kubectl, repository, stderr, stdout};

/// Builds an archive, or finds it built.
fn archive(image: &str) -> PathBuf {
    let output = Command::new(repository().join("tests/images/build.sh")).arg(image).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    PathBuf::from(stdout(&output).trim())
}

/// `kiln` with an image directory of its own.
fn kiln_with(images: &Path, arguments: &[&str]) -> Output {
    kiln(arguments).env("KILN_IMAGE_DIR", images).output().unwrap()
}

#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

fn example(name: &str) -> String {
    repository().join("examples").join(name).to_str().unwrap().to_owned()
}

#[test]
fn the_guides_perl_prints_the_same_pi_as_kilns_own() {
    let images = tempfile::tempdir().unwrap();
    let perl = archive("perl");
    let names = ok(&kiln_with(images.path(), &["image", "import", perl.to_str().unwrap()]));
    assert!(names.contains("docker.io/library/perl:5.34\n"), "{names}");
    let by_perl = ok(&kiln_with(images.path(), &["run", "--ephemeral", "-f", &example("pi-job-perl.yaml")]));
    let by_kiln = ok(&kiln_with(images.path(), &["run", "--ephemeral", "-f", &example("pi-job.yaml")]));
    assert_eq!(by_perl, by_kiln);
}

#[test]
fn busybox_runs_the_guides_commands_under_kubectl() {
    // A server takes its images from its data directory; --data-dir reaches them beside it.
    let server = Server::start();
    let busybox = archive("busybox");
    let data_dir = server.data_dir();
    let data_dir = data_dir.to_str().unwrap();
    ok(&kiln(&["image", "import", busybox.to_str().unwrap(), "--data-dir", data_dir]).output().unwrap());
    let kubectl = kubectl();
    let script = "echo Processing on $HOSTNAME at $(date); sleep $((RANDOM % 2 + 4))";
    server.ok(&kubectl, &["create", "job", "parallel-job", "--image=busybox", "--", "sh", "-c", script]);
    server.ok(&kubectl, &["patch", "job", "parallel-job", "-p", r#"{"spec":{"parallelism":3,"completions":5}}"#]);
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/parallel-job", "--timeout=60s"]);
    let log = server.ok(&kubectl, &["logs", "-l", "job-name=parallel-job"]);
    let workers: std::collections::BTreeSet<&str> =
        log.lines().filter_map(|line| line.strip_prefix("Processing on ")?.split(' ').next()).collect();
    assert_eq!(workers.len(), 5, "five pods, each with its own name as HOSTNAME: {log}");
    let status = server.ok(&kubectl, &["get", "pods", "-o", "jsonpath={.items[0].status.containerStatuses[0].image}"]);
    assert_eq!(status, "docker.io/library/busybox:latest");
}

#[test]
fn a_root_file_system_runs_and_goes_again() {
    let images = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let busybox = archive("busybox");
    let unpack = "tar -xOf \"$0\" layer.tar | tar -x -C \"$1\"";
    let unpacked = Command::new("sh").args(["-c", unpack]).arg(&busybox).arg(root.path()).status().unwrap();
    assert!(unpacked.success());
    let import = ["image", "import", root.path().to_str().unwrap(), "--rootfs", "--name", "mine:1"];
    assert_eq!(ok(&kiln_with(images.path(), &import)), "docker.io/library/mine:1\n");
    let listed = ok(&kiln_with(images.path(), &["image", "ls"]));
    assert!(listed.contains("docker.io/library/mine:1 "), "{listed}");
    let output = kiln_with(
        images.path(),
        &["run", "--ephemeral", "--image", "mine:1", "--", "sh", "-c", "busybox | head -n 1; exit 5"],
    );
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("BusyBox v1."), "{}", stdout(&output));
    ok(&kiln_with(images.path(), &["image", "rm", "mine:1"]));
    assert_eq!(std::fs::read_dir(images.path().join("layers")).unwrap().count(), 0);
    let again = kiln_with(images.path(), &["image", "rm", "mine:1"]);
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
}

#[test]
fn the_host_image_keeps_this_machines_secrets() {
    let images = tempfile::tempdir().unwrap();
    let secret = "/etc/shadow /etc/shadow- /etc/gshadow /etc/sudoers";
    let script = format!(
        "for file in {secret}; do cat $file 2>/dev/null; done; find /etc/ssl/private /root /home /run/kiln -mindepth 1 2>/dev/null; \
         find /etc -type f ! -perm -o=r -size +0 2>/dev/null; touch /usr/written && echo changed"
    );
    let output =
        ok(&kiln_with(images.path(), &["run", "--ephemeral", "--image", "kiln/host", "--", "sh", "-c", &script]));
    assert_eq!(output, "changed\n", "nothing to read, and what is written goes to the container's own layer");
    assert!(!Path::new("/usr/written").exists());
}

#[test]
fn an_import_that_is_killed_leaves_a_directory_that_works() {
    let images = tempfile::tempdir().unwrap();
    let perl = archive("perl");
    let import = ["image", "import", perl.to_str().unwrap()];
    let mut child = kiln(&import).env("KILN_IMAGE_DIR", images.path()).spawn().unwrap();
    let unpacking = || {
        let staged = std::fs::read_dir(images.path().join("tmp")).ok()?.flatten().next()?;
        staged.path().join("unpacking/usr").is_dir().then_some(())
    };
    support::wait_for("the import to unpack", unpacking);
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = ok(&kiln_with(images.path(), &["image", "ls"]));
    assert!(!listed.contains("perl"), "{listed}");
    assert_eq!(std::fs::read_dir(images.path().join("tmp")).unwrap().count(), 0, "the next use sweeps");
    assert_eq!(std::fs::read_dir(images.path().join("layers")).unwrap().count(), 0);
    ok(&kiln_with(images.path(), &import));
    assert_eq!(std::fs::read_dir(images.path().join("layers")).unwrap().count(), 1);
}

#[test]
fn an_image_is_removed_under_a_running_container_only_by_force() {
    let images = tempfile::tempdir().unwrap();
    let busybox = archive("busybox");
    ok(&kiln_with(images.path(), &["image", "import", busybox.to_str().unwrap()]));
    let script = "echo started; for i in $(seq 20); do sleep 0.1; [ -e /bin/tac ] || exit 9; done";
    let mut run = kiln(&["run", "--ephemeral", "--image", "busybox:1.35", "--", "sh", "-c", script]);
    let mut child = run.env("KILN_IMAGE_DIR", images.path()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    let refused = kiln_with(images.path(), &["image", "rm", "busybox:1.35", "busybox"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("is in use by a running container"), "{}", stderr(&refused));
    ok(&kiln_with(images.path(), &["image", "rm", "--force", "busybox"]));
    let layers = || std::fs::read_dir(images.path().join("layers")).unwrap().count();
    assert_eq!(layers(), 1, "the container still needs it");
    assert!(child.wait().unwrap().success());
    ok(&kiln_with(images.path(), &["image", "import", busybox.to_str().unwrap(), "--name", "other"]));
    ok(&kiln_with(images.path(), &["image", "rm", "busybox:1.35", "busybox", "other"]));
    assert_eq!(layers(), 0);
}
