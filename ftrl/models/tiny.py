"""A small random model of the Qwen3 architecture, with its own tokenizer: for tests, and for the tiny policy.

Byte-level BPE, trained on the generated corpus: every text round-trips exactly. What the chat template and JSON repeat
is a token each. The tokenizer does not depend on the seed: two tiny models of one vocabulary size differ in their
weights only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.models.chat_template import CHAT_TEMPLATE
from ftrl.models.checks import ModelSummary, summarize_model_folder
from ftrl.models.corpus import corpus
from ftrl.models.requirements import require

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Tokens that structure the conversation: left out when a text is decoded without special tokens."""

CONTENT_TOKENS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Single tokens that are part of the text, as in the Qwen family: decoding always keeps them."""

BOILERPLATE = (
    "system\n# Tools\n\nYou can call these functions:\n<tools>",
    '\n{"type": "function", "function": {"name": "',
    '", "description": "',
    '", "parameters": {"type": "object", "properties": {"',
    '": {"type": "string", "description": "',
    '": {"type": "integer", "description": "',
    '"}, "',
    '"}}, "required": ["',
    '"]}}}',
    "\n</tools>\n\nWrite each call as:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
    "user\n",
    "assistant\n",
    "\n<tool_response>\n",
    "\n</tool_response>",
    '<tool_call>\n{"name": "',
    '", "arguments": {"',
    '": "',
    '": ',
    '"}}\n</tool_call>',
    "}}\n</tool_call>",
    '{"',
    '"}',
)
"""What the chat template and JSON repeat in every prompt, a token each: a prompt is three times as short for it."""

SMALLEST_VOCAB = 256 + len(CONTROL_TOKENS) + len(CONTENT_TOKENS) + len(BOILERPLATE)
"""Every byte and every token above."""

_HEAD_SIZE = 32

# Words take the space in front of them, names do not: a name is the same tokens wherever it stands, so that it can be
# copied. Digits stand one by one.
_SPLIT = r"\p{Lu}\p{Ll}*| ?[\p{Ll}\p{Lo}_]+|\p{N}| ?[^\s\p{L}\p{N}_]+|\s+"


def init_tiny(
    path: str | os.PathLike[str],
    *,
    hidden: int = 64,
    layers: int = 2,
    vocab: int = 1024,
    seed: int = 0,
    context: int = 4096,
    texts: Iterable[str] | None = None,
) -> ModelSummary:
    """Make a model folder with random fp32 weights; the same arguments give the same bytes.

    Args:
        path: the folder to make; it must not hold anything yet.
        hidden: width; a multiple of 64 (heads of 32, two query heads to a key head).
        layers: transformer blocks.
        vocab: exact size of tokenizer and embedding.
        seed: of the weights.
        context: longest sequence in tokens.
        texts: what the tokenizer is trained on; the generated corpus if left out.

    Raises:
        InputError: a size that cannot be, or something at ``path`` already.
    """
    _check_sizes(hidden=hidden, layers=layers, vocab=vocab, context=context)
    require("torch", "transformers", "tokenizers", "safetensors")
    with storage.building(path) as folder:
        tokenizer = train_tokenizer(vocab, context=context, texts=texts)
        tokenizer.save_pretrained(folder)
        _save_random_model(folder, tokenizer, hidden=hidden, layers=layers, seed=seed, context=context)
        return summarize_model_folder(folder)


def train_tokenizer(vocab: int, *, context: int, texts: Iterable[str] | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer of exactly ``vocab`` tokens, with the chat template.

    Args:
        vocab: tokens, all kinds together.
        context: longest sequence in tokens.
        texts: what to train it on; the generated corpus if left out.

    Raises:
        InputError: the corpus does not yield that many tokens.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab - len(CONTENT_TOKENS) - len(BOILERPLATE),
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_pieces(corpus() if texts is None else texts), trainer)
    bpe.add_tokens([AddedToken(token, normalized=False, special=False) for token in (*CONTENT_TOKENS, *BOILERPLATE)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )
    if len(tokenizer) != vocab:
        raise InputError(
            f"the tokenizer's corpus yields {len(tokenizer)} tokens, not {vocab}; ask for fewer",
            field="vocab",
        )
    return tokenizer


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The texts without what is a token already."""
    fixed = re.compile(
        "|".join(map(re.escape, sorted((*CONTROL_TOKENS, *CONTENT_TOKENS, *BOILERPLATE), key=len)[::-1]))
    )
    for text in texts:
        yield from filter(None, fixed.split(text))


def _save_random_model(folder: Path, tokenizer: Any, *, hidden: int, layers: int, seed: int, context: int) -> None:
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    heads = hidden // _HEAD_SIZE
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=_HEAD_SIZE,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of ours
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config).float()
    # Only the tokens: sampling settings in here would become vLLM's defaults behind the user's back.
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)


def _check_sizes(*, hidden: int, layers: int, vocab: int, context: int) -> None:
    if hidden < 2 * _HEAD_SIZE or hidden % (2 * _HEAD_SIZE):
        raise InputError(f"the width must be a multiple of {2 * _HEAD_SIZE}, not {hidden}", field="hidden")
    if layers < 1:
        raise InputError(f"a model has at least one layer, not {layers}", field="layers")
    if vocab < SMALLEST_VOCAB:
        raise InputError(
            f"{vocab} tokens are too few: {SMALLEST_VOCAB} hold every byte and the chat's tokens",
            field="vocab",
        )
    if context < 1:
        raise InputError(f"the context must be at least one token, not {context}", field="context")
