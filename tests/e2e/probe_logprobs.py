"""Log-probabilities of a fixed prompt's tokens, by vLLM and by transformers: ``probe_logprobs.py MODEL OUT.json``.

A program of its own, since vLLM's engine is started by spawning.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1",
    TORCHDYNAMO_DISABLE="1",
    VLLM_CPU_KVCACHE_SPACE="1",
    VLLM_CPU_OMP_THREADS_BIND="nobind",
    VLLM_LOGGING_LEVEL="ERROR",
)

PROMPT = "Which river flows through the town where the author of the book was born?"


def by_vllm(model: str) -> list[float]:
    from vllm import LLM, SamplingParams

    engine = LLM(model=model, dtype="float32", enforce_eager=True, max_model_len=256)
    params = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=1)
    # vLLM's progress bar divides by a time that is nothing on a fast machine.
    [output] = engine.generate([PROMPT], params, use_tqdm=False)
    ids, logprobs = output.prompt_token_ids, output.prompt_logprobs
    return [logprobs[i][ids[i]].logprob for i in range(1, len(ids))]


def by_transformers(model: str) -> list[float]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(model)(PROMPT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)(ids).logits[0, :-1]
    return torch.log_softmax(logits, -1).gather(1, ids[0, 1:, None])[:, 0].tolist()


if __name__ == "__main__":
    found = {"vllm": by_vllm(sys.argv[1]), "transformers": by_transformers(sys.argv[1])}
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
