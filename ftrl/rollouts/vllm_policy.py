"""A policy that speaks through a vLLM engine in this process."""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import replace
from typing import Any

from ftrl.rollouts.policy import EngineFault, EngineLost
from ftrl.rollouts.pulse import Pulse
from ftrl.rollouts.settings import EngineSettings, EpisodeSettings
from ftrl.rollouts.token_conversation import Sampled, TokenPolicy
from ftrl.rollouts.trajectory import PolicyIdentity


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


class VllmPolicy(TokenPolicy):
    """Conversations with one engine in this process; any number of them at a time.

    A seed kills vLLM's CPU build: ``collect`` refuses it there.

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
        self._told = Pulse()
        """Of what is answered; what is being generated is in ``_generating``."""
        self._generating = 0

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

    async def sample(self, prompt: list[int], limit: int, settings: EpisodeSettings, seed: int | None) -> Sampled:
        """One turn of at most ``limit`` tokens."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            temperature=settings.temperature,
            max_tokens=limit,
            seed=seed,
            logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        completion = (await self.answer(prompt, parameters)).outputs[0]
        ids = tuple(completion.token_ids)
        return Sampled(
            token_ids=ids,
            logprobs=tuple(step[token].logprob for step, token in zip(completion.logprobs, ids, strict=True)),
            finish_reason=str(completion.finish_reason),
        )

    async def answer(self, prompt: list[int], parameters: Any) -> Any:
        """vLLM's last output for a prompt.

        Args:
            prompt: token ids.
            parameters: vLLM's ``SamplingParams``.

        Raises:
            EngineFault: the engine failed at this and goes on.
            EngineLost: it died.
        """
        from vllm import TokensPrompt
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        self._generating += 1
        try:
            request = self.engine.generate(TokensPrompt(prompt_token_ids=prompt), parameters, uuid.uuid4().hex)
            outputs = [output async for output in request]
        except (EngineDeadError, EngineGenerateError, asyncio.CancelledError) as error:
            if self.engine.errored or isinstance(error, EngineDeadError):
                raise EngineLost("the engine's process died") from error
            if isinstance(error, asyncio.CancelledError):
                raise
            raise EngineFault(f"the engine failed at this turn: {error.__cause__ or error}") from error
        finally:
            self._generating -= 1
        if not outputs:
            raise EngineFault("the engine returned nothing for this turn")
        self._told += Pulse(prompt_tokens=len(prompt), cached_tokens=outputs[-1].num_cached_tokens or 0)
        return outputs[-1]

    async def pulse(self) -> Pulse:
        """How the engine is doing. It is asked itself, between two of its steps: one that hangs never answers.

        Raises:
            EngineLost: it died.
        """
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            await self.engine.is_sleeping()
        except EngineDeadError as error:
            raise EngineLost("the engine's process died") from error
        return replace(self._told, generating=self._generating)

    def stop(self) -> None:
        """Shut the engine down and wait until its processes are gone."""
        self.engine.shutdown()
