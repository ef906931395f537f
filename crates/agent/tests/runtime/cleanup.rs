//! Nothing is left: no process, no mount, no cgroup, no descriptor, no file but the records.

use crate::harness::{Machine, container, eventually, exists, running_pid, sandbox, supervisor_pid};
use agent::runtime::{Runtime, RuntimeError};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

fn names(dir: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn host_mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[tokio::test]
async fn remove_undoes_everything() {
    let machine = Machine::new();
    let mounts = host_mounts();
    let pod = machine.pod("gone").await;
    let mut limited = machine.container("c", "sleep 1000 & while :; do sleep 1; done");
    limited.resources.memory_limit_bytes = Some(64 << 20);
    limited.resources.pids_limit = Some(50);
    limited.resources.cpu_limit_milli = Some(1000);
    pod.sandbox.start(limited).await.unwrap();
    let pids = [running_pid(&pod.sandbox.runs().await, "c"), supervisor_pid(&*pod.sandbox)];
    assert!(!machine.cgroup_dirs().is_empty());
    pod.sandbox.remove().await.unwrap();
    assert!(!pids.iter().any(|pid| exists(*pid)), "{pids:?}");
    assert_eq!(machine.cgroup_dirs(), Vec::<PathBuf>::new());
    assert_eq!(host_mounts(), mounts);
    assert_eq!(names(pod.sandbox.sandbox().dir.clone()), ["exits", "supervisor.log"]);
    let log = fs::read_to_string(pod.sandbox.sandbox().dir.join("supervisor.log")).unwrap();
    assert_eq!(log, "", "a supervisor with nothing to complain about");
    pod.sandbox.remove().await.unwrap();
    let error = pod.sandbox.start(machine.container("d", "true")).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Gone(_)), "{error}");
}

#[tokio::test]
async fn a_child_that_holds_the_output_does_not_hold_up_the_end() {
    let machine = Machine::new();
    let pod = machine.pod("holder").await;
    let before = Instant::now();
    let (code, text) = pod.script("sleep 500 & echo done; exit 3").await;
    assert_eq!((code, text.as_str()), (3, "done\n"));
    assert!(before.elapsed().as_secs() < 100);
}

#[tokio::test]
async fn a_failed_start_leaves_no_trace() {
    let machine = Machine::new();
    let pod = machine.pod("failed").await;
    let mut container = machine.container("c", "");
    container.spec = crate::harness::spec(&["no-such-program"]);
    container.resources.memory_limit_bytes = Some(64 << 20);
    pod.sandbox.start(container).await.unwrap_err();
    let dir = &pod.sandbox.sandbox().dir;
    assert_eq!(names(dir.join("exits")), Vec::<String>::new());
    assert_eq!(names(dir.join("rootfs")), Vec::<String>::new());
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_made_says_why_and_leaves_nothing() {
    let machine = Machine::new();
    let mut sandbox = machine.sandbox("bad");
    sandbox.hostname = "h".repeat(300);
    let error = machine.runtime.create(sandbox, None).await.err().unwrap().to_string();
    assert!(error.starts_with("failed to create pod sandbox: failed to set the host name"), "{error}");
    eventually("no cgroups", || machine.cgroup_dirs().is_empty());
    let mut sandbox = machine.sandbox("bad");
    sandbox.pod_uid = "../x".into();
    assert!(machine.runtime.create(sandbox, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_pods_leak_nothing() {
    let machine = Arc::new(Machine::new());
    let mounts = host_mounts();
    // The first pod makes what stays: the copy of the program, threads.
    churn(&machine, 0..1).await;
    let descriptors = names("/proc/self/fd".into()).len();
    churn(&machine, 1..101).await;
    eventually("descriptors are closed", || names("/proc/self/fd".into()).len() <= descriptors);
    assert_eq!(host_mounts(), mounts);
    assert_eq!(machine.cgroup_dirs(), Vec::<PathBuf>::new());
    assert_eq!(names(machine.state_dir().join("pods")), Vec::<String>::new());
}

/// Eight at a time.
async fn churn(machine: &Arc<Machine>, numbers: std::ops::Range<usize>) {
    let permits = Arc::new(tokio::sync::Semaphore::new(8));
    let mut tasks = tokio::task::JoinSet::new();
    for number in numbers {
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let machine = Arc::clone(machine);
        tasks.spawn(async move {
            let uid = format!("churn-{number}");
            let pod = machine.runtime.create(sandbox(&machine.state_dir(), &uid), None).await.unwrap();
            let code = (number % 200) as i32;
            let mut container = container(machine.dir.path(), &format!("c{number}"), &format!("exit {code}"));
            container.resources.memory_limit_bytes = Some(64 << 20);
            pod.start(container).await.unwrap();
            assert_eq!(crate::harness::ended(&*pod, &format!("c{number}")).await.0, code);
            pod.remove().await.unwrap();
            fs::remove_dir_all(&pod.sandbox().dir).unwrap();
            drop(permit);
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
}
