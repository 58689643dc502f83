"""A policy that speaks through a vLLM engine: tokens in, tokens out.

A conversation remembers its tokens. If the template writes the next prompt as the text so far plus something new -
it does unless it rewrites the model's own turn - the tokens so far are used as they are and only the new part is
tokenised; ``AssistantTokens.kept_tokens`` says how many. Otherwise the whole prompt is tokenised anew.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ftrl.rollouts.policy import ContextFull, Conversation, EngineFault, EngineLost, Generation
from ftrl.rollouts.prompts import render_prompt, tokenise
from ftrl.rollouts.settings import EngineSettings, EpisodeSettings
from ftrl.rollouts.trajectory import AssistantTokens, PolicyIdentity, Usage


def prepare_process(settings: EngineSettings, *, cpu: bool) -> None:
    """Environment variables that vLLM reads when it is imported, and hands to its processes."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if cpu:
        # Ray allows a worker one thread; the engines share the machine's cores instead.
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // settings.engines))
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(settings.cpu_kv_cache_gib)
        # Compiling the first generation takes 20 s and needs a C++ compiler.
        os.environ["TORCHDYNAMO_DISABLE"] = "1"


class VllmPolicy:
    """Conversations with one engine in this process; any number of them at a time.

    Args:
        engine: vLLM's ``AsyncLLM``.
        tokenizer: the model's tokenizer.
        identity: which model it is.
    """

    def __init__(self, engine: Any, tokenizer: Any, identity: PolicyIdentity) -> None:
        self.identity = identity
        self.engine = engine
        self.tokenizer = tokenizer
        self.max_model_len: int = engine.model_config.max_model_len

    @classmethod
    def start(cls, model: str, settings: EngineSettings, identity: PolicyIdentity, *, cpu: bool) -> VllmPolicy:
        """Start an engine; takes half a minute. Needs ``prepare_process`` before, and a running event loop."""
        from transformers import AutoTokenizer
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        arguments = AsyncEngineArgs(
            model=model,
            max_model_len=settings.max_model_len,
            dtype=settings.dtype,
            tensor_parallel_size=1 if cpu else settings.tensor_parallel,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            enable_prefix_caching=True,
            enforce_eager=cpu,
            # A temperature in the model's own generation config must not slip in behind the user's back.
            generation_config="vllm",
            # What is recorded are the log-probabilities of the distribution that was sampled from.
            logprobs_mode="processed_logprobs",
            disable_log_stats=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(model)
        return cls(AsyncLLM.from_engine_args(arguments), tokenizer, identity)

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation. A seed kills vLLM's CPU build: ``collect`` refuses it there."""
        return _VllmConversation(self, tools, settings, seed)

    def stop(self) -> None:
        """Shut the engine down and wait until its processes are gone."""
        self.engine.shutdown()


class _VllmConversation:
    def __init__(
        self, policy: VllmPolicy, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None
    ) -> None:
        self._policy = policy
        self._tools = tools
        self._settings = settings
        self._seed = seed
        self._text = ""
        self._ids: list[int] = []

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        text = render_prompt(self._policy.tokenizer, messages, self._tools, thinking=self._settings.thinking)
        prompt, kept = self._tokenise(text)
        room = self._policy.max_model_len - len(prompt)
        if room < 1:
            raise ContextFull(
                f"the prompt has {len(prompt)} tokens, and the model's context {self._policy.max_model_len}"
            )
        most = most_tokens or self._settings.max_response_tokens
        limit = min(most, room)
        completion = await self._sample(prompt, limit)
        sampled = list(completion.token_ids)
        decode = self._policy.tokenizer.decode
        self._text = text + decode(sampled, skip_special_tokens=False)
        self._ids = prompt + sampled
        tokens = AssistantTokens(
            prompt_tokens=len(prompt),
            kept_tokens=kept,
            token_ids=tuple(sampled),
            logprobs=tuple(step[token].logprob for step, token in zip(completion.logprobs, sampled, strict=True)),
            finish_reason=str(completion.finish_reason),
        )
        cut = completion.finish_reason == "length" and room < most
        usage = Usage(input=len(prompt), output=len(sampled))
        return Generation(decode(sampled, skip_special_tokens=True), tokens, usage=usage, context_ended=cut)

    def _tokenise(self, text: str) -> tuple[list[int], int]:
        tokenizer = self._policy.tokenizer
        if self._ids and text.startswith(self._text):
            return self._ids + tokenise(tokenizer, text[len(self._text) :]), len(self._ids)
        return tokenise(tokenizer, text), 0

    async def _sample(self, prompt: list[int], limit: int) -> Any:
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        parameters = SamplingParams(
            temperature=self._settings.temperature,
            max_tokens=limit,
            seed=self._seed,
            logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        engine = self._policy.engine
        try:
            request = engine.generate(TokensPrompt(prompt_token_ids=prompt), parameters, uuid.uuid4().hex)
            outputs = [output async for output in request]  # one, whole: see output_kind
        except (EngineDeadError, EngineGenerateError, asyncio.CancelledError) as error:
            if engine.errored or isinstance(error, EngineDeadError):
                raise EngineLost("the engine's process died") from error
            if isinstance(error, asyncio.CancelledError):
                raise
            raise EngineFault(f"the engine failed at this turn: {error.__cause__ or error}") from error
        if not outputs:
            raise EngineFault("the engine returned nothing for this turn")
        return outputs[-1].outputs[0]
