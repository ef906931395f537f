"""lightkube against kiln: strict models, paging by default, server-side apply, waiting, watches."""

import lightkube
from lightkube.core.exceptions import ApiError
from lightkube.models.batch_v1 import JobSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import CronJob, Job
from lightkube.resources.core_v1 import ConfigMap, Event, Namespace, Node, Pod, Secret, ServiceAccount
from lightkube.types import CascadeType, PatchType

from checks import check, run, unique, wait_for

NS = unique("light")
client = lightkube.Client(namespace=NS, field_manager="lightkube")


def job(name, command, **spec):
    """A typed Job."""
    container = Container(name="main", image="kiln/demo", command=command)
    template = PodTemplateSpec(spec=PodSpec(containers=[container], restartPolicy="Never"))
    return Job(metadata=ObjectMeta(name=name), spec=JobSpec(template=template, **spec))


def refused(code, call, *arguments, **keywords):
    """The Status of a call that must fail with this code."""
    try:
        call(*arguments, **keywords)
    except ApiError as error:
        assert error.status.code == code, error.status
        return error.status
    raise AssertionError(f"should have been refused with {code}")


@check
def a_namespace():
    client.create(Namespace(metadata=ObjectMeta(name=NS)))
    wait_for("the default account", lambda: [a for a in client.list(ServiceAccount) if a.metadata.name == "default"] or None)


@check
def a_job_is_waited_for():
    client.create(job("pi", ["pi", "20"]))
    done = client.wait(Job, "pi", for_conditions=["Complete"])
    assert done.status.succeeded == 1
    (made,) = list(client.list(Pod, labels={"job-name": "pi"}))
    assert "".join(client.log(made.metadata.name)).startswith("3.14159")
    assert any(event.reason == "Completed" for event in client.list(Event, fields={"involvedObject.name": "pi"}))


@check
def a_failing_job_raises_in_wait():
    client.create(job("fails", ["fail", "3"], backoffLimit=0))
    failed = client.wait(Job, "fails", for_conditions=["Failed"])
    assert [c.reason for c in failed.status.conditions if c.type == "Failed"] == ["BackoffLimitExceeded"]


@check
def lists_are_paged():
    for index in range(12):
        client.create(ConfigMap(metadata=ObjectMeta(name=f"page-{index:02}", labels={"paged": "yes"}), data={"i": str(index)}))
    listed = client.list(ConfigMap, labels={"paged": "yes"}, chunk_size=5)
    assert [item.data["i"] for item in listed] == [str(index) for index in range(12)]
    assert [item.metadata.name for item in client.list(ConfigMap, labels={"paged": ["yes", "no"]}, fields={"metadata.name": "page-03"})] == ["page-03"]


@check
def a_list_knows_where_a_watch_goes_on():
    listed = client.list(ConfigMap)
    names = {item.metadata.name for item in listed}
    client.create(ConfigMap(metadata=ObjectMeta(name="later")))
    for kind, item in client.watch(ConfigMap, resource_version=listed.resourceVersion, server_timeout=20):
        assert (kind, item.metadata.name) == ("ADDED", "later") and item.metadata.name not in names
        break


@check
def patches_of_every_kind():
    changed = client.patch(ConfigMap, "page-00", {"data": {"i": None, "j": "1"}}, patch_type=PatchType.MERGE)
    assert changed.data == {"j": "1"}
    changed = client.patch(ConfigMap, "page-00", [{"op": "add", "path": "/data/k", "value": "2"}], patch_type=PatchType.JSON)
    assert changed.data == {"j": "1", "k": "2"}
    changed = client.patch(Job, "pi", {"metadata": {"labels": {"a": "b"}}}, patch_type=PatchType.STRATEGIC)
    assert changed.metadata.labels["a"] == "b"


@check
def server_side_apply():
    applied = client.apply(ConfigMap(metadata=ObjectMeta(name="applied"), data={"a": "1"}), field_manager="one")
    assert [(entry.manager, entry.operation) for entry in applied.metadata.managedFields] == [("one", "Apply")]
    theirs = ConfigMap(metadata=ObjectMeta(name="applied"), data={"a": "2"})
    status = refused(409, client.apply, theirs, field_manager="two")
    assert 'Apply failed with 1 conflict: conflict with "one": .data.a' in status.message, status
    forced = client.apply(theirs, field_manager="two", force=True)
    assert forced.data == {"a": "2"}


@check
def optimistic_locking():
    read = client.get(ConfigMap, "applied")
    client.patch(ConfigMap, "applied", {"data": {"z": "1"}})
    read.data["y"] = "1"
    assert refused(409, client.replace, read).reason == "Conflict"
    assert refused(404, client.get, ConfigMap, "absent").reason == "NotFound"
    assert refused(409, client.create, ConfigMap(metadata=ObjectMeta(name="applied"))).reason == "AlreadyExists"


@check
def a_cronjob_is_stored_as_it_was_meant():
    template = job("x", ["seq", "1"]).spec
    made = client.create(CronJob.from_dict({"metadata": {"name": "nightly"}, "spec": {
        "schedule": "0 2 * * *", "timeZone": "Europe/Berlin", "jobTemplate": {"spec": template.to_dict()}}}))
    assert (made.spec.concurrencyPolicy, made.spec.successfulJobsHistoryLimit, made.spec.suspend) == ("Allow", 3, False)
    status = refused(422, client.create, CronJob.from_dict({"metadata": {"name": "never"}, "spec": {
        "schedule": "61 * * * *", "jobTemplate": {"spec": template.to_dict()}}}))
    assert "end of range (61) above maximum (59): 61" in status.message, status


@check
def subresources():
    status = client.get(Job.Status, "pi")
    assert status.status.succeeded == 1
    node = next(iter(client.list(Node)))
    assert any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)


@check
def secrets_and_deletion():
    client.create(Secret(metadata=ObjectMeta(name="s"), stringData={"k": "v"}))
    assert client.get(Secret, "s").data == {"k": "dg=="}
    client.delete(Job, "pi", cascade=CascadeType.FOREGROUND)
    wait_for("the pods to go first", lambda: not list(client.list(Pod, labels={"job-name": "pi"})) and "pi" not in {j.metadata.name for j in client.list(Job)})
    client.deletecollection(ConfigMap)
    client.delete(Namespace, NS)
    wait_for("the namespace to go", lambda: NS not in {n.metadata.name for n in client.list(Namespace)})


run()
