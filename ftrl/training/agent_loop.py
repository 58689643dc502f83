"""One response to one snapshot: the agent loop of training in steps (paper, section 3.3).

The prompt comes as token ids, made once by the stream; nothing is tokenised again here.
"""

from __future__ import annotations

import uuid
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput
from verl.utils.profiler import simple_timer


class StepAgentLoop(AgentLoopBase):  # type: ignore[misc]
    """Sample the next assistant turn of a conversation, and nothing after it."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Generate one turn for the row's ``prompt_ids``."""
        prompt_ids = list(row["prompt_ids"])
        timing: dict[str, float] = {}
        with simple_timer("generate_sequences", timing):
            output = await self.server_manager.generate(
                request_id=uuid.uuid4().hex, prompt_ids=prompt_ids, sampling_params=sampling_params
            )
        length = self.rollout_config.response_length
        response_ids = output.token_ids[:length]
        return AgentLoopOutput(
            prompt_ids=prompt_ids,
            response_ids=response_ids,
            response_mask=[1] * len(response_ids),
            response_logprobs=output.log_probs[:length] if output.log_probs else None,
            num_turns=2,
            metrics=AgentLoopMetrics(generate_sequences=timing["generate_sequences"]),
            # The trainer's own bookkeeping (which weights sampled this) travels in the engine's extra fields.
            extra_fields={**output.extra_fields, "turn_scores": [], "tool_rewards": []},
        )
