"""A running Ray cluster, held against what a run needs: every node is asked to look at itself."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.doctor.check import Check, Status
from ftrl.doctor.needs import Needs, read_needs
from ftrl.doctor.node import NodeFacts, look
from ftrl.errors import FtrlError
from ftrl.ray_session import ray_session, running_address
from ftrl.sandbox import Isolation
from ftrl.sandbox.isolation import required_isolation

ANSWER_SECONDS = 90.0
"""How long a node may take to look at itself."""

SAME_EVERYWHERE = ("python", "ftrl", "ray", "pyarrow")
"""Nodes without GPUs may have the CPU stack beside nodes with the GPU stack; but these have to be the same on all."""

OBJECT_STORE_WANTED = 10**9
"""Bytes; less, and batches on their way between nodes are spilled to disk."""

HEAD = "node:__internal_head__"
"""The resource by which Ray marks its head."""


@dataclass(frozen=True)
class Node:
    """A node as Ray knows it, and what it tells of itself.

    Attributes:
        name: for people; two nodes of one host differ in it.
        resources: what it offers, by Ray's names.
        facts: what it found; the reason if it could not look.
    """

    name: str
    resources: Mapping[str, float]
    facts: NodeFacts | str

    @property
    def head(self) -> bool:
        """Whether it is the one that knows all others."""
        return HEAD in self.resources

    @property
    def gpus(self) -> int:
        """GPUs that it offers."""
        return int(self.resources.get("GPU", 0))


def examine_cluster(config: str | Sequence[str]) -> list[Check]:
    """Every check of the running cluster against a run's configuration; ``missing`` ones keep it from running.

    Args:
        config: the run's file, as jobs take it; or several, each laid over those before it.

    Raises:
        InputError: a file is not as it should be.
        FtrlError: there is no cluster, or it lets nobody in.
    """
    needs = read_needs(config)
    if running_address() in (None, "local"):
        raise FtrlError(
            "there is no Ray cluster within reach; set RAY_ADDRESS to that of its head, or start one: "
            "cluster/local.sh start"
        )
    with ray_session() as ray:
        nodes = _nodes(ray, needs)
    return [_read(needs), *check_whole(needs, nodes), *(check for node in nodes for check in check_node(node))]


def _nodes(ray: Any, needs: Needs) -> list[Node]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    alive = [node for node in ray.nodes() if node["Alive"]]
    alive.sort(key=lambda node: (HEAD not in node["Resources"], node["NodeManagerAddress"], node["NodeID"]))
    drivers = any("driver" in node["Resources"] for node in alive)
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    asked = []
    for node in alive:
        stores = reaches_storage(node["Resources"], drivers=drivers)
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        paths = (needs.reads, needs.writes) if stores else ((), ())
        asked.append((node, task.options(scheduling_strategy=there).remote(*paths)))
    ray.wait([answer for _, answer in asked], num_returns=len(asked), timeout=ANSWER_SECONDS)
    return [Node(_name(node), node["Resources"], _answer(ray, answer)) for node, answer in asked]


def _name(node: Mapping[str, Any]) -> str:
    """The name that it was started with; else its address, and its id, since a machine may have several."""
    address = node["NodeManagerAddress"]
    name = node.get("NodeName")
    return str(name) if name and name != address else f"{address} {node['NodeID'][:6]}"


def reaches_storage(resources: Mapping[str, float], *, drivers: bool) -> bool:
    """Whether a node has to reach a run's paths: those of engines, trainers and drivers do, those of tools must not.

    Args:
        resources: what the node offers.
        drivers: whether the cluster has nodes that are set apart for drivers.
    """
    if resources.get("GPU", 0):
        return True
    return "driver" in resources if drivers else resources.get("CPU", 0) > 0


def _answer(ray: Any, answer: Any) -> NodeFacts | str:
    try:
        facts: NodeFacts = ray.get(answer, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return f"it did not answer within {ANSWER_SECONDS:g} s"
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return lines[-1].strip() if lines else type(error).__name__
    return facts


def _read(needs: Needs) -> Check:
    parts = [f"{needs.gpus} GPUs"] if needs.gpus else ["no GPU"]
    if needs.gpus_per_node:
        parts.append(f"on {needs.nodes} nodes of {needs.gpus_per_node}")
    parts += [f"reads {', '.join(needs.reads)}"] if needs.reads else []
    parts += [f"writes {', '.join(needs.writes)}"] if needs.writes else []
    return Check(area="config", name=needs.kind, status="ok", found="; ".join(parts))


def check_whole(needs: Needs, nodes: Sequence[Node], environment: Mapping[str, str] = os.environ) -> list[Check]:
    """What the nodes have to have together, and alike."""
    return [
        _cluster("nodes", "ok", str(len(nodes))),
        _gpus(needs, nodes),
        _head(nodes),
        _object_store(nodes),
        *_versions(nodes),
        _token(environment),
    ]


def _gpus(needs: Needs, nodes: Sequence[Node]) -> Check:
    total = sum(node.gpus for node in nodes)
    large = sum(node.gpus >= needs.gpus_per_node for node in nodes) if needs.gpus_per_node else needs.nodes
    found = f"{total} on {sum(node.gpus > 0 for node in nodes)} nodes"
    cpu_stack = all(isinstance(node.facts, NodeFacts) and "vllm" not in node.facts.versions for node in nodes)
    if needs.gpus and needs.only_with_gpu_build and cpu_stack and not total:
        return _cluster("gpus", "ok", "none; the CPU stack, which is what all nodes have, needs none")
    if total >= needs.gpus and large >= needs.nodes:
        return _cluster("gpus", "ok", found)
    wanted = f"{needs.gpus}" + (f", on {needs.nodes} nodes of {needs.gpus_per_node}" if needs.gpus_per_node else "")
    advice = f"this run needs {wanted}: add nodes (a job does not wait for an autoscaler), or ask for less"
    return _cluster("gpus", "missing", found, advice)


def _head(nodes: Sequence[Node]) -> Check:
    cpus = sum(node.resources.get("CPU", 0) for node in nodes if node.head)
    if not cpus or len(nodes) == 1:
        return _cluster("head", "ok", "does no work itself" if not cpus else "is the only node")
    advice = "work can crowd out what the whole cluster depends on: start the head with --num-cpus=0"
    return _cluster("head", "warning", f"offers {cpus:g} CPUs for work", advice)


def _object_store(nodes: Sequence[Node]) -> Check:
    sizes = {node.name: node.resources.get("object_store_memory", 0.0) for node in nodes}
    least = min(sizes, key=lambda name: sizes[name])
    found = f"{sum(sizes.values()) / 1e9:.1f} GB in all; {sizes[least] / 1e9:.1f} GB on {least}"
    if sizes[least] >= OBJECT_STORE_WANTED:
        return _cluster("object store", "ok", found)
    return _cluster(
        "object store", "warning", found, "it spills to disk: give --object-store-memory or a larger /dev/shm"
    )


def _versions(nodes: Sequence[Node]) -> list[Check]:
    known = [(node, node.facts.versions) for node in nodes if isinstance(node.facts, NodeFacts)]
    names = dict.fromkeys(name for _, versions in known for name in versions)
    checks = []
    for name in names:
        groups: dict[bool, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for node, versions in known:
            apart = name not in SAME_EVERYWHERE and node.gpus > 0
            groups[apart][versions.get(name, "not installed")].append(node.name)
        if all(len(found) == 1 for found in groups.values()):
            found = ", ".join(dict.fromkeys(version for group in groups.values() for version in group))
            checks.append(_cluster(name, "ok", found))
        else:
            differ = next(group for group in groups.values() if len(group) > 1)
            told = "; ".join(f"{version} on {', '.join(where)}" for version, where in differ.items())
            checks.append(
                _cluster(name, "missing", told, "nodes that differ misread each other: use one image for all")
            )
    return checks


def _token(environment: Mapping[str, str]) -> Check:
    if environment.get("RAY_AUTH_MODE") == "token":
        return _cluster("token", "ok", "asked for")
    advice = "whoever reaches its ports can run code on it: start all of it with RAY_AUTH_MODE=token"
    return _cluster("token", "warning", "not asked for, as far as this shell knows", advice)


def check_node(node: Node) -> list[Check]:
    """What a node found when it looked at itself."""
    area = f"node {node.name}"
    facts = node.facts
    if isinstance(facts, str):
        advice = "see its logs; it needs the same Python and the same ftrl as the others"
        return [Check(area=area, name="answer", status="missing", found=facts, advice=advice)]
    offers = ", ".join(
        f"{name} {count:g}"
        for name, count in sorted(node.resources.items())
        if not name.startswith("node:") and "memory" not in name
    )
    role = "the head; " if node.head else ""
    return [
        Check(area=area, name="host", status="ok", found=f"{role}{facts.host}; offers {offers or 'nothing'}"),
        *(check.model_copy(update={"area": area}) for check in facts.checks),
        _isolation(area, facts),
    ]


def _isolation(area: str, facts: NodeFacts) -> Check:
    required = required_isolation()
    levels = list(Isolation)
    reached = levels.index(Isolation(facts.isolation)) if facts.isolation else -1
    found = (
        f"tools are isolated to the level '{facts.isolation}'" if facts.isolation else "not even limits and kill hold"
    )
    if required is not None and reached < levels.index(required):
        advice = f"'{required.value}' is required, and no tool would run here; not there: {facts.why_not_full}"
        return Check(area=area, name="isolation", status="missing", found=found, advice=advice)
    if reached < levels.index(Isolation.FULL):
        advice = f"not there: {facts.why_not_full}"
        return Check(area=area, name="isolation", status="warning", found=found, advice=advice)
    return Check(area=area, name="isolation", status="ok", found=found)


def _cluster(name: str, status: Status, found: str, advice: str = "") -> Check:
    return Check(area="cluster", name=name, status=status, found=found, advice=advice)
