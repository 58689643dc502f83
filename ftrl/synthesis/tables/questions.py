"""Questions around chains of facts, and the answers that follow from theirs."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables import wording
from ftrl.synthesis.tables.facts import Date, Entity, Fact, Quantity
from ftrl.synthesis.tables.setting import in_context
from ftrl.synthesis.tables.sound import can_be_guessed
from ftrl.synthesis.tables.style import Style


def ask_all(chains: list[list[Fact]], style: Style, rng: Random) -> tuple[str, str]:
    """The question for what every chain ends in, and its answer: all of that."""
    phrases = [_nested(chain[0].subject, chain, rng) for chain in chains]
    answer = ", ".join(chain[-1].value for chain in chains)
    last = chains[0][-1]
    if len(chains) > 1:
        return _said(wording.ask_several(phrases, style.wide, rng), style, rng), answer
    if not wording.is_several(last):
        return _said(wording.ask(last.relation, phrases[0], style.wide, rng), style, rng), answer
    if rng.random() < 0.5:
        # A count alone would be guessed; the list is what shows that it was counted.
        return _said(wording.ask_count(phrases[0], rng), style, rng), f"{answer.count(', ') + 1}, {answer}"
    return _said(wording.ask_list(phrases[0], rng), style, rng), answer


def ask_comparison(chains: list[list[Fact]], joined: Fact | None, style: Style, rng: Random) -> tuple[str, str]:
    """Ask for a figure, never for one of two names: the question would hold the answer.

    Args:
        chains: two, that end in the same relation.
        joined: the days between their answers, where a tool tells them.
        style: how wordy.
        rng: chooses the words.
    """
    more = rng.random() < 0.5
    subjects = [_nested(chain[0].subject, chain[:-1], rng) for chain in chains]
    relation = chains[0][-1].relation
    if joined is not None:
        return _said(wording.ask_days(relation, subjects, rng), style, rng), joined.value
    low, high = sorted((chain[-1] for chain in chains), key=lambda fact: fact.rank or 0)
    if low.rank is not None and high.rank is not None:
        difference = f"{high.rank - low.rank:f}"
        if isinstance(relation.object, Quantity) and rng.random() < 0.4 and not can_be_guessed(difference):
            return _said(wording.ask_difference(relation, subjects, rng), style, rng), difference
        is_date = style.queries > 0 and isinstance(relation.object, Date)
        if is_date and rng.random() < 0.4 and not can_be_guessed(difference):
            return _said(wording.ask_days(relation, subjects, rng), style, rng), difference
    return _said(wording.ask_extreme(relation, subjects, more, rng), style, rng), (high if more else low).value


def _nested(subject: Entity, facts: list[Fact], rng: Random) -> str:
    """The subject within the phrases of the facts that lead on from it."""
    text = wording.mention(subject, rng)
    for hop, fact in enumerate(facts):
        text = wording.phrase(fact, text, rng)
        text = wording.without_echo(text, subject) if hop == 0 else text
    return text


def _said(question: str, style: Style, rng: Random) -> str:
    return in_context(question, rng) if style.wide else f"{wording.INSTRUCTION}\n{question}"
