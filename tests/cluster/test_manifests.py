"""The manifests: whole, right by Kubernetes' and KubeRay's own rules, and true to the code that they start."""

from __future__ import annotations

import functools
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import ftrl
from tests.cluster.manifests import clusters, groups, labels_of, of_kind, offered, pods, quantity, render, selects

ROOT = Path(__file__).resolve().parents[2]
JOBS = ["synthesize", "rollout", "train", "evaluate", "pipeline"]
FOLDERS = ["base", *(f"jobs/{job}" for job in JOBS), "overlays/spot", "overlays/kueue", "overlays/metrics"]
every_folder = pytest.mark.parametrize("folder", FOLDERS)

OF_OTHERS = {"ResourceFlavor", "ClusterQueue", "LocalQueue", "PodMonitor"}
"""Kinds of Kueue and of the Prometheus operator, whose schemas are not at hand."""


# By their schemas


@functools.cache
def crd_schema(folder: Path, kind: str) -> dict[str, Any]:
    """KubeRay's schema of a kind, in which a field that it does not know is an error instead of being dropped."""
    definition = yaml.safe_load((folder / f"ray.io_{kind.lower()}s.yaml").read_text())
    (schema,) = [each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"] if each["name"] == "v1"]
    return dict(strict(schema))


def strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if made.get("x-kubernetes-int-or-string") is True:
        made.pop("type", None)
    known = isinstance(made.get("properties"), dict) and made.get("type") == "object"
    if known and made["properties"] and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@every_folder
def test_every_object_of_kuberay_is_one_by_its_schema(folder: str, shared: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    checked = 0
    for each in render(folder):
        if each["kind"] in {"RayCluster", "RayJob"}:
            schema = crd_schema(shared / "data" / "kuberay_crds", each["kind"])
            schema["properties"]["metadata"].pop("additionalProperties", None)
            jsonschema.Draft7Validator(schema).validate(each)
            checked += 1
    assert checked == 1


def test_the_schema_would_notice_a_field_that_does_not_exist(shared: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    (cluster,) = of_kind(render("base"), "RayCluster")
    broken = json.loads(json.dumps(cluster))
    broken["spec"]["workerGroupSpecs"][0]["minReplica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minReplica"):
        jsonschema.Draft7Validator(crd_schema(shared / "data" / "kuberay_crds", "RayCluster")).validate(broken)


@every_folder
def test_every_object_of_kubernetes_is_one_by_its_schema(folder: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for each in render(folder):
        if each["kind"] not in {"RayCluster", "RayJob", *OF_OTHERS}:
            validator.validate(each, validator.latest_version(), strict=True)


# By KubeRay's rules that are in no schema


@every_folder
def test_a_job_is_one_that_kuberay_takes(folder: str) -> None:
    for job in of_kind(render(folder), "RayJob"):
        spec = job["spec"]
        scaled = spec["rayClusterSpec"].get("enableInTreeAutoscaling", False)
        rules = spec.get("deletionStrategy", {}).get("deletionRules", [])
        assert bool(rules) != spec.get("shutdownAfterJobFinishes", False), (
            "the rules, or KubeRay's old switch: not both"
        )
        assert not (scaled and any(rule["policy"] == "DeleteWorkers" for rule in rules))
        assert spec.get("shutdownAfterJobFinishes") or not spec.get("suspend")
        assert spec["backoffLimit"] > 0
        assert len(job["metadata"]["name"]) <= 47


@every_folder
def test_every_option_of_ray_start_exists(folder: str) -> None:
    from ray.scripts.scripts import start

    options = {option.removeprefix("--") for parameter in start.params for option in parameter.opts}
    for cluster in clusters(render(folder)):
        for group in groups(cluster).values():
            assert set(group["rayStartParams"]) <= options


@every_folder
def test_a_cluster_asks_for_a_token_keeps_its_state_and_is_scaled_by_the_second_autoscaler(folder: str) -> None:
    for cluster in clusters(render(folder)):
        assert cluster["authOptions"] == {"mode": "token"}
        address = cluster["gcsFaultToleranceOptions"]["redisAddress"]
        (service,) = of_kind(render(folder), "Service")
        assert address == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
        if folder != "overlays/kueue":
            assert cluster["enableInTreeAutoscaling"] is True
            assert cluster["autoscalerOptions"]["version"] == "v2"


# By the code


@pytest.mark.parametrize("job", JOBS)
def test_a_job_starts_an_entry_point_that_exists_with_a_configuration_that_it_takes(
    job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = render(f"jobs/{job}")
    (ray_job,) = of_kind(objects, "RayJob")
    python, script, option, config = shlex.split(ray_job["spec"]["entrypoint"])
    assert (python, option) == ("python", "--config")
    assert Path(script) == Path("/opt/ftrl/jobs") / f"{job}.py"
    drivers = groups(ray_job["spec"]["rayClusterSpec"])["drivers"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in drivers["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in drivers["volumes"]}
    (given,) = of_kind(objects, "ConfigMap")
    assert volumes[mounts[str(Path(config).parent)]]["configMap"]["name"] == given["metadata"]["name"]
    text = given["data"][Path(config).name]
    assert text == (ROOT / "jobs" / "configs" / f"{job}.yaml").read_text(), "one example each, not two"
    shown = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / f"{job}.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert option in shown.stdout


@every_folder
def test_what_a_configuration_names_is_where_drivers_and_engines_see_it(folder: str) -> None:
    for cluster in clusters(render(folder)):
        for name in ("drivers", "gpu"):
            (container,) = groups(cluster)[name]["template"]["spec"]["containers"]
            assert "/shared" in {mount["mountPath"] for mount in container["volumeMounts"]}
            assert {next(iter(source)) for source in container["envFrom"]} == {"configMapRef", "secretRef"}


@every_folder
def test_images_are_those_that_the_dockerfiles_make_and_ray_is_the_one_in_them(folder: str) -> None:
    objects = render(folder)
    for name, pod in pods(objects):
        for container in pod["containers"]:
            image, _, tag = container["image"].partition(":")
            if name == "ftrl-redis":
                assert tag[0].isdigit()
                continue
            assert image == ("ftrl-gpu" if name == "gpu" else "ftrl-cpu")
            assert tag == ftrl.__version__
            assert (ROOT / "cluster" / f"Dockerfile.{image.removeprefix('ftrl-')}").is_file()
    for cluster in clusters(objects):
        for stack in ("cpu", "gpu"):
            assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints" / f"{stack}.txt").read_text().splitlines()


def variables(folder: str) -> Iterator[tuple[str, str]]:
    for _, pod in pods(render(folder)):
        for container in pod["containers"]:
            for variable in container.get("env", []):
                yield variable["name"], variable.get("value", "")


def test_every_variable_that_is_set_is_one_that_somebody_reads() -> None:
    import huggingface_hub
    import ray

    rays = Path(ray.__file__).parent
    hubs = Path(huggingface_hub.__file__).parent
    sources = {"RAY": rays, "BAD": rays, "HF": hubs, "FTRL": ROOT / "ftrl"}
    for name in {name for name, _ in variables("base")} - {"REDIS_PASSWORD"}:
        where = sources[name.partition("_")[0]]
        found = subprocess.run(["grep", "-rqF", "--include=*.py", name.removeprefix("RAY_"), str(where)], check=False)
        assert found.returncode == 0, f"nobody reads {name}"


def test_the_level_of_isolation_is_one_that_exists() -> None:
    from ftrl.sandbox import Isolation

    levels = {value for name, value in variables("base") if name == "FTRL_REQUIRE_ISOLATION"}
    assert levels == {Isolation.KERNEL.value}


# Placement


@every_folder
def test_nothing_is_placed_on_the_head_and_a_jobs_driver_where_it_reaches_storage(folder: str) -> None:
    objects = render(folder)
    for cluster in clusters(objects):
        assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
        assert not offered(cluster["headGroupSpec"])
        assert set(groups(cluster)) == {"head", "drivers", "tools", "gpu"}
    for job in of_kind(objects, "RayJob"):
        wanted = json.loads(job["spec"]["entrypointResources"])
        able = [
            name
            for name, group in groups(job["spec"]["rayClusterSpec"]).items()
            if wanted.keys() <= offered(group).keys()
        ]
        assert able == ["drivers"]
        assert groups(job["spec"]["rayClusterSpec"])["drivers"]["minReplicas"] >= 1


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_needs_gpus_does_not_start_without_a_node_that_has_them(job: str) -> None:
    (cluster,) = clusters(render(f"jobs/{job}"))
    assert groups(cluster)["gpu"]["minReplicas"] == groups(cluster)["gpu"]["replicas"] == (job != "synthesize")


def allocatable(cpus: int, gib: int) -> tuple[float, float]:
    """What is left of a node for pods: the share that GKE keeps back, and half a CPU and 1 GiB for what runs on all."""
    steps = [(4, 0.25), (4, 0.20), (8, 0.10), (112, 0.06), (float("inf"), 0.02)]
    kept, left = 0.1, float(gib)
    for size, share in steps:
        kept += min(size, left) * share
        left = max(0.0, left - size)
    return cpus - 0.06 - 0.0025 * cpus - 0.5, gib - kept - 1


@every_folder
def test_pods_fit_on_real_nodes_and_their_shared_memory_into_them(folder: str) -> None:
    small, large = allocatable(8, 32), allocatable(96, 1152)
    for name, pod in pods(render(folder)):
        (container,) = pod["containers"]
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        cpus, memory = large if name == "gpu" else small
        assert quantity(asked["cpu"]) <= cpus
        assert quantity(asked["memory"]) <= memory * 2**30
        assert asked["memory"] == most["memory"], (
            "what is promised is what there is: nobody is killed for another's use"
        )
        assert asked.get("nvidia.com/gpu") == most.get("nvidia.com/gpu") == ("8" if name == "gpu" else None)
        for volume in pod.get("volumes", []):
            if (volume.get("emptyDir") or {}).get("medium") == "Memory":
                assert quantity(volume["emptyDir"]["sizeLimit"]) <= quantity(most["memory"]) / 2


def test_shared_memory_is_as_large_as_the_doctor_wants_it() -> None:
    from ftrl.doctor.machine import SHARED_MEMORY_WANTED

    for name, pod in pods(render("base")):
        if name != "ftrl-redis":
            (shm,) = [volume for volume in pod["volumes"] if volume["name"] == "shm"]
            assert quantity(shm["emptyDir"]["sizeLimit"]) >= SHARED_MEMORY_WANTED


def test_spot_nodes_are_for_tools_and_gpus_only_and_a_job_there_is_tried_more_often() -> None:
    (job,) = of_kind(render("overlays/spot"), "RayJob")
    spot = {
        name for name, group in groups(job["spec"]["rayClusterSpec"]).items() if "affinity" in group["template"]["spec"]
    }
    assert spot == {"tools", "gpu"}
    (plain,) = of_kind(render("jobs/train"), "RayJob")
    assert job["spec"]["backoffLimit"] > plain["spec"]["backoffLimit"]


def test_a_queued_job_waits_for_kueue_and_fits_into_the_queue() -> None:
    objects = render("overlays/kueue")
    (job,) = of_kind(objects, "RayJob")
    (queue,) = of_kind(objects, "LocalQueue")
    (whole,) = of_kind(objects, "ClusterQueue")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == queue["metadata"]["name"]
    assert queue["spec"]["clusterQueue"] == whole["metadata"]["name"]
    assert job["spec"]["suspend"] is True
    assert job["spec"]["rayClusterSpec"]["enableInTreeAutoscaling"] is False
    quotas = {
        each["name"]: quantity(each["nominalQuota"])
        for each in whole["spec"]["resourceGroups"][0]["flavors"][0]["resources"]
    }
    for name, quota in quotas.items():
        asked = sum(
            quantity(group["template"]["spec"]["containers"][0]["resources"]["requests"].get(name, 0))
            * group.get("replicas", 1)
            for group in groups(job["spec"]["rayClusterSpec"]).values()
        )
        assert 0 < asked <= quota


# Who may do what


@every_folder
def test_every_pod_keeps_to_the_restricted_standard(folder: str) -> None:
    objects = render(folder)
    (namespace,) = of_kind(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    contexts = [
        cluster["autoscalerOptions"]["securityContext"]
        for cluster in clusters(objects)
        if "autoscalerOptions" in cluster
    ]
    for _, pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        contexts += [container["securityContext"] for container in pod["containers"]]
    for context in contexts:
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


@every_folder
def test_tools_have_an_account_without_rights_and_no_way_to_storage(folder: str) -> None:
    accounts = {each["metadata"]["name"]: each for each in of_kind(render(folder), "ServiceAccount")}
    for cluster in clusters(render(folder)):
        pod = groups(cluster)["tools"]["template"]["spec"]
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert "envFrom" not in pod["containers"][0]
        assert {volume["name"] for volume in pod["volumes"]} == {"shm"}
        for name in ("drivers", "gpu"):
            assert groups(cluster)[name]["template"]["spec"]["serviceAccountName"] != pod["serviceAccountName"]


@every_folder
def test_out_of_a_tools_pod_there_is_no_way_but_to_ray_and_to_names(folder: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(render(folder), "NetworkPolicy")}
    policy = policies["ftrl-tools-egress"]
    for cluster in clusters(render(folder)):
        held = [
            name for name, group in groups(cluster).items() if selects(policy["podSelector"], labels_of(name, group))
        ]
        assert held == ["tools"]
        inside = [
            name
            for name, group in groups(cluster).items()
            if selects(policies["ftrl-ray-ingress"]["podSelector"], labels_of(name, group))
        ]
        assert inside == list(groups(cluster))
    assert policy["policyTypes"] == ["Egress"]
    ray, names = policy["egress"]
    assert [set(peer) for peer in ray["to"]] == [{"podSelector"}], "pods of this namespace, and only Ray's"
    assert ray["to"][0]["podSelector"] == policies["ftrl-ray-ingress"]["podSelector"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert not [rule for rule in policy["egress"] if not rule.get("to")]


@every_folder
def test_redis_is_reached_by_heads_only(folder: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(render(folder), "NetworkPolicy")}
    (redis,) = of_kind(render(folder), "StatefulSet")
    assert selects(policies["ftrl-redis"]["podSelector"], redis["spec"]["template"]["metadata"]["labels"])
    assert "egress" not in policies["ftrl-redis"]
    ((peer,),) = [rule["from"] for rule in policies["ftrl-redis"]["ingress"]]
    assert peer["podSelector"]["matchExpressions"] == [
        {"key": "ray.io/node-type", "operator": "In", "values": ["head", "redis-cleanup"]}
    ]


def test_prometheus_reaches_the_metrics_of_every_ray_pod_and_nothing_else_of_it() -> None:
    objects = render("overlays/metrics")
    (monitor,) = of_kind(objects, "PodMonitor")
    (cluster,) = clusters(objects)
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")}
    policy = policies["ftrl-metrics-ingress"]
    for name, group in groups(cluster).items():
        assert selects(monitor["spec"]["selector"], labels_of(name, group))
        assert selects(policy["podSelector"], labels_of(name, group))
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert set(peer) == {"namespaceSelector", "podSelector"}, "both: Prometheus' pods in its own namespace"
    ports = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"]
    (read,) = monitor["spec"]["podMetricsEndpoints"]
    assert [{"port": each["containerPort"]} for each in ports if each["name"] == read["port"]] == rule["ports"]
    assert not of_kind(render("base"), "PodMonitor")


@every_folder
def test_no_secret_is_written_down(folder: str) -> None:
    assert not of_kind(render(folder), "Secret")
    assert "password" not in [name.lower() for name, value in variables(folder) if value]


def test_a_budget_for_disruptions_guards_the_head_by_a_number() -> None:
    (cluster,) = clusters(render("base"))
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(render("base"), "PodDisruptionBudget")}
    head = budgets["ftrl-head"]
    assert head["minAvailable"] == 1, "for pods of a custom resource Kubernetes counts nothing else"
    assert [name for name, group in groups(cluster).items() if selects(head["selector"], labels_of(name, group))] == [
        "head"
    ]


# The page


def test_the_folder_of_ones_own_on_the_page_renders_to_a_whole_job(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "mine/" in block]
    shutil.copytree(ROOT / "cluster", tmp_path / "cluster")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(example)
    (tmp_path / "mine" / "config.yaml").write_text("out: /shared/runs/mine\n")
    objects = render(str(tmp_path / "mine"))
    (job,) = of_kind(objects, "RayJob")
    images = {pod["containers"][0]["image"] for name, pod in pods(objects) if name != "ftrl-redis"}
    assert images == {f"REGISTRY/ftrl-{stack}:{ftrl.__version__}" for stack in ("cpu", "gpu")}
    assert all(group["template"]["spec"]["containers"] for group in groups(job["spec"]["rayClusterSpec"]).values())
    given = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    assert given == {
        "ftrl-train": {"config.yaml": "out: /shared/runs/mine\n"},
        "ftrl-storage": {"AWS_REGION": "eu-central-1"},
    }
    assert {each["metadata"]["namespace"] for each in of_kind(objects, "ConfigMap")} == {"ftrl"}
    accounts = {each["metadata"]["name"]: each["metadata"] for each in of_kind(objects, "ServiceAccount")}
    assert "annotations" in accounts["ftrl-storage"]
    assert "annotations" not in accounts["ftrl-tools"]
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "SHARED-CLASS"


def test_every_file_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    for name in set(re.findall(r"(?<![\w/])(?:\.\./)?((?:cluster|jobs)/[\w./-]*\w)", page)):
        assert (ROOT / name).exists(), name
