"""What is kept of an environment to know others like it by: a few hundred bytes.

Two tasks made from one template share nearly all their words, and are two tasks: they ask about different things.
So beside its words (MinHash of the question, MinHash of the tools) a sketch holds the *values* that a task is about:
its golds, and the arguments that its question gives.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftrl.environments import Environment

PERMUTATIONS = 64
"""Hash values of a MinHash: a Jaccard similarity of 0.7 is estimated to within 0.06 (one standard deviation)."""

Signature = npt.NDArray[np.uint32]

_WORD = re.compile(r"[^\W_]+")
_WORDS_TOGETHER = 3


@dataclass(frozen=True)
class Sketch:
    """Of one environment.

    Attributes:
        question: MinHash of the question's word triples; shape ``(PERMUTATIONS,)``.
        tools: MinHash of the word triples of all tools: names, descriptions, parameters.
        values: hashes of the golds and of the arguments that the question gives.
        asked: hash of the question's words.
    """

    question: Signature
    tools: Signature
    values: frozenset[int]
    asked: int


def sketch(environment: Environment) -> Sketch:
    """The sketch of an environment; the same on every machine."""
    functions = [tool["function"] for tool in environment.tools]
    texts = [
        " ".join([function["name"], function.get("description") or "", *_parameters(function)])
        for function in functions
    ]
    first = [step for step in environment.trace if not step.depends_on]
    given = [str(value) for step in first for value in step.arguments.values() if isinstance(value, (str, int, float))]
    values = {_plain(value) for value in [*given, *(gold.value for gold in environment.golds)]}
    return Sketch(
        question=_signature([environment.question]),
        tools=_signature(texts),
        values=frozenset(_hash(value) for value in values),
        asked=_hash(_plain(environment.question)),
    )


def text_similarity(one: Signature, other: Signature) -> float:
    """The estimated Jaccard similarity of two texts, 0 to 1."""
    return float(np.count_nonzero(one == other)) / len(one)


def _parameters(function: dict[str, object]) -> list[str]:
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return []
    return [
        f"{name} {entry.get('description', '') if isinstance(entry, dict) else ''}"
        for name, entry in properties.items()
    ]


def _signature(texts: list[str]) -> Signature:
    from datasketch import MinHash  # takes a second, and not every user of this package makes sketches

    triples = set()
    for text in texts:
        words = _WORD.findall(text.casefold())
        triples |= {
            " ".join(words[at : at + _WORDS_TOGETHER]) for at in range(max(1, len(words) - _WORDS_TOGETHER + 1))
        }
    minhash = MinHash(num_perm=PERMUTATIONS, scheme="affine32")
    minhash.update_batch([triple.encode() for triple in sorted(triples)])
    return np.asarray(minhash.hashvalues, dtype=np.uint32)


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold())) or text


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
