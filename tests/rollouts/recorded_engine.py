"""An engine that samples what it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ftrl.rollouts.prompts import tokenise


@dataclass
class RecordedEngine:
    """Speaks vLLM's interface, and samples what it is told to: the tokens of ``texts``, or ``sampled`` (by turn)."""

    tokenizer: Any
    texts: Sequence[str]
    max_model_len: int = 2048
    failure: Exception | None = None
    errored: bool = False
    sampled: dict[int, list[int]] = field(default_factory=dict)
    prompts: list[list[int]] = field(default_factory=list)

    @property
    def model_config(self) -> Any:
        return SimpleNamespace(max_model_len=self.max_model_len)

    async def generate(self, prompt: Any, parameters: Any, request_id: str) -> AsyncIterator[Any]:
        if self.failure is not None:
            raise self.failure
        assert parameters.seed is None, "a seed kills the CPU engine"
        self.prompts.append(prompt["prompt_token_ids"])
        turn = len(self.prompts) - 1
        ids = self.sampled.get(turn) or tokenise(self.tokenizer, self.texts[turn])
        reason = "stop" if len(ids) <= parameters.max_tokens else "length"
        ids = ids[: parameters.max_tokens]
        logprobs = [{token: SimpleNamespace(logprob=-1.5)} for token in ids]
        completion = SimpleNamespace(token_ids=ids, logprobs=logprobs, finish_reason=reason)
        yield SimpleNamespace(outputs=[completion], num_cached_tokens=16 * turn)

    async def is_sleeping(self) -> bool:
        if self.errored:
            assert self.failure is not None
            raise self.failure
        return False
