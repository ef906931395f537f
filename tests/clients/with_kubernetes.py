"""The official Python client against kiln: generated models both ways, watches, patches, paging, exec, deletion."""

import datetime
import threading

import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

from checks import check, job, pod, run, unique, wait_for

config.load_kube_config()
core, batch, rbac = client.CoreV1Api(), client.BatchV1Api(), client.RbacAuthorizationV1Api()
storage, scheduling, events = client.StorageV1Api(), client.SchedulingV1Api(), client.EventsV1Api()
authorization, authentication = client.AuthorizationV1Api(), client.AuthenticationV1Api()
NS = unique("py")


def refused(code, call, *arguments, **keywords):
    """The Status of a call that must fail with this code."""
    try:
        call(*arguments, **keywords)
    except (ApiException, dynamic.exceptions.DynamicApiError) as error:
        assert error.status == code, (error.status, error.body)
        return yaml.safe_load(error.body)
    raise AssertionError(f"should have been refused with {code}")


def is_complete(name):
    """Whether a Job has condition Complete."""
    conditions = batch.read_namespaced_job_status(name, NS).status.conditions or []
    return any(condition.type == "Complete" and condition.status == "True" for condition in conditions)


@check
def a_namespace_brings_its_account_and_the_root_certificate():
    made = core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NS)))
    assert made.status.phase == "Active" and made.metadata.labels["kubernetes.io/metadata.name"] == NS
    wait_for("the default account", lambda: [a for a in core.list_namespaced_service_account(NS).items if a.metadata.name == "default"] or None)
    maps = wait_for("kube-root-ca.crt", lambda: core.list_namespaced_config_map(NS).items or None)
    assert "BEGIN CERTIFICATE" in maps[0].data["ca.crt"]


@check
def version_and_discovery():
    assert client.VersionApi().get_code().minor == "36"
    groups = {group.name for group in client.ApisApi().get_api_versions().groups}
    for group in ["batch", "rbac.authorization.k8s.io", "storage.k8s.io", "authorization.k8s.io", "events.k8s.io"]:
        assert group in groups, groups
    names = {resource.name for resource in core.get_api_resources().resources}
    assert {"pods", "pods/log", "pods/exec", "pods/eviction", "namespaces/finalize", "serviceaccounts/token"} <= names, names


@check
def a_typed_job_runs_and_its_log_is_read():
    container = client.V1Container(name="pi", image="kiln/demo", command=["pi", "50"],
                                   resources=client.V1ResourceRequirements(requests={"cpu": "0.1", "memory": "16Mi"}))
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels={"app": "pi"}),
                                        spec=client.V1PodSpec(containers=[container], restart_policy="Never"))
    body = client.V1Job(metadata=client.V1ObjectMeta(name="pi"), spec=client.V1JobSpec(template=template, backoff_limit=2))
    made = batch.create_namespaced_job(NS, body)
    assert made.spec.completions == 1 and made.spec.template.spec.containers[0].resources.requests["cpu"] == "100m"
    wait_for("the Job", lambda: is_complete("pi"))
    pods = core.list_namespaced_pod(NS, label_selector="job-name=pi").items
    log = core.read_namespaced_pod_log(pods[0].metadata.name, NS, timestamps=False)
    assert log.startswith("3.14159"), log
    tail = core.read_namespaced_pod_log(pods[0].metadata.name, NS, tail_lines=1, timestamps=True, pretty="true")
    datetime.datetime.fromisoformat(tail.split(" ")[0].split(".")[0])
    done = batch.read_namespaced_job("pi", NS)
    assert done.status.succeeded == 1 and done.status.completion_time >= done.status.start_time


@check
def a_log_is_followed_to_its_end():
    core.create_namespaced_pod(NS, pod("talker", ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.2; done"]))
    wait_for("it to run", lambda: core.read_namespaced_pod("talker", NS).status.phase != "Pending")
    lines = list(watch.Watch().stream(core.read_namespaced_pod_log, name="talker", namespace=NS, follow=True))
    assert lines == ["line 1", "line 2", "line 3"], lines


@check
def a_watch_tells_a_whole_life():
    listed = batch.list_namespaced_job(NS)
    seen = []
    watching = watch.Watch()
    batch.create_namespaced_job(NS, job("watched", ["seq", "2"], labels={"life": "whole"}))
    for event in watching.stream(batch.list_namespaced_job, NS, label_selector="life=whole",
                                 resource_version=listed.metadata.resource_version, timeout_seconds=60):
        seen.append(event["type"])
        conditions = event["object"].status.conditions or [] if event["type"] != "DELETED" else []
        if any(condition.type == "Complete" for condition in conditions) and "DELETED" not in seen:
            batch.delete_namespaced_job("watched", NS, propagation_policy="Background")
        if event["type"] == "DELETED":
            watching.stop()
    assert seen[0] == "ADDED" and seen[-1] == "DELETED" and "MODIFIED" in seen, seen


@check
def an_object_that_leaves_the_selector_is_deleted_for_its_watcher():
    core.create_namespaced_config_map(NS, {"metadata": {"name": "moving", "labels": {"side": "left"}}, "data": {"a": "1"}})
    version = core.list_namespaced_config_map(NS).metadata.resource_version
    core.patch_namespaced_config_map("moving", NS, {"metadata": {"labels": {"side": "right"}}})
    core.patch_namespaced_config_map("moving", NS, {"metadata": {"labels": {"side": "left"}}})
    kinds = [event["type"] for event in watch.Watch().stream(core.list_namespaced_config_map, NS, label_selector="side=left",
                                                             resource_version=version, timeout_seconds=1)]
    assert kinds == ["DELETED", "ADDED"], kinds


@check
def pages_are_walked():
    for index in range(7):
        core.create_namespaced_config_map(NS, {"metadata": {"name": f"page-{index}", "labels": {"paged": "yes"}}})
    names, token, n_pages = [], None, 0
    while True:
        page = core.list_namespaced_config_map(NS, limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token, n_pages = page.metadata._continue, n_pages + 1
        if not token:
            break
    assert [f"page-{index}" for index in range(7)] == [name for name in names if name.startswith("page-")], names
    assert n_pages > 2 and names == sorted(names)
    status = refused(400, core.list_namespaced_config_map, NS, _continue="nonsense")
    assert "continue" in status["message"], status


@check
def selectors_choose():
    def names(**selector):
        return {item.metadata.name for item in core.list_namespaced_config_map(NS, **selector).items}
    assert len(names(label_selector="paged in (yes,no)")) == 7
    assert "page-0" not in names(label_selector="!paged") and names(label_selector="paged notin (yes)") & {"moving"}
    assert names(field_selector="metadata.name=page-3") == {"page-3"}
    status = refused(400, core.list_namespaced_config_map, NS, field_selector="data.a=1")
    assert "data.a" in status["message"], status
    refused(400, core.list_namespaced_config_map, NS, label_selector="a in b")


@check
def every_kind_of_patch():
    core.create_namespaced_config_map(NS, {"metadata": {"name": "patched", "finalizers": []}, "data": {"a": "1", "b": "2"}})
    merged = core.patch_namespaced_config_map("patched", NS, {"data": {"a": None, "c": "3"}})
    assert merged.data == {"b": "2", "c": "3"}, merged.data
    changed = core.patch_namespaced_config_map("patched", NS, [{"op": "test", "path": "/data/b", "value": "2"},
                                                               {"op": "replace", "path": "/data/b", "value": "4"}])
    assert changed.data["b"] == "4"
    refused(422, core.patch_namespaced_config_map, "patched", NS, [{"op": "test", "path": "/data/b", "value": "x"}])
    batch.create_namespaced_job(NS, job("suspended", ["seq", "1"], suspend=True))
    wider = batch.patch_namespaced_job("suspended", NS, {"spec": {"parallelism": 2}})
    assert wider.spec.parallelism == 2 and wider.metadata.generation == 2
    status = refused(422, batch.patch_namespaced_job, "suspended", NS, {"spec": {"completionMode": "Indexed"}})
    assert "field is immutable" in status["message"], status


@check
def server_side_apply_with_conflicts():
    api = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager, data, force=False):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}
        return api.server_side_apply(body=body, name="applied", namespace=NS, field_manager=manager, force_conflicts=force)

    assert apply("one", {"a": "1", "b": "1"}).data.b == "1"
    assert apply("two", {"c": "2"}).data.to_dict() == {"a": "1", "b": "1", "c": "2"}
    try:
        apply("two", {"a": "2"})
        raise AssertionError("taking another's field needs force")
    except dynamic.exceptions.ConflictError as error:
        assert 'conflict with "one": .data.a' in yaml.safe_load(error.body)["message"], error.body
    assert apply("two", {"a": "2"}, force=True).data.to_dict() == {"a": "2", "b": "1"}
    assert apply("one", {"b": "1"}).data.to_dict() == {"a": "2", "b": "1"}
    managers = {entry.manager: entry for entry in core.read_namespaced_config_map("applied", NS).metadata.managed_fields}
    assert set(managers) == {"one", "two"} and managers["two"].operation == "Apply", managers


@check
def optimistic_locking_and_preconditions():
    read = core.read_namespaced_config_map("patched", NS)
    core.patch_namespaced_config_map("patched", NS, {"data": {"z": "1"}})
    read.data["y"] = "1"
    status = refused(409, core.replace_namespaced_config_map, "patched", NS, read)
    assert status["reason"] == "Conflict" and "the object has been modified" in status["message"], status
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="other"))
    refused(409, core.delete_namespaced_config_map, "patched", NS, body=wrong)
    refused(409, core.create_namespaced_config_map, NS, {"metadata": {"name": "patched"}})
    refused(404, core.read_namespaced_config_map, "absent", NS)


@check
def dry_run_writes_nothing():
    made = core.create_namespaced_config_map(NS, {"metadata": {"name": "dry"}}, dry_run="All")
    assert made.metadata.uid
    refused(404, core.read_namespaced_config_map, "dry", NS)


@check
def mistakes_are_all_named():
    body = job("Bad_Name", [], parallelism=-1)
    body["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    body["spec"]["template"]["spec"]["containers"][0]["image"] = ""
    status = refused(422, batch.create_namespaced_job, NS, body)
    fields = {cause["field"] for cause in status["details"]["causes"]}
    assert {"metadata.name", "spec.parallelism", "spec.template.spec.restartPolicy", "spec.template.spec.containers[0].image"} <= fields, fields
    # The models refuse what they do not know, so this one goes out as plain data.
    jobs = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="batch/v1", kind="Job")
    misspelt = job("typo", ["seq", "1"], backofLimit=1)
    status = refused(400, jobs.create, body=misspelt, namespace=NS, query_params=[("fieldValidation", "Strict")])
    assert 'unknown field "spec.backofLimit" (did you mean "backoffLimit"?)' in status["message"], status


@check
def secrets_are_kept_and_shown_as_base64():
    core.create_namespaced_secret(NS, client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"k": "v"}))
    assert core.read_namespaced_secret("s", NS).data == {"k": "dg=="}


@check
def events_tell_of_the_job():
    found = wait_for("events", lambda: core.list_namespaced_event(NS, field_selector="involvedObject.name=pi,involvedObject.kind=Job").items or None)
    assert {"SuccessfulCreate", "Completed"} <= {event.reason for event in found}, found
    # Its model of the newer form wants an eventTime, which older recorders leave null, on real clusters too.
    newer = yaml.safe_load(events.list_namespaced_event(NS, _preload_content=False).data)["items"]
    assert any(event.get("reason") == "Completed" and event["note"] == "Job completed" for event in newer)


@check
def an_exec_streams_both_ways_and_tells_the_exit_code():
    core.create_namespaced_pod(NS, pod("shell", ["sleep", "600"]))
    wait_for("it to run", lambda: core.read_namespaced_pod("shell", NS).status.phase == "Running")
    shell = ["sh", "-c", "echo out; echo err >&2; read line; echo got $line; exit 7"]
    session = stream(core.connect_get_namespaced_pod_exec, "shell", NS, command=shell, stderr=True, stdin=True,
                     stdout=True, tty=False, _preload_content=False)
    session.write_stdin("hello\n")
    session.run_forever(timeout=30)
    assert session.read_stdout() == "out\ngot hello\n" and session.read_stderr() == "err\n"
    assert session.returncode == 7
    whole = stream(core.connect_get_namespaced_pod_exec, "shell", NS, command=["seq", "20000"], stderr=True, stdin=False,
                   stdout=True, tty=False)
    assert whole.split() == [str(number) for number in range(1, 20001)]


@check
def a_port_is_forwarded():
    server = "import http.server as h; h.HTTPServer(('127.0.0.1', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
    core.create_namespaced_pod(NS, pod("web", ["/usr/bin/python3", "-c", server]))
    wait_for("it to run", lambda: core.read_namespaced_pod("web", NS).status.phase == "Running")

    def asked():
        forward = portforward(core.connect_get_namespaced_pod_portforward, "web", NS, ports="8080")
        try:
            socket = forward.socket(8080)
            socket.setblocking(True)
            socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return socket.recv(1024) or None
        except Exception:
            return None

    assert wait_for("an answer through the tunnel", asked).startswith(b"HTTP/1.0 200")


@check
def a_token_is_somebody_and_may_only_what_its_roles_say():
    core.create_namespaced_service_account(NS, {"metadata": {"name": "reader"}})
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("reader", NS, request).status.token
    other = client.Configuration.get_default_copy()
    other.cert_file = other.key_file = None
    other.api_key = {"authorization": f"Bearer {token}"}
    theirs = client.ApiClient(other)
    who = client.AuthenticationV1Api(theirs).create_self_subject_review({}).status.user_info
    assert who.username == f"system:serviceaccount:{NS}:reader" and "system:serviceaccounts" in who.groups
    status = refused(403, client.BatchV1Api(theirs).list_namespaced_job, NS)
    assert f'User "system:serviceaccount:{NS}:reader" cannot list resource "jobs"' in status["message"], status
    rbac.create_namespaced_role(NS, {"metadata": {"name": "jobs"}, "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]}]})
    rbac.create_namespaced_role_binding(NS, {"metadata": {"name": "jobs"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jobs"},
                                             "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NS}]})
    wait_for("the binding to count", lambda: may_list(theirs))
    refused(403, client.BatchV1Api(theirs).delete_namespaced_job, "pi", NS)
    access = {"spec": {"resourceAttributes": {"namespace": NS, "group": "batch", "resource": "jobs", "verb": "delete"}}}
    assert client.AuthorizationV1Api(theirs).create_self_subject_access_review(access).status.allowed is False
    assert authorization.create_self_subject_access_review(access).status.allowed is True
    review = authentication.create_token_review({"spec": {"token": token}})
    assert review.status.authenticated and review.status.user.username.endswith(":reader")


def may_list(api_client):
    """Whether Jobs can be listed."""
    try:
        client.BatchV1Api(api_client).list_namespaced_job(NS)
        return True
    except ApiException:
        return False


@check
def claims_bind_to_the_standard_class():
    claim = {"metadata": {"name": "shared"}, "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}
    made = core.create_namespaced_persistent_volume_claim(NS, claim)
    assert made.spec.storage_class_name == "standard" and "kubernetes.io/pvc-protection" in made.metadata.finalizers
    assert [c.metadata.name for c in storage.list_storage_class().items] == ["standard"]


@check
def quotas_limit_and_limit_ranges_complete():
    place = unique("quota")
    core.create_namespace({"metadata": {"name": place}})
    core.create_namespaced_resource_quota(place, {"metadata": {"name": "q"}, "spec": {"hard": {"count/jobs.batch": "1"}}})
    wait_for("the quota to be counted", lambda: (core.read_namespaced_resource_quota("q", place).status.hard or {}).get("count/jobs.batch"))
    batch.create_namespaced_job(place, job("first", ["seq", "1"], suspend=True))
    status = refused(403, batch.create_namespaced_job, place, job("second", ["seq", "1"], suspend=True))
    assert "exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1" in status["message"], status
    core.delete_namespace(place)


@check
def eviction_and_binding_answer():
    core.create_namespaced_pod(NS, pod("evicted", ["sleep", "600"]))
    wait_for("it to run", lambda: core.read_namespaced_pod("evicted", NS).status.phase == "Running")
    core.create_namespaced_pod_eviction("evicted", NS, {"metadata": {"name": "evicted"}})
    wait_for("it to go", lambda: "evicted" not in {p.metadata.name for p in core.list_namespaced_pod(NS).items})


@check
def plain_manifests_are_created_from_yaml():
    documents = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-yaml"}, "data": {"a": "b"}}, job("from-yaml", ["seq", "1"])]
    utils.create_from_yaml(client.ApiClient(), yaml_objects=documents, namespace=NS)
    assert core.read_namespaced_config_map("from-yaml", NS).data == {"a": "b"}


@check
def many_threads_write_at_once():
    def write(index):
        core.create_namespaced_config_map(NS, {"metadata": {"generateName": "many-", "labels": {"many": "yes"}}, "data": {"i": str(index)}})
    threads = [threading.Thread(target=write, args=(index,)) for index in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = core.list_namespaced_config_map(NS, label_selector="many=yes").items
    assert {item.data["i"] for item in found} == {str(index) for index in range(30)}
    core.delete_collection_namespaced_config_map(NS, label_selector="many=yes")
    assert not core.list_namespaced_config_map(NS, label_selector="many=yes").items


@check
def a_namespace_takes_everything_along():
    core.delete_namespace(NS)
    wait_for("the namespace to go", lambda: NS not in {namespace.metadata.name for namespace in core.list_namespace().items})
    assert not [p for p in core.list_pod_for_all_namespaces().items if p.metadata.namespace == NS]


run()
