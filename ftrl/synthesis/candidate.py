"""A finished environment that nobody has verified yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftrl.environments.schema import Environment, Gold, SubQuestion, source_id
from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.deploy import Deployment
from ftrl.synthesis.integrate import Toolset


@dataclass(frozen=True)
class Candidate:
    """What the five stages made of one item.

    Attributes:
        environment: its provenance says nothing of verification yet.
        deployments: tool name to code, in the order of the tools.
    """

    environment: Environment
    deployments: dict[str, Deployment]

    @property
    def sources(self) -> dict[str, str]:
        """Tool name to source, as the store takes them."""
        return {name: deployment.source for name, deployment in self.deployments.items()}


def assemble(
    decomposition: Decomposition,
    toolset: Toolset,
    deployments: dict[str, Deployment],
    split: str,
    provenance: dict[str, Any],
) -> Candidate:
    """Put the products of the stages together into one record."""
    trace = []
    for step in decomposition.steps:
        tool = toolset.document(toolset.tool_of[step.id])
        call = {tool.parameters[0].name: step.fact.subject.argument}
        trace.append(
            SubQuestion(
                id=step.id,
                text=step.text,
                answer=step.answer,
                depends_on=step.depends_on,
                tool=tool.name,
                arguments=call,
            )
        )
    environment = Environment(
        scenario=decomposition.scenario,
        question=decomposition.question,
        answer=decomposition.answer,
        tools=tuple(document.schema() for document in toolset.documents),
        implementations={name: source_id(deployment.source) for name, deployment in deployments.items()},
        golds=tuple(Gold(tool=step.tool, value=step.answer, sub_question=step.id) for step in trace),
        trace=tuple(trace),
        split=split,
        data_source=f"tables/{decomposition.scenario.value}",
        provenance=provenance,
    )
    return Candidate(environment, deployments)
