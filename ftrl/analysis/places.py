"""Where a tensor sits in the model: its layer and its module, read off its name.

Llama, Mistral, Qwen2 and Qwen3 share these names. Modules have dotted names, the coarser first, so that ``mlp`` means
all of ``mlp.gate``, ``mlp.up`` and ``mlp.down``, and ``attention.q`` the weights and ``attention.q.bias``. A tensor
that no rule knows is a module of its own, under its own name (without the layer's).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_IN_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")
_EXPERT = re.compile(r"mlp\.experts\.\d+\.")

_WITHIN = {
    "self_attn.q_proj": "attention.q",
    "self_attn.k_proj": "attention.k",
    "self_attn.v_proj": "attention.v",
    "self_attn.o_proj": "attention.o",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
    "mlp.gate": "mlp.router",  # of a mixture of experts
    "input_layernorm": "norms.input",
    "post_attention_layernorm": "norms.post_attention",
    "self_attn.q_norm": "norms.q",
    "self_attn.k_norm": "norms.k",
}
_OUTSIDE = {"model.embed_tokens": "embeddings", "model.norm": "norms.final", "lm_head": "lm_head"}

EMBEDDINGS = "model.embed_tokens.weight"
OUTPUT = "lm_head.weight"

FAMILIES = ("attention", "mlp", "norms", "embeddings", "lm_head")
"""The coarsest modules, in the order in which they are shown; what no rule knows comes last."""

_ORDER = list(dict.fromkeys(["embeddings", *_WITHIN.values(), *_OUTSIDE.values()]))


class Place(NamedTuple):
    """A tensor's layer (none for embeddings, final norm and output) and module."""

    layer: int | None
    module: str


def place_of(tensor: str) -> Place:
    """The place of the tensor of this name."""
    layer: int | None = None
    name, known = tensor, _OUTSIDE
    if match := _IN_LAYER.fullmatch(tensor):
        layer, name, known = int(match[1]), _EXPERT.sub("mlp.", match[2]), _WITHIN
    part, _, kind = name.rpartition(".")
    if part not in known or kind not in {"weight", "bias"}:
        return Place(layer, match[2] if match else tensor)
    return Place(layer, known[part] + (".bias" if kind == "bias" else ""))


def is_within(module: str, wanted: str) -> bool:
    """Whether a module is ``wanted`` or a part of it.

    ``biases`` are the biases of all modules. ``attention`` and ``norms`` also take in what no rule knows but its own
    name puts there.
    """
    if wanted in {"all", module} or module.startswith(f"{wanted}."):
        return True
    if wanted == "biases":
        return module.endswith(".bias")
    return family(module) == "other" and (
        (wanted == "attention" and module.startswith("self_attn.")) or (wanted == "norms" and "norm" in module)
    )


def family(module: str) -> str:
    """The coarsest module: one of ``FAMILIES``, or ``other``."""
    first = module.partition(".")[0]
    return first if module.removesuffix(".bias") in _ORDER else "other"


def rank(module: str) -> tuple[int, str]:
    """By which modules are sorted: attention, MLP, norms, embeddings, output; then the others by name."""
    plain = module.removesuffix(".bias")
    return (_ORDER.index(plain) if plain in _ORDER else len(_ORDER), module)
