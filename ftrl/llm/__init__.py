"""Asking a language model, any of them: messages and an answer's type in, an answer of that type out.

* Inspect AI's model layer does the talking: one string names provider and model (``openai/…``, ``anthropic/…``,
  ``vllm/…``, ``openai-api/…`` for anything that speaks OpenAI's protocol); rate limits and retries are its.
* Every ``Exchange`` is written down, under the sha256 of all that could change the answer, before anybody sees
  the answer. This record is the cache (a resumed run pays nothing twice), the ledger (``Totals`` are its sums),
  and, packed into one file, a recording that is played back without any model.
* An answer has a pydantic type. Its schema goes along where the provider can enforce it, and what comes back is
  read in any case; an answer that can't be read or is not right is asked for again, with the reason, a bounded
  number of times. Nothing fails open: what is left then is an ``Unusable``, never an answer.
* ``open_dialogues`` leads conversations in which the model may call tools; nothing of those is recorded here.
* A provider that can't be reached raises ``ModelFailure``, a ``Budget`` that is spent ``BudgetSpent``: that is
  nobody's wrong answer, and the work can go on later.
"""

from ftrl.llm.answers import answer_schema
from ftrl.llm.budget import Budget, BudgetSpent, LocalBudget, Spending
from ftrl.llm.chat_completions import ChatCompletions, open_dialogues
from ftrl.llm.conversation import Prompt, Unusable, ask
from ftrl.llm.dialogue import AskedCall, AssistantTurn, ContextExceeded, Dialogue, Dialogues, InspectDialogues
from ftrl.llm.exchanges import Exchange, ExchangeFolder, Exchanges, Message, Recording, Usage, read_recording, record_to
from ftrl.llm.failures import ModelFailure, ModelRefused
from ftrl.llm.language_model import LanguageModel
from ftrl.llm.ledger import Totals, ledger
from ftrl.llm.provider import Provider
from ftrl.llm.settings import ModelSettings, Price

__all__ = [
    "AskedCall",
    "AssistantTurn",
    "Budget",
    "BudgetSpent",
    "ChatCompletions",
    "ContextExceeded",
    "Dialogue",
    "Dialogues",
    "Exchange",
    "ExchangeFolder",
    "Exchanges",
    "InspectDialogues",
    "LanguageModel",
    "LocalBudget",
    "Message",
    "ModelFailure",
    "ModelRefused",
    "ModelSettings",
    "Price",
    "Prompt",
    "Provider",
    "Recording",
    "Spending",
    "Totals",
    "Unusable",
    "Usage",
    "answer_schema",
    "ask",
    "ledger",
    "open_dialogues",
    "read_recording",
    "record_to",
]
