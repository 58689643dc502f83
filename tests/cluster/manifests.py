"""The manifests as Kubernetes would get them, and finding one's way in them."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

CLUSTER = Path(__file__).resolve().parents[2] / "cluster"

Object = Mapping[str, Any]

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 1e-3, "": 1}


@functools.cache
def render(folder: str) -> tuple[dict[str, Any], ...]:
    """What ``kubectl apply -k`` of a folder of ``cluster`` would send; the test is skipped where nothing can render."""
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    else:
        pytest.skip("neither kubectl nor kustomize is here to render the manifests")
    environment = {**os.environ, "HOME": "/nonexistent"}  # nobody's own settings
    done = subprocess.run(
        [*command, str(CLUSTER / folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def quantity(text: str | int) -> float:
    """A quantity as Kubernetes spells it: ``250m``, ``26Gi``."""
    number = str(text).rstrip("KMGTim")
    return float(number) * UNITS[str(text)[len(number) :]]


def of_kind(objects: Iterable[Object], kind: str) -> list[Any]:
    return [each for each in objects if each["kind"] == kind]


def clusters(objects: Iterable[Object]) -> list[Any]:
    """The specifications of Ray clusters, those inside jobs too."""
    return [
        each["spec"] if each["kind"] == "RayCluster" else each["spec"]["rayClusterSpec"]
        for each in objects
        if each["kind"] in {"RayCluster", "RayJob"}
    ]


def groups(cluster: Object) -> dict[str, Any]:
    """The groups of a cluster's nodes by name, the head among them."""
    return {"head": cluster["headGroupSpec"], **{group["groupName"]: group for group in cluster["workerGroupSpecs"]}}


def pods(objects: Iterable[Object]) -> Iterator[tuple[str, Any]]:
    """Every pod's specification, and which one it is."""
    for cluster in clusters(objects):
        for name, group in groups(cluster).items():
            yield name, group["template"]["spec"]
    for each in of_kind(objects, "StatefulSet"):
        yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def offered(group: Object) -> dict[str, float]:
    """The custom resources that the nodes of a group offer: JSON in quotes, since KubeRay pastes it into a shell."""
    text = group["rayStartParams"].get("resources")
    return dict(json.loads(shlex.split(text)[0].replace("\\", ""))) if text else {}


def labels_of(name: str, group: Object) -> dict[str, str]:
    """The labels of a group's pods: those of its template, and those that KubeRay adds."""
    own = {"ray.io/group": "headgroup" if name == "head" else name}
    own["ray.io/node-type"] = "head" if name == "head" else "worker"
    return {**group["template"]["metadata"]["labels"], **own}


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes a pod."""
    assert not set(selector) - {"matchLabels"}, "only what is used here is understood"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
