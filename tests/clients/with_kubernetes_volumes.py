"""Claims, volumes and classes with the official client: typed models both ways, from the first claim to the last byte."""

import yaml
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException

from checks import check, run, unique, wait_for

config.load_kube_config()
core, batch, storage = client.CoreV1Api(), client.BatchV1Api(), client.StorageV1Api()
NS = unique("volumes")
BOUND, PROTECTION = "pv.kubernetes.io/bind-completed", "kubernetes.io/pvc-protection"


def refused(code, call, *arguments, **keywords):
    """The Status of a call that must fail with this code."""
    try:
        call(*arguments, **keywords)
    except ApiException as error:
        assert error.status == code, (error.status, error.body)
        return yaml.safe_load(error.body)
    raise AssertionError(f"should have been refused with {code}")


def claim(name, mode="ReadWriteOnce", size="1Gi", storage_class=None):
    """A typed claim."""
    resources = client.V1VolumeResourceRequirements(requests={"storage": size})
    spec = client.V1PersistentVolumeClaimSpec(access_modes=[mode], resources=resources, storage_class_name=storage_class)
    return client.V1PersistentVolumeClaim(metadata=client.V1ObjectMeta(name=name), spec=spec)


def user_of(name, script, **spec):
    """A typed pod spec that mounts a claim at /data."""
    source = client.V1PersistentVolumeClaimVolumeSource(claim_name=name)
    mount = client.V1VolumeMount(name="data", mount_path="/data")
    container = client.V1Container(name="main", image="kiln/host", command=["sh", "-c", script], volume_mounts=[mount])
    volume = client.V1Volume(name="data", persistent_volume_claim=source)
    return client.V1PodSpec(containers=[container], volumes=[volume], restart_policy="Never", **spec)


def bound(name):
    """The claim, once it is bound."""
    def look():
        found = core.read_namespaced_persistent_volume_claim(name, NS)
        return found if found.status.phase == "Bound" else None
    return wait_for(f"{name} to be bound", look)


def events_of(name):
    """Reasons and messages."""
    found = core.list_namespaced_event(NS, field_selector=f"involvedObject.name={name},involvedObject.kind=PersistentVolumeClaim")
    return {event.reason: event.message for event in found.items}


@check
def the_default_class_is_there():
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NS)))
    standard = storage.read_storage_class("standard")
    assert standard.metadata.annotations["storageclass.kubernetes.io/is-default-class"] == "true"
    assert (standard.reclaim_policy, standard.volume_binding_mode, standard.allow_volume_expansion) == ("Delete", "Immediate", True)
    status = refused(422, storage.patch_storage_class, "standard", {"provisioner": "example.com/other"})
    assert "updates to provisioner are forbidden." in status["message"], status


@check
def a_claim_is_watched_until_it_is_bound():
    version = core.list_namespaced_persistent_volume_claim(NS).metadata.resource_version
    core.create_namespaced_persistent_volume_claim(NS, claim("first"))
    phases = []
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_persistent_volume_claim, NS, resource_version=version, timeout_seconds=60):
        phases.append(event["object"].status.phase)
        if phases[-1] == "Bound":
            watching.stop()
    assert phases[0] == "Pending" and phases[-1] == "Bound", phases
    found = bound("first")
    assert found.metadata.finalizers == [PROTECTION] and found.metadata.annotations[BOUND] == "yes"
    assert found.spec.storage_class_name == "standard" and found.status.capacity == {"storage": "1Gi"}
    volume = core.read_persistent_volume(found.spec.volume_name)
    assert volume.spec.claim_ref.uid == found.metadata.uid and volume.status.phase == "Bound"
    assert volume.metadata.name == f"pvc-{found.metadata.uid}" and volume.spec.persistent_volume_reclaim_policy == "Delete"
    (term,) = volume.spec.node_affinity.required.node_selector_terms
    assert term.match_expressions[0].key == "kubernetes.io/hostname"
    told = wait_for("the provisioner's word", lambda: events_of("first") if "ProvisioningSucceeded" in events_of("first") else None)
    assert told["ProvisioningSucceeded"] == f"Successfully provisioned volume {volume.metadata.name}", told


@check
def jobs_hand_files_on():
    for name, script in [("write", "echo handed on >/data/file"), ("read", "cat /data/file")]:
        template = client.V1PodTemplateSpec(spec=user_of("first", script))
        batch.create_namespaced_job(NS, client.V1Job(metadata=client.V1ObjectMeta(name=name), spec=client.V1JobSpec(template=template)))
        wait_for(name, lambda: batch.read_namespaced_job_status(name, NS).status.succeeded)
    (reader,) = core.list_namespaced_pod(NS, label_selector="job-name=read").items
    assert core.read_namespaced_pod_log(reader.metadata.name, NS) == "handed on\n"


@check
def a_bound_claim_grows_and_changes_nothing_else():
    grown = core.patch_namespaced_persistent_volume_claim("first", NS, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    assert grown.spec.resources.requests == {"storage": "2Gi"}
    wait_for("the new size", lambda: bound("first").status.capacity == {"storage": "2Gi"})
    status = refused(422, core.patch_namespaced_persistent_volume_claim, "first", NS, {"spec": {"accessModes": ["ReadWriteMany"]}})
    assert "spec is immutable after creation except resources.requests" in status["message"], status
    assert '-  "ReadWriteOnce"\n+  "ReadWriteMany"\n' in status["message"], status
    status = refused(422, core.patch_namespaced_persistent_volume_claim, "first", NS, {"spec": {"resources": {"requests": {"storage": "1Gi"}}}})
    assert "field can not be less than status.capacity" in status["message"], status


@check
def mistakes_are_all_named():
    odd = claim("odd", mode="Sometimes", size="0")
    fields = {cause["field"] for cause in refused(422, core.create_namespaced_persistent_volume_claim, NS, odd)["details"]["causes"]}
    assert fields == {"spec.accessModes", "spec.resources[storage]"}, fields
    nothing = client.V1PersistentVolume(metadata=client.V1ObjectMeta(name=unique("v")), spec=client.V1PersistentVolumeSpec())
    fields = {cause["field"] for cause in refused(422, core.create_persistent_volume, nothing)["details"]["causes"]}
    assert fields == {"spec", "spec.accessModes", "spec.capacity"}, fields


@check
def a_claim_of_an_unknown_class_waits_and_says_why():
    core.create_namespaced_persistent_volume_claim(NS, claim("lost", storage_class="nowhere"))
    told = wait_for("its event", lambda: events_of("lost").get("ProvisioningFailed"))
    assert told == 'storageclass.storage.k8s.io "nowhere" not found', told
    gone = core.delete_namespaced_persistent_volume_claim("lost", NS)
    assert gone.metadata.deletion_timestamp and gone.spec.storage_class_name == "nowhere", gone
    wait_for("it to go", lambda: "lost" not in {c.metadata.name for c in core.list_namespaced_persistent_volume_claim(NS).items})


@check
def a_volume_made_by_hand_is_bound_by_selector():
    name = unique("by-hand")
    spec = client.V1PersistentVolumeSpec(access_modes=["ReadWriteMany"], capacity={"storage": "5Gi"}, storage_class_name="",
                                         host_path=client.V1HostPathVolumeSource(path=f"/tmp/{name}"))
    core.create_persistent_volume(client.V1PersistentVolume(metadata=client.V1ObjectMeta(name=name, labels={"by": name}), spec=spec))
    wanted = claim("selects", mode="ReadWriteMany", storage_class="")
    wanted.spec.selector = client.V1LabelSelector(match_labels={"by": name})
    core.create_namespaced_persistent_volume_claim(NS, wanted)
    assert bound("selects").spec.volume_name == name
    core.delete_namespaced_persistent_volume_claim("selects", NS)
    wait_for("it to be released", lambda: core.read_persistent_volume(name).status.phase == "Released")
    core.delete_persistent_volume(name)
    wait_for("it to go", lambda: name not in {volume.metadata.name for volume in core.list_persistent_volume().items})


@check
def a_claim_in_use_waits_for_its_pods_and_takes_its_volume_along():
    volume = bound("first").spec.volume_name
    core.delete_namespaced_persistent_volume_claim("first", NS)
    found = core.read_namespaced_persistent_volume_claim("first", NS)
    assert found.metadata.deletion_timestamp and found.status.phase == "Bound", found
    for name in ["write", "read"]:
        batch.delete_namespaced_job(name, NS, propagation_policy="Background")
    wait_for("the claim to go", lambda: not core.list_namespaced_persistent_volume_claim(NS).items)
    wait_for("the volume to go", lambda: volume not in {volume.metadata.name for volume in core.list_persistent_volume().items})


@check
def an_ephemeral_volume_belongs_to_its_pod():
    template = client.V1PersistentVolumeClaimTemplate(spec=claim("x").spec)
    spec = user_of("x", "echo >/data/file")
    spec.volumes = [client.V1Volume(name="data", ephemeral=client.V1EphemeralVolumeSource(volume_claim_template=template))]
    core.create_namespaced_pod(NS, client.V1Pod(metadata=client.V1ObjectMeta(name="scratch"), spec=spec))
    wait_for("it to run", lambda: core.read_namespaced_pod("scratch", NS).status.phase == "Succeeded")
    (owner,) = core.read_namespaced_persistent_volume_claim("scratch-data", NS).metadata.owner_references
    assert (owner.kind, owner.name, owner.controller) == ("Pod", "scratch", True)
    core.delete_namespaced_pod("scratch", NS)
    wait_for("its claim to go", lambda: not core.list_namespaced_persistent_volume_claim(NS).items)


@check
def a_namespace_takes_its_claims_and_their_volumes_along():
    core.create_namespaced_persistent_volume_claim(NS, claim("last"))
    volume = bound("last").spec.volume_name
    core.delete_namespace(NS)
    wait_for("the namespace to go", lambda: NS not in {space.metadata.name for space in core.list_namespace().items})
    wait_for("the volume to go", lambda: volume not in {volume.metadata.name for volume in core.list_persistent_volume().items})


run()
