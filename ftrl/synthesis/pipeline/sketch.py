"""What is kept of an environment to know others like it by: a few hundred bytes.

Two tasks made from one template share nearly all their words, and are two tasks: they ask about different things.
So beside its words (MinHash of the question, MinHash of the tools) a sketch holds the *values* that a task is about:
its golds, and the arguments that its question gives. Where there is a model for it, it also holds what the question
means, as a vector: of the sentences that ask or name something, since who asks and why would drown it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ftrl.environments import Environment
from ftrl.environments.checks import tool_parameters
from ftrl.models import Embedder
from ftrl.synthesis.document import leaves_of

PERMUTATIONS = 64
"""Hash values of a MinHash: a Jaccard similarity of 0.7 is estimated to within 0.06 (one standard deviation)."""

Signature = npt.NDArray[np.uint32]
Meaning = npt.NDArray[np.float16]

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.?!:])\s+|\n+")
_WORDS_TOGETHER = 3


@dataclass(frozen=True)
class Sketch:
    """Of one environment.

    Attributes:
        question: MinHash of the question's word triples; shape ``(PERMUTATIONS,)``.
        tools: MinHash of the word triples of all tools: names, descriptions, parameters.
        values: hashes of the golds and of the arguments that the question gives.
        asked: hash of the question's words.
        answer: hash of the final answer; null where the source gives none.
        meaning: the question as a vector of length 1; null where no model was there to read it.
    """

    question: Signature
    tools: Signature
    values: frozenset[int]
    asked: int
    answer: int | None
    meaning: Meaning | None = None


def sketches(environments: Sequence[Environment], embedder: Embedder | None) -> list[Sketch]:
    """The sketches of environments, with what they mean if there is a model."""
    plain = [sketch(environment) for environment in environments]
    if embedder is None:
        return plain
    meanings = embedder([asking(environment.question) for environment in environments]).astype(np.float16)
    return [replace(one, meaning=meaning) for one, meaning in zip(plain, meanings, strict=True)]


def sketch(environment: Environment) -> Sketch:
    """The sketch of an environment; the same on every machine."""
    functions = [tool["function"] for tool in environment.tools]
    texts = [
        " ".join([function["name"], function.get("description") or "", *_parameters(function)])
        for function in functions
    ]
    values = {_plain(value) for value in [*_given(environment), *(gold.value for gold in environment.golds)]}
    return Sketch(
        question=_signature([environment.question]),
        tools=_signature(texts),
        values=frozenset(_hash(value) for value in values),
        asked=_hash(_plain(environment.question)),
        answer=None if environment.answer is None else _hash(_plain(environment.answer)),
    )


def _given(environment: Environment) -> Iterator[str]:
    """The arguments that the question gives: of the first calls, but what their documents list as choices."""
    schemas = {tool["function"]["name"]: tool_parameters(tool) for tool in environment.tools}
    for step in environment.trace:
        for name, argument in step.arguments.items() if not step.depends_on else ():
            if "enum" not in schemas[step.tool].get(name, {}):
                yield from (str(value) for value in leaves_of(argument) if not isinstance(value, bool))


def text_similarity(one: Signature, other: Signature) -> float:
    """The estimated Jaccard similarity of two texts, 0 to 1."""
    return float(np.count_nonzero(one == other)) / len(one)


def asking(question: str) -> str:
    """The sentences of a question that ask, or that hold a name or a number; all of it where none does."""
    sentences = _SENTENCE_END.split(question)
    return " ".join(filter(_asks_or_names, sentences)) or question


def _asks_or_names(sentence: str) -> bool:
    within = [word for word in sentence.split()[1:] if word != "I"]
    return "?" in sentence or any(word[0].isupper() or any(map(str.isdigit, word)) for word in within)


def same_meaning(one: Meaning | None, other: Meaning | None) -> float:
    """The cosine of two meanings, -1 to 1; 0 where one is not known."""
    if one is None or other is None:
        return 0.0
    return float(np.dot(one.astype(np.float32), other.astype(np.float32)))


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
