//! Real kubectl, every version there is, against a real server: sections 15.1 to 15.5 of the guide, and mistakes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "kubectl/applies.rs"]
mod applies;
#[path = "kubectl/cronjobs.rs"]
mod cronjobs;
#[path = "kubectl/endings.rs"]
mod endings;
mod support;
#[path = "kubectl/verbs.rs"]
mod verbs;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{Kubectl, Server, kubectls, repository, stderr, stdout, wait_for};

/// Runs `test` with a fresh server for every kubectl, newest first, so that the usual one fails first.
fn with_every_kubectl(test: impl Fn(&Server, &Kubectl)) {
    let server = Server::start();
    for kubectl in kubectls().iter().rev() {
        let namespace = format!("v{}", kubectl.version);
        server.ok(kubectl, &["create", "namespace", &namespace]);
        server.ok(kubectl, &["config", "set-context", "--current", "--namespace", &namespace]);
        eprintln!("kubectl 1.{}", kubectl.version);
        test(&server, kubectl);
    }
}

fn examples(file: &str) -> String {
    repository().join("examples").join(file).to_str().unwrap().to_owned()
}

/// Lines of a `-w` until one satisfies `done`; the watching kubectl is then killed.
fn watch_until(
    server: &Server,
    kubectl: &Kubectl,
    arguments: &[&str],
    mut done: impl FnMut(&str) -> bool,
) -> Vec<String> {
    let mut child = server.kubectl(kubectl, arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let last = done(&line);
        lines.push(line);
        if last {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    lines
}

#[test]
fn section_15_1_create_a_job_and_read_its_result() {
    with_every_kubectl(|server, kubectl| {
        let made = server.ok(kubectl, &["create", "job", "pi-calc", "--image=kiln/demo", "--", "pi", "2000"]);
        assert_eq!(made, "job.batch/pi-calc created\n");
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/pi-calc", "--timeout=60s"]);
        let table = server.ok(kubectl, &["get", "jobs"]);
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(&row[..3], ["pi-calc", "Complete", "1/1"], "{table}");
        let log = server.ok(kubectl, &["logs", "job/pi-calc"]);
        assert!(log.starts_with("3.14159") && log.trim_end().len() == 2001, "{log}");
        let wide = server.ok(kubectl, &["get", "jobs", "-o", "wide"]);
        for expect in ["CONTAINERS", "IMAGES", "SELECTOR", "kiln/demo", "batch.kubernetes.io/controller-uid="] {
            assert!(wide.contains(expect), "{wide}");
        }
        assert_eq!(server.ok(kubectl, &["get", "jobs", "-o", "name"]), "job.batch/pi-calc\n");
        let yaml = server.ok(kubectl, &["get", "job", "pi-calc", "-o", "yaml"]);
        assert!(yaml.contains("reason: CompletionsReached") && yaml.contains("apiVersion: batch/v1"), "{yaml}");
        let json: serde_json::Value =
            serde_json::from_str(&server.ok(kubectl, &["get", "jobs", "-o", "json"])).unwrap();
        assert_eq!(json["items"][0]["status"]["succeeded"], 1);
        let pods = server.ok(kubectl, &["get", "pods", "-l", "job-name=pi-calc"]);
        assert!(pods.contains("Completed") && pods.contains("0/1"), "{pods}");
    });
}

#[test]
fn section_15_1_the_patch_makes_three_workers_until_five_are_done() {
    with_every_kubectl(|server, kubectl| {
        server.ok(
            kubectl,
            &[
                "create",
                "job",
                "parallel-job",
                "--image=kiln/host",
                "--",
                "sh",
                "-c",
                "echo Processing on $HOSTNAME; sleep 4",
            ],
        );
        let patch = r#"{"spec":{"parallelism":3,"completions":5}}"#;
        assert_eq!(
            server.ok(kubectl, &["patch", "job", "parallel-job", "-p", patch]),
            "job.batch/parallel-job patched\n"
        );
        let lines = watch_until(server, kubectl, &["get", "job", "parallel-job", "-w", "--no-headers"], |line| {
            line.contains("Complete ")
        });
        assert!(lines.last().unwrap().contains("5/5"), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("SuccessCriteriaMet")), "the two-step finish is seen: {lines:?}");
        let pods = server.ok(kubectl, &["get", "pods", "-l", "job-name=parallel-job", "-o", "name"]);
        assert_eq!(pods.lines().count(), 5, "{pods}");
    });
}

#[test]
fn section_15_1_watching_pods_shows_their_life() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "watched", "--image=kiln/demo", "--", "sleep", "4"]);
        let arguments = ["get", "pods", "-l", "job-name=watched", "-w", "--no-headers"];
        let lines = watch_until(server, kubectl, &arguments, |line| line.contains("Completed"));
        assert!(lines.iter().all(|line| line.starts_with("watched-")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("Running")), "{lines:?}");
    });
}

#[test]
fn section_15_3_describe_tells_the_story() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "story", "--image=kiln/demo", "--", "seq", "3"]);
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/story", "--timeout=60s"]);
        let described = server.ok(kubectl, &["describe", "job", "story"]);
        for expect in [
            "Name:",
            "Pods Statuses:",
            "1 Succeeded",
            "SuccessfulCreate",
            "Created pod: story-",
            "Completed",
            "Job completed",
            "job-controller",
        ] {
            assert!(described.contains(expect), "{expect} is missing from\n{described}");
        }
        let pod = server.ok(kubectl, &["get", "pods", "-l", "job-name=story", "-o", "name"]);
        let described = server.ok(kubectl, &["describe", pod.trim()]);
        for expect in ["Status:", "Succeeded", "Exit Code:", "Scheduled", "Pulled", "Started", "kubelet"] {
            assert!(described.contains(expect), "{expect} is missing from\n{described}");
        }
        let logs = server.ok(kubectl, &["logs", pod.trim(), "--tail=2"]);
        assert_eq!(logs, "2\n3\n");
        assert_eq!(server.ok(kubectl, &["logs", "-l", "job-name=story"]), "1\n2\n3\n");
        assert!(!server.ok(kubectl, &["get", "events"]).is_empty());
    });
}

#[test]
fn section_15_3_logs_follow_a_running_job() {
    with_every_kubectl(|server, kubectl| {
        let script = "for i in 1 2 3 4 5; do echo step $i; sleep 0.2; done";
        server.ok(kubectl, &["create", "job", "steps", "--image=kiln/host", "--", "sh", "-c", script]);
        wait_for("the pod to start", || {
            let phase =
                server.ok(kubectl, &["get", "pods", "-l", "job-name=steps", "-o", "jsonpath={.items[*].status.phase}"]);
            (phase == "Running" || phase == "Succeeded").then_some(())
        });
        let followed = server.ok(kubectl, &["logs", "-f", "job/steps"]);
        assert_eq!(followed, "step 1\nstep 2\nstep 3\nstep 4\nstep 5\n");
    });
}

#[test]
fn section_15_3_deleting_a_job_deletes_its_pods() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "short-lived", "--image=kiln/demo", "--", "sleep", "600"]);
        wait_for("the pod", || (!server.ok(kubectl, &["get", "pods", "-o", "name"]).is_empty()).then_some(()));
        server.ok(kubectl, &["delete", "job", "short-lived"]);
        let gone = server.fails(kubectl, &["get", "job", "short-lived"]);
        assert!(gone.contains(r#"Error from server (NotFound): jobs.batch "short-lived" not found"#), "{gone}");
        wait_for("the pod to go", || server.ok(kubectl, &["get", "pods", "-o", "name"]).is_empty().then_some(()));
    });
}

#[test]
fn section_15_4_apply_the_pi_manifest_twice_and_watch_it() {
    with_every_kubectl(|server, kubectl| {
        let file = examples("pi-job.yaml");
        // kubectl passes over the first event of such a watch, here as on a cluster: one that begins after the Job's last
        // change shows nothing ever. So the Job waits until somebody looks.
        let waiting = std::fs::read_to_string(&file).unwrap().replace("\nspec:\n", "\nspec:\n  suspend: true\n");
        let made = server.with_input(kubectl, &["apply", "-f", "-"], &waiting);
        assert_eq!(stdout(&made), "job.batch/pi-calc created\n", "{}", stderr(&made));
        let is_suspended = "jsonpath={.status.conditions[?(@.type=='Suspended')].status}";
        wait_for("the Job to be suspended", || {
            (server.ok(kubectl, &["get", "job", "pi-calc", "-o", is_suspended]) == "True").then_some(())
        });
        let mut n_lines = 0;
        let lines = watch_until(server, kubectl, &["get", "job", "pi-calc", "-w", "--no-headers"], |line| {
            n_lines += 1;
            if n_lines == 1 {
                assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "job.batch/pi-calc configured\n");
            }
            line.contains("Complete ")
        });
        assert!(lines.last().unwrap().contains("1/1"), "{lines:?}");
        assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "job.batch/pi-calc unchanged\n");
        assert!(server.ok(kubectl, &["describe", "job", "pi-calc"]).contains("type=batch-job"));
    });
}

#[test]
fn the_guides_misspelt_cron_job_names_both_fields_and_what_was_meant() {
    with_every_kubectl(|server, kubectl| {
        let guide = std::fs::read_to_string(examples("backup-cronjob.yaml")).unwrap();
        let guide = guide.split("\n---").find(|document| document.contains("kind: CronJob")).unwrap();
        let misspelt = guide
            .replace("startingDeadlineSeconds", "startingDelineSeconds")
            .replace("activeDeadlineSeconds", "activeDeradlineSeconds");
        let output = server.with_input(kubectl, &["apply", "-f", "-"], &misspelt);
        let talk = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{talk}");
        // Before 1.25 kubectl validates by itself, against the server's OpenAPI document, and knows no better spelling.
        let expect = match kubectl.version {
            ..25 => [r#"unknown field "startingDelineSeconds""#, r#"unknown field "activeDeradlineSeconds""#],
            25.. => [
                r#"unknown field "spec.startingDelineSeconds" (did you mean "startingDeadlineSeconds"?)"#,
                r#"unknown field "spec.jobTemplate.spec.activeDeradlineSeconds" (did you mean "activeDeadlineSeconds"?)"#,
            ],
        };
        for expect in expect {
            assert!(talk.contains(expect), "{talk}");
        }
    });
}

#[test]
fn a_job_that_fails_says_why() {
    with_every_kubectl(|server, kubectl| {
        let file = examples("fail-job.yaml");
        server.ok(kubectl, &["apply", "-f", &file]);
        let name = server.ok(kubectl, &["get", "jobs", "-o", "name"]);
        server.ok(kubectl, &["wait", "--for=condition=failed", name.trim(), "--timeout=60s"]);
        let described = server.ok(kubectl, &["describe", name.trim()]);
        assert!(
            described.contains("BackoffLimitExceeded")
                && described.contains("Job has reached the specified backoff limit"),
            "{described}"
        );
    });
}

#[test]
fn suspending_and_resuming_a_job() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "paused", "--image=kiln/demo", "--", "sleep", "600"]);
        let running = ["get", "pods", "-o", "jsonpath={.items[*].status.phase}"];
        wait_for("the pod to run", || (server.ok(kubectl, &running) == "Running").then_some(()));
        server.ok(kubectl, &["patch", "job", "paused", "-p", r#"{"spec":{"suspend":true}}"#]);
        wait_for("no pods", || server.ok(kubectl, &running).is_empty().then_some(()));
        let condition = "jsonpath={.status.conditions[?(@.type=='Suspended')].reason}";
        assert_eq!(server.ok(kubectl, &["get", "job", "paused", "-o", condition]), "JobSuspended");
        server.ok(kubectl, &["patch", "job", "paused", "-p", r#"{"spec":{"suspend":false}}"#]);
        wait_for("the pod to run again", || (server.ok(kubectl, &running) == "Running").then_some(()));
    });
}

#[test]
fn config_maps_secrets_and_downward_fields_reach_a_container() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "configmap", "settings", "--from-literal=colour=teal"]);
        server.ok(kubectl, &["create", "secret", "generic", "keys", "--from-literal=token=s3cret"]);
        let job = r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"reader"},"spec":{"backoffLimit":0,"template":{"spec":{"restartPolicy":"Never",
          "volumes":[{"name":"c","configMap":{"name":"settings","defaultMode":493}},{"name":"s","secret":{"secretName":"keys"}},{"name":"e","emptyDir":{}}],
          "containers":[{"name":"c","image":"kiln/host","workingDir":"/work",
            "command":["sh","-c","echo $COLOUR $TOKEN $POD $EXPANDED; cat /c/colour; echo; cat /s/token; echo; stat -L -c %a /c/colour; pwd; echo kept > /e/f && cat /e/f"],
            "env":[{"name":"COLOUR","valueFrom":{"configMapKeyRef":{"name":"settings","key":"colour"}}},
                   {"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"keys","key":"token"}}},
                   {"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.namespace"}}},
                   {"name":"EXPANDED","value":"$(COLOUR)-$(date)"}],
            "volumeMounts":[{"name":"c","mountPath":"/c"},{"name":"s","mountPath":"/s"},{"name":"e","mountPath":"/e"}]}]}}}}"#;
        let made = server.with_input(kubectl, &["create", "-f", "-"], job);
        assert!(made.status.success(), "{}", stderr(&made));
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/reader", "--timeout=60s"]);
        let expect = format!("teal s3cret v{} teal-$(date)\nteal\ns3cret\n755\n/work\nkept\n", kubectl.version);
        assert_eq!(server.ok(kubectl, &["logs", "job/reader"]), expect);
    });
}

#[test]
fn a_container_over_its_memory_limit_is_oom_killed() {
    let server = Server::start();
    let kubectl = support::kubectl();
    let job = r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"hungry"},"spec":{"backoffLimit":0,"template":{"spec":{"restartPolicy":"Never",
      "containers":[{"name":"c","image":"kiln/host","command":["sh","-c","dd if=/dev/zero of=/dev/null bs=200M count=1"],"resources":{"limits":{"memory":"24Mi"}}}]}}}}"#;
    let made = server.with_input(&kubectl, &["create", "-f", "-"], job);
    assert!(made.status.success(), "{}", stderr(&made));
    server.ok(&kubectl, &["wait", "--for=condition=failed", "job/hungry", "--timeout=60s"]);
    let reason = "jsonpath={.items[0].status.containerStatuses[0].state.terminated.reason} {.items[0].status.containerStatuses[0].state.terminated.exitCode}";
    let reason = server.ok(&kubectl, &["get", "pods", "-o", reason]);
    // The shell survives when only its child is killed; the kernel kills the whole container on cgroup v2.
    assert!(reason == "OOMKilled 137" || reason == "Error 137", "{reason}");
}

#[test]
fn an_image_that_is_not_there_backs_off() {
    let server = Server::start();
    let kubectl = support::kubectl();
    server.ok(&kubectl, &["create", "job", "nowhere", "--image=busybox:never-heard-of", "--", "true"]);
    let waiting = "jsonpath={.items[*].status.containerStatuses[0].state.waiting.reason}";
    wait_for("ImagePullBackOff", || {
        (server.ok(&kubectl, &["get", "pods", "-o", waiting]) == "ImagePullBackOff").then_some(())
    });
    let described = server.ok(&kubectl, &["describe", "pods"]);
    for expect in [
        "Failed to pull image \"busybox:never-heard-of\"",
        "Error: ErrImagePull",
        "Back-off pulling image \"busybox:never-heard-of\"",
        "kiln image import",
    ] {
        assert!(described.contains(expect), "{expect} is missing from\n{described}");
    }
}

#[test]
fn mistakes_get_the_servers_own_words() {
    let server = Server::start();
    let kubectl = support::kubectl();
    let unknown = server.fails(&kubectl, &["get", "deployments"]);
    assert!(unknown.contains("the server doesn't have a resource type \"deployments\""), "{unknown}");
    let namespace = server.fails(&kubectl, &["create", "job", "x", "-n", "nowhere", "--image=kiln/demo"]);
    assert!(namespace.contains(r#"namespaces "nowhere" not found"#), "{namespace}");
    for (body, expect) in [
        ("{", "Error from server (BadRequest)"),
        ("\u{0}", "Error from server (BadRequest)"),
        ("[]", "Error from server (BadRequest)"),
    ] {
        let file = server.directory.path().join("body");
        std::fs::write(&file, body).unwrap();
        let talk = server.fails(
            &kubectl,
            &["create", "--raw", "/apis/batch/v1/namespaces/default/jobs", "-f", file.to_str().unwrap()],
        );
        assert!(talk.contains(expect), "{body:?}: {talk}");
    }
    let file = server.directory.path().join("body");
    std::fs::write(&file, "x".repeat(4 << 20)).unwrap();
    let talk = server
        .fails(&kubectl, &["create", "--raw", "/apis/batch/v1/namespaces/default/jobs", "-f", file.to_str().unwrap()]);
    assert!(talk.contains("RequestEntityTooLarge") || talk.contains("too large"), "{talk}");
    let output = server.kubectl(&kubectl, &["get", "jobs"]).output().unwrap();
    assert!(output.status.success() && stdout(&output).is_empty(), "the server still answers");
}
