//! Real kubectl, every version there is, as people who may only some things: they see exactly that, cannot give
//! themselves more, and are told the truth by can-i and whoami.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use support::{Kubectl, Server, kubectls, stderr, stdout};

/// Runs `test` for every kubectl, newest first, in a namespace of its own.
fn with_every_kubectl(test: impl Fn(&Server, &Kubectl, &str)) {
    let server = Server::start();
    for kubectl in kubectls().iter().rev() {
        eprintln!("kubectl 1.{}", kubectl.version);
        let namespace = format!("v{}", kubectl.version);
        server.ok(kubectl, &["create", "namespace", &namespace]);
        test(&server, kubectl, &namespace);
    }
}

/// Whether `auth can-i` says yes; it exits 1 when it says no.
#[track_caller]
fn can(server: &Server, kubectl: &Kubectl, as_user: &[&str], question: &[&str]) -> bool {
    let arguments = [&["auth", "can-i"], question, as_user].concat();
    let output = server.kubectl(kubectl, &arguments).output().unwrap();
    match (stdout(&output).trim(), output.status.code()) {
        ("yes", Some(0)) => true,
        ("no", Some(1)) => false,
        other => panic!("{arguments:?}: {other:?} {}", stderr(&output)),
    }
}

#[test]
fn who_reads_jobs_in_one_namespace_sees_just_that_and_is_told_so() {
    with_every_kubectl(|server, kubectl, namespace| {
        let ok = |arguments: &[&str]| server.ok(kubectl, &[&["-n", namespace], arguments].concat());
        let made = ok(&["create", "role", "job-reader", "--verb=get,list,watch", "--resource=jobs.batch"]);
        assert_eq!(made, "role.rbac.authorization.k8s.io/job-reader created\n");
        ok(&["create", "rolebinding", "ann", "--role=job-reader", "--user=ann"]);
        ok(&["create", "job", "pi", "--image=kiln/demo", "--", "pi", "10"]);

        let ann = ["--as=ann", "-n", namespace];
        let ask = |arguments: &[&str]| server.ok(kubectl, &[arguments, &ann].concat());
        let refused = |arguments: &[&str]| server.fails(kubectl, &[arguments, &ann].concat());
        assert!(ask(&["get", "jobs"]).contains("pi"));
        assert!(ask(&["get", "job", "pi", "-o", "name"]).contains("job.batch/pi"));
        assert_eq!(
            refused(&["get", "pods"]),
            format!(
                "Error from server (Forbidden): pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" in the namespace \"{namespace}\"\n"
            )
        );
        assert!(refused(&["get", "jobs", "-A"]).contains("at the cluster scope"));
        let refusal = refused(&["delete", "job", "pi"]);
        assert!(refusal.contains("cannot delete resource \"jobs\" in API group \"batch\""), "{refusal}");
        refused(&["create", "job", "mine", "--image=kiln/demo"]);

        // What can-i says is what happens.
        for (question, expect) in [
            (&["get", "jobs"][..], true),
            (&["list", "jobs.batch"], true),
            (&["watch", "job/pi"], true),
            (&["delete", "jobs"], false),
            (&["create", "jobs"], false),
            (&["get", "pods", "--subresource=log"], false),
            (&["list", "jobs", "-A"], false),
            (&["get", "/version"], true),
            (&["get", "/metrics"], false),
            (&["*", "*"], false),
        ] {
            let place = if question.contains(&"-A") { &ann[..1] } else { &ann[..] };
            assert_eq!(can(server, kubectl, place, question), expect, "{question:?}");
        }
        assert!(can(server, kubectl, &[], &["*", "*"]));
        let list = ask(&["auth", "can-i", "--list"]);
        let jobs: Vec<&str> =
            list.lines().find(|line| line.starts_with("jobs.batch")).expect(&list).split_whitespace().collect();
        assert_eq!(jobs, ["jobs.batch", "[]", "[]", "[get", "list", "watch]"]);
        assert!(list.contains("selfsubjectaccessreviews.authorization.k8s.io"), "{list}");
        assert!(!list.contains("pods"), "{list}");
    });
}

#[test]
fn nobody_gives_himself_more_and_whoami_says_who_one_is() {
    with_every_kubectl(|server, kubectl, namespace| {
        server.ok(kubectl, &["create", "rolebinding", "ann", "--clusterrole=admin", "--user=ann", "-n", namespace]);
        let ann = ["--as=ann", "--as-group=team", "-n", namespace];
        let refused = |arguments: &[&str]| server.fails(kubectl, &[arguments, &ann].concat());
        let refusal = refused(&["create", "rolebinding", "self", "--clusterrole=cluster-admin", "--user=ann"]);
        let expect = "error: failed to create rolebinding: rolebindings.rbac.authorization.k8s.io \"self\" is forbidden: user \"ann\" (groups=[\"team\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}\n";
        assert_eq!(refusal, expect);
        refused(&["create", "clusterrolebinding", "self", "--clusterrole=admin", "--user=ann"]);
        let refusal = refused(&["create", "role", "more", "--verb=get", "--resource=runtimeclasses.node.k8s.io"]);
        assert!(
            refusal.contains("{APIGroups:[\"node.k8s.io\"], Resources:[\"runtimeclasses\"], Verbs:[\"get\"]}"),
            "{refusal}"
        );
        // What one has, one may pass on.
        server.ok(kubectl, &[&["create", "role", "less", "--verb=get", "--resource=jobs.batch"][..], &ann].concat());
        server.ok(kubectl, &[&["create", "rolebinding", "carl", "--role=less", "--user=carl"][..], &ann].concat());
        assert!(can(server, kubectl, &["--as=carl", "-n", namespace], &["get", "jobs"]));
        if kubectl.version >= 28 {
            let who = server.ok(
                kubectl,
                &[
                    "auth",
                    "whoami",
                    "-o",
                    "jsonpath={.status.userInfo.username} {.status.userInfo.groups}",
                    "--as=ann",
                    "--as-group=team",
                ],
            );
            assert_eq!(who, "ann [\"team\",\"system:authenticated\"]");
            let robot = format!("--as=system:serviceaccount:{namespace}:default");
            let who = server.ok(kubectl, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}", &robot]);
            assert_eq!(
                who,
                format!("[\"system:serviceaccounts\",\"system:serviceaccounts:{namespace}\",\"system:authenticated\"]")
            );
        }
    });
}

#[test]
fn roles_are_reconciled_gathered_and_described() {
    with_every_kubectl(|server, kubectl, namespace| {
        let roles = server.ok(kubectl, &["get", "clusterroles"]);
        for name in ["admin", "cluster-admin", "edit", "system:discovery", "view"] {
            assert!(roles.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {roles}");
        }
        let described = server.ok(kubectl, &["describe", "clusterrole", "view"]);
        assert!(described.lines().any(|line| line.trim_start().starts_with("jobs.batch ")), "{described}");

        // A ClusterRole labelled for it becomes part of view.
        let name = format!("crews-{namespace}");
        let rule = format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\n  labels:\n    rbac.authorization.k8s.io/aggregate-to-view: \"true\"\nrules:\n- apiGroups: [example.com]\n  resources: [{name}]\n  verbs: [get]\n"
        );
        let output = server.with_input(kubectl, &["auth", "reconcile", "-f", "-"], &rule);
        assert_eq!(
            stdout(&output),
            format!("clusterrole.rbac.authorization.k8s.io/{name} reconciled\n"),
            "{}",
            stderr(&output)
        );
        support::wait_for("the rule to be gathered", || {
            server.ok(kubectl, &["get", "clusterrole", "admin", "-o", "yaml"]).contains(&name).then_some(())
        });
        // Reconciling adds what is missing and keeps what is more.
        let wider = rule.replace("[get]", "[list]");
        server.with_input(kubectl, &["auth", "reconcile", "-f", "-"], &wider);
        let verbs = server.ok(kubectl, &["get", "clusterrole", &name, "-o", "jsonpath={.rules[*].verbs}"]);
        assert!(verbs.contains("get") && verbs.contains("list"), "{verbs}");
        server.ok(kubectl, &["delete", "clusterrole", &name]);
        support::wait_for("the rule to go", || {
            (!server.ok(kubectl, &["get", "clusterrole", "admin", "-o", "yaml"]).contains(&name)).then_some(())
        });

        let wide = ["get", "rolebindings", "-o", "wide", "-n", namespace];
        server.ok(
            kubectl,
            &[
                "create",
                "rolebinding",
                "b",
                "--clusterrole=view",
                "--user=ann",
                "--group=team",
                "--serviceaccount=x:y",
                "-n",
                namespace,
            ],
        );
        let table = server.ok(kubectl, &wide);
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!([&row[..2], &row[3..]].concat(), ["b", "ClusterRole/view", "ann", "team", "x/y"], "{table}");
    });
}
