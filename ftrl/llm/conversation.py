"""Asking for an answer of a type until it is right, a bounded number of times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel

from ftrl.llm.answers import Answer, Unreadable, answer_schema, read_answer
from ftrl.llm.exchanges import Message, Question
from ftrl.llm.language_model import LanguageModel
from ftrl.llm.ledger import Totals

ATTEMPTS = 4
"""How often an answer is asked for: once, and then with the reason why the one before is of no use."""

UNREADABLE = "answer_unreadable"

_WHOLE = ("stop", "unknown", "tool_calls")
"""Reasons to stop that leave an answer whole."""


@dataclass(frozen=True)
class Prompt:
    """What is asked.

    Attributes:
        name: name and version of the prompt, such as ``decompose.v1``.
        system: who the model is and what it is to do.
        user: the case at hand.
    """

    name: str
    system: str
    user: str

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation that it opens."""
        return Message(role="system", content=self.system), Message(role="user", content=self.user)

    def question(self, model: LanguageModel, kind: type[BaseModel], sample: int = 0) -> Question:
        """What ``ask`` asks first."""
        return model.question(self.messages, answer_schema(kind), sample * ATTEMPTS)


@dataclass(frozen=True)
class Unusable:
    """No answer that could be used came, however often it was asked for.

    Attributes:
        rule: the rule that the last answer broke.
        detail: how, as a sentence.
    """

    rule: str
    detail: str


Check = Callable[[Answer], Awaitable[Unusable | None]]
"""What is wrong with an answer, if something is. It has to say the same of the same answer each time: the reason goes
into the next question, and by that question its answer is found again."""


async def ask(
    model: LanguageModel,
    prompt: Prompt,
    kind: type[Answer],
    check: Check[Answer],
    *,
    item: int,
    sample: int = 0,
    attempts: int = ATTEMPTS,
    spent: Totals | None = None,
    sent_back: list[Unusable] | None = None,
) -> Answer | Unusable:
    """An answer that can be read and passes the check, or the last reason why there is none.

    Args:
        model: whom to ask.
        prompt: what.
        kind: the answer's type.
        check: what is wrong with an answer of that type.
        item: for which item, for the record.
        sample: 0, or which further answer to the same question.
        attempts: how often to ask at most.
        spent: added to, by what each answer cost, also where it was found in the record.
        sent_back: added to, by what was wrong with each answer that was asked for again.

    Raises:
        ModelFailure: the model can't be asked.
        BudgetSpent: nothing is left to ask with.
    """
    messages = opening = prompt.messages
    problem = Unusable(UNREADABLE, "nothing was asked")
    for turn in range(attempts):
        if turn and sent_back is not None:
            sent_back.append(problem)
        # A model may give the same wrong answer twice; numbered, the question after it is a new one all the same.
        number = sample * attempts + turn
        exchange = await model.exchange(
            messages, answer=answer_schema(kind), sample=number, item=item, prompt=prompt.name
        )
        if spent is not None:
            spent.add(exchange)
        try:
            if exchange.stop not in _WHOLE:
                raise Unreadable(f"it is not whole: the model stopped because of '{exchange.stop}'")
            answer = read_answer(exchange.text, kind)
        except Unreadable as error:
            problem = Unusable(UNREADABLE, str(error))
        else:
            found = await check(answer)
            if found is None:
                return answer
            problem = found
        again = (
            f"This answer can't be used. {problem.rule}: {problem.detail}\n\n"
            "Mend that and give the whole answer again, as one JSON object of the same form."
        )
        # Only the last answer goes along: the ones before it have nothing to add.
        messages = (
            *opening,
            Message(role="assistant", content=exchange.text or "(nothing)"),
            Message(role="user", content=again),
        )
    return problem
