"""kr8s against kiln: discovery first, objects with methods, waiting, exec and port-forward over WebSockets."""

import io

import httpx
import kr8s
from kr8s.objects import ConfigMap, CronJob, Job, Namespace, Pod, ServiceAccount, new_class

from checks import check, job, pod, run, unique, wait_for

NS = unique("kr8s")
api = kr8s.api(namespace=NS)


def status_of(error):
    """What the server said."""
    return error.response.json()


@check
def who_am_i_and_what_is_there():
    assert api.version()["gitVersion"].startswith("v1.36.")
    assert api.whoami()
    kinds = {resource["kind"] for resource in api.api_resources()}
    assert {"Pod", "Job", "CronJob", "Secret", "ClusterRole", "PersistentVolumeClaim", "StorageClass", "Lease"} <= kinds, kinds


@check
def a_namespace():
    Namespace({"metadata": {"name": NS}}).create()
    wait_for("the default account", lambda: [a for a in kr8s.get("serviceaccounts", namespace=NS) if a.name == "default"] or None)


@check
def a_job_is_waited_for_and_its_pods_are_found():
    made = Job({**job("pi", ["pi", "20"]), "metadata": {"name": "pi", "namespace": NS}})
    made.create()
    made.wait("condition=Complete", timeout=60)
    (only,) = kr8s.get("pods", namespace=NS, label_selector={"job-name": "pi"})
    assert only.status.phase == "Succeeded" and "".join(only.logs()).startswith("3.14159")
    made.refresh()
    assert made.status.succeeded == 1


@check
def a_watch_sees_changes():
    one = ConfigMap({"metadata": {"name": "one", "namespace": NS}, "data": {"a": "1"}})
    one.create()
    seen = []
    for kind, item in api.watch("configmaps", namespace=NS, field_selector="metadata.name=one"):
        seen.append((kind, item.data.get("a") if kind != "DELETED" else None))
        if len(seen) == 1:
            one.patch({"data": {"a": "2"}})
        elif len(seen) == 2:
            one.delete()
        if kind == "DELETED":
            break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", None)], seen


@check
def labels_annotations_and_patches():
    two = ConfigMap({"metadata": {"name": "two", "namespace": NS}, "data": {"a": "1"}})
    two.create()
    two.label({"env": "test"})
    two.annotate({"note": "x"})
    two.patch([{"op": "add", "path": "/data/b", "value": "2"}], type="json")
    two.refresh()
    assert (two.labels["env"], two.annotations["note"], two.data["b"]) == ("test", "x", "2")
    assert [item.name for item in kr8s.get("configmaps", namespace=NS, label_selector="env in (test)")] == ["two"]


@check
def errors_are_statuses():
    try:
        ConfigMap({"metadata": {"name": "two", "namespace": NS}}).create()
        raise AssertionError("it is there already")
    except kr8s.ServerError as error:
        assert status_of(error)["reason"] == "AlreadyExists", error
    try:
        ConfigMap.get("absent", namespace=NS)
        raise AssertionError("it is not there")
    except kr8s.NotFoundError:
        pass


@check
def a_cronjob_and_its_job():
    template = {"spec": job("x", ["seq", "1"])["spec"]}
    CronJob({"metadata": {"name": "nightly", "namespace": NS}, "spec": {"schedule": "0 2 * * *", "jobTemplate": template}}).create()
    assert CronJob.get("nightly", namespace=NS).spec.concurrencyPolicy == "Allow"


@check
def an_exec_runs():
    shell = Pod({**pod("shell", ["sleep", "600"]), "metadata": {"name": "shell", "namespace": NS}})
    shell.create()
    shell.wait("condition=Ready", timeout=60)
    done = shell.exec(["sh", "-c", "echo out; echo err >&2"])
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 0)
    out = io.BytesIO()
    failed = shell.exec(["sh", "-c", "seq 5000; exit 3"], stdout=out, check=False)
    assert failed.returncode == 3 and out.getvalue().split()[-1] == b"5000"


@check
def a_port_is_forwarded():
    server = "import http.server as h; h.HTTPServer(('127.0.0.1', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
    web = Pod({**pod("web", ["/usr/bin/python3", "-c", server]), "metadata": {"name": "web", "namespace": NS}})
    web.create()
    web.wait("condition=Ready", timeout=60)

    def asked():
        with web.portforward(remote_port=8080) as port:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/", timeout=10).status_code
            except httpx.HTTPError:
                return None

    assert wait_for("an answer through the tunnel", asked) == 200


@check
def kinds_it_was_never_told_of():
    claims = new_class(kind="PersistentVolumeClaim", version="v1", namespaced=True)
    claims({"metadata": {"name": "data", "namespace": NS}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}).create()
    account = ServiceAccount({"metadata": {"name": "robot", "namespace": NS}})
    account.create()
    assert account.exists()


@check
def everything_goes_with_the_namespace():
    Namespace.get(NS).delete()
    wait_for("the namespace to go", lambda: NS not in {namespace.name for namespace in kr8s.get("namespaces")})


run()
