"""Every probe by name, in the order in which a report lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import cleandoc

from ftrl.audit import behaviour, blind, contract, duplicates, knowing, texts, trace
from ftrl.audit.findings import Finding
from ftrl.audit.subject import Subject

Probe = Callable[[Subject], Iterator[Finding]]
"""Looks at one task, its calls made, and yields what it finds."""

_PROBES: tuple[Probe, ...] = (
    blind.no_arguments,
    blind.nonsense_arguments,
    blind.wrong_types,
    blind.every_choice,
    blind.wildcard,
    blind.question_as_argument,
    blind.error_text,
    knowing.guess_as_name,
    knowing.gold_as_name,
    knowing.time_out_text,
    knowing.echo,
    texts.short_gold,
    texts.repeated_gold,
    texts.gold_in_question,
    texts.gold_in_document,
    texts.gold_in_other_output,
    texts.answer_in_question,
    texts.answer_guessed,
    trace.golden_call_misses,
    trace.unreachable_gold,
    behaviour.constant_tool,
    behaviour.non_deterministic,
    behaviour.slow_tool,
    behaviour.stopped_tool,
    behaviour.reaches_outside,
    behaviour.dynamic_code,
    contract.missing_code,
    contract.unused_code,
    contract.signature_differs,
    contract.document_differs,
    contract.invisible_name,
    contract.host_name,
    contract.undocumented,
    duplicates.twin_tools,
)

PROBES: dict[str, Probe] = {probe.__name__: probe for probe in _PROBES}
"""Probes of a single task, by the name that their findings carry."""

AMONG_TASKS = {
    "same_task": "The question, the golds and the code are those of an earlier task.",
    "same_question": "The question is that of an earlier task.",
}
"""What is found by looking at tasks beside each other (``duplicates.Earlier``), with its meaning."""


def names_of_probes() -> list[str]:
    """The name of every probe, in the order of a report."""
    return [*PROBES, *AMONG_TASKS]


def meaning(probe: str) -> str:
    """What a finding of this probe says, as a sentence."""
    return AMONG_TASKS.get(probe) or cleandoc(PROBES[probe].__doc__ or "").partition("\n\n")[0]
