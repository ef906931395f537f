//! `kiln check` on files, without a server: what it prints, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{kiln, repository, stderr, stdout};

const FROM: &str = "--from=2026-01-01T00:00:00Z";

/// In a directory, so that what is printed does not depend on where that is.
fn check_in(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = kiln(&[&["check", FROM], arguments].concat());
    command.current_dir(directory).env("TZ", "UTC");
    command
}

fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn ended(output: &Output, code: i32, expect: &str) {
    assert_eq!((stdout(output).as_str(), stderr(output).as_str()), (expect, ""));
    assert_eq!(output.status.code(), Some(code));
}

/// A daily backup, with the mistakes that people make in one.
const BACKUP: &str = r#"# a comment
apiVersion: batch/v1
kind: CronJob
metadata:
  name: backup
spec:
  schedule: "0 2 * * *"
  timeZone: America/New_York
  startingDelineSeconds: 300
  jobTemplate:
    schedule: "@daily"
    spec:
      activeDeradlineSeconds: 1800
      template:
        spec:
          containers:
          - name: backup
            image: busybox:1.35
            command: [/scripts/backup.sh]
            env:
            - name: DAY
              value: $(date +%F)
            - name: LEVEL
              value: 9
            volumeMounts:
            - name: scripts
              mountPath: /scripts
          volumes:
          - name: scripts
            configMap:
              name: backup-scripts
          - name: storage
            persistentVolumeClaim:
              claimName: backup-storage
          restartPolicy: OnFailure
          restartPolicy: Never
"#;

const BACKUP_REPORT: &str = r#"warning: backup.yaml:7: cronjob.batch/backup: spec.schedule: on 2026-03-08 the clock of America/New_York goes forward from 02:00 to 03:00: the run of 02:00 is left out
to do: choose an hour that the clock shows once every day, or timeZone: Etc/UTC

error: backup.yaml:9: cronjob.batch/backup: unknown field "spec.startingDelineSeconds"
to do: did you mean "startingDeadlineSeconds"?

error: backup.yaml:11: cronjob.batch/backup: unknown field "spec.jobTemplate.schedule"
cause: it stands in the wrong place
to do: write it as spec.schedule

error: backup.yaml:13: cronjob.batch/backup: unknown field "spec.jobTemplate.spec.activeDeradlineSeconds"
to do: did you mean "activeDeadlineSeconds"?

warning: backup.yaml:19: cronjob.batch/backup: spec.jobTemplate.spec.template.spec.containers[0].command[0]: /scripts/backup.sh may not be executed: Permission denied
cause: its mode is 0644, by spec.jobTemplate.spec.template.spec.volumes[0].configMap
to do: add defaultMode: 0755 to spec.jobTemplate.spec.template.spec.volumes[0].configMap, or let a shell read it: command: ["sh", "/scripts/backup.sh"]

warning: backup.yaml:22: cronjob.batch/backup: spec.jobTemplate.spec.template.spec.containers[0].env[0].value: $(date +%F) stays as it is
cause: only $(NAME) of a variable set before it is replaced; no shell reads this
to do: set the variable before it, or do it in a script: command: ["sh", "-c", "…"]; $$( says that it is meant

error: backup.yaml:24: cronjob.batch/backup: json: cannot unmarshal number into Go struct field EnvVar.spec.jobTemplate.spec.template.spec.containers.env.value of type string
to do: write it between quotes, as "1" or "true": it has to be text

warning: backup.yaml:31: cronjob.batch/backup: spec.jobTemplate.spec.template.spec.volumes[0].configMap.name: there is no ConfigMap "backup-scripts" in these files
cause: the pods do not start before it is there: ContainerCreating, with FailedMount events
to do: add it to the files, or see that it is on the server already

warning: backup.yaml:34: cronjob.batch/backup: spec.jobTemplate.spec.template.spec.volumes[1].persistentVolumeClaim.claimName: there is no PersistentVolumeClaim "backup-storage" in these files
cause: the pods stay Pending until it is there
to do: add it to the files, or see that it is on the server already

error: backup.yaml:36: cronjob.batch/backup: duplicate field "spec.jobTemplate.spec.template.spec.restartPolicy"
cause: only the last one holds
to do: keep one of them

1 object in 1 file: 5 errors, 5 warnings
"#;

#[test]
fn every_mistake_of_a_manifest_has_its_line_its_cause_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("backup.yaml"), BACKUP).unwrap();
    ended(&check_in(directory.path(), &["-f", "backup.yaml"]).output().unwrap(), 1, BACKUP_REPORT);
    ended(&check_in(directory.path(), &["backup.yaml"]).output().unwrap(), 1, BACKUP_REPORT);
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: batch}\n";
const JOB: &str = r#"apiVersion: batch/v1
kind: Job
metadata: {name: report, namespace: batch}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: kiln/demo
        command: [pi, "$(DIGITS)"]
        envFrom: [{configMapRef: {name: settings}}]
"#;
const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: batch}\ndata: {DIGITS: \"9\"}\n";

#[test]
fn documents_of_standard_input_know_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let whole = [JOB, SETTINGS, NAMESPACE].join("---\n");
    let output = with_input(check_in(directory.path(), &["-f", "-"]), &whole);
    ended(&output, 0, "3 objects in 1 file: 0 errors, 0 warnings\n");

    let part = [NAMESPACE, JOB].join("---\n");
    let expect = "\
warning: stdin:16: job.batch/report: spec.template.spec.containers[0].envFrom[0].configMapRef.name: there is no ConfigMap \"settings\" in these files
cause: the container does not start before it is there: CreateContainerConfigError
to do: add it to the files, or see that it is on the server already

2 objects in 1 file: 0 errors, 1 warning
";
    ended(&with_input(check_in(directory.path(), &["-f", "-"]), &part), 0, expect);
    ended(&with_input(check_in(directory.path(), &["-f", "-", "--strict"]), &part), 1, expect);
}

#[test]
fn a_directory_is_looked_at_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = directory.path().join("all").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("job.yaml", JOB);
    put("namespace.yml", NAMESPACE);
    put("README.md", "a: [");
    put("more/settings.yaml", SETTINGS);
    let whole = check_in(directory.path(), &["-f", "all", "-R"]).output().unwrap();
    ended(&whole, 0, "3 objects in 3 files: 0 errors, 0 warnings\n");

    let output = check_in(directory.path(), &["-f", "all", "-o", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let field = "spec.template.spec.containers[0].envFrom[0].configMapRef.name";
    let expect = json!({"files": 2, "objects": 2, "errors": 0, "warnings": 1, "findings": [{
        "file": "all/job.yaml", "document": 1, "line": 12, "object": "job.batch/report", "field": field, "severity": "warning",
        "what": format!("{field}: there is no ConfigMap \"settings\" in these files"),
        "cause": "the container does not start before it is there: CreateContainerConfigError",
        "remedy": "add it to the files, or see that it is on the server already",
    }]});
    assert_eq!((told, output.status.code()), (expect, Some(0)));

    // Whoever may stand in a file that cannot be read is not missing.
    put("settings.yaml", "apiVersion: v1\nkind: ConfigMap\n\tdata: {}\n");
    let output = check_in(directory.path(), &["-f", "all"]).output().unwrap();
    let told = stdout(&output);
    assert!(told.starts_with("error: all/settings.yaml:2: not valid YAML\ncause: "), "{told}");
    assert!(told.ends_with("\n\n2 objects in 3 files: 1 error, 0 warnings\n"), "{told}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_looked_at_is_a_mistake_of_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("empty.yaml"), "# nothing\n---\n").unwrap();
    for (arguments, talk) in [
        (vec![], "error: no file is given\nto do: name the manifests: kiln check -f FILE\n"),
        (vec!["-f", "empty.yaml"], "error: there are no objects in empty.yaml\n"),
        (
            vec!["-f", "none.yaml"],
            "error: cannot read none.yaml\ncause: No such file or directory (os error 2)\nto do: check the name; a relative one begins at \
             the working directory\n",
        ),
        (
            vec!["-f", "https://example.org/x.yaml"],
            "error: kiln reads no manifests from the network: https://example.org/x.yaml\nto do: fetch it, look at it, and give the file\n",
        ),
    ] {
        let output = check_in(directory.path(), &arguments).output().unwrap();
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str(), output.status.code()), ("", talk, Some(2)));
    }
    let output = check_in(directory.path(), &["-f", "x.yaml", "-o", "yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// What is really so, and is said in the examples too.
fn known(example: &str) -> &'static str {
    match example {
        "backup-cronjob.yaml" => {
            "warning: backup-cronjob.yaml:33: cronjob.batch/backup-job: spec.schedule: on 2026-03-08 the clock of America/New_York goes \
             forward from 02:00 to 03:00: the run of 02:00 is left out\nto do: choose an hour that the clock shows once every day, or \
             timeZone: Etc/UTC\n\n"
        }
        "data-processing-pipeline.yaml" => {
            "warning: data-processing-pipeline.yaml:78: job.batch/parallel-data-processor: spec.template.spec.volumes[1].emptyDir: the \
             pods do not share \"shared-results\"\ncause: each pod has an emptyDir of its own, which is gone with the pod\nto do: keep what \
             has to outlive the pods in a PersistentVolumeClaim\n\n"
        }
        "database-maintenance-cronjob.yaml" => {
            "warning: database-maintenance-cronjob.yaml:35: secret/db-credentials: stringData[host]: there is no Service \"postgres\" of \
             namespace \"database\" in these files\ncause: postgres.database.svc.cluster.local leads nowhere until it is there\nto do: \
             add it (for a host outside: type: ExternalName), or hostAliases to the pods, or see that it is on the server already\n\n"
        }
        _ => "",
    }
}

#[test]
fn there_are_no_false_alarms_about_the_examples() {
    let examples = repository().join("examples");
    let mut n_examples = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".yaml") {
            continue;
        }
        n_examples += 1;
        let output = check_in(&examples, &["-f", &name]).output().unwrap();
        let told = stdout(&output);
        let (findings, sum) = told.rsplit_once("\n\n").map_or(("", told.as_str()), |(findings, sum)| (findings, sum));
        assert_eq!(findings, known(&name).trim_end_matches('\n'), "{name}");
        let n_warnings = if known(&name).is_empty() { "0 warnings" } else { "1 warning" };
        assert!(sum.ends_with(&format!(" in 1 file: 0 errors, {n_warnings}\n")), "{name}: {sum}");
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
    assert!(12 <= n_examples, "{n_examples} examples in {}", examples.display());
}
