"""Layers and modules are chosen by a short text; what is not there is refused."""

from __future__ import annotations

import re

import pytest

from ftrl.analysis.selection import select
from ftrl.errors import InputError

NAMES = [
    "model.embed_tokens.weight",
    *(
        f"model.layers.{layer}.{part}.weight"
        for layer in range(8)
        for part in ("self_attn.q_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm")
    ),
    "model.norm.weight",
    "lm_head.weight",
]


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [
        ("3", [3]),
        ("0-3,7", [0, 1, 2, 3, 7]),
        (" 1 , 1-2", [1, 2]),
        ("lowest:25%", [0, 1]),
        ("lowest:1%", [0]),
        ("lowest:3", [0, 1, 2]),
        ("highest:25%,0", [0, 6, 7]),
        ("all", list(range(8))),
    ],
)
def test_layers_are_numbers_ranges_and_ends(layers: str, chosen: list[int]) -> None:
    selection = select(NAMES, layers=layers, modules="mlp.up")
    assert selection.layers == tuple(chosen)
    assert selection.names == tuple(f"model.layers.{layer}.mlp.up_proj.weight" for layer in chosen)


def test_a_coarse_module_brings_its_parts() -> None:
    assert select(NAMES, layers="1", modules="mlp,attention.q").names == (
        "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.mlp.up_proj.weight",
        "model.layers.1.mlp.down_proj.weight",
    )


def test_everything_is_everything() -> None:
    assert select(NAMES, layers="all", modules="all").names == tuple(NAMES)


def test_some_layers_with_all_modules_leave_out_what_lies_in_no_layer() -> None:
    names = select(NAMES, layers="0-7", modules="all").names
    assert set(NAMES) - set(names) == {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"}
    assert "model.norm.weight" not in select(NAMES, layers="0", modules="norms").names


def test_a_module_outside_of_the_layers_comes_along_when_it_is_named() -> None:
    names = select(NAMES, layers="0", modules="mlp.up,embeddings,norms.final").names
    assert names == ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight")
    assert select(NAMES, layers="all", modules="lm_head").names == ("lm_head.weight",)


def test_a_single_tensor_can_be_named() -> None:
    name = "model.layers.4.mlp.up_proj.weight"
    assert select(NAMES, layers="all", modules=name).names == (name,)


@pytest.mark.parametrize(
    ("layers", "modules", "sentence"),
    [
        ("8", "mlp", "field '--layers': there is no layer 8 in this model; its layers are 0 to 7"),
        ("5-9", "mlp", "there is no layer 9"),
        ("3-1", "mlp", "3-1 runs backwards; write 1-3"),
        ("lowest:0%", "mlp", "lowest:0% is no part of this model's 8 layers"),
        ("highest:9", "mlp", "highest:9 is no part of this model's 8 layers"),
        ("lowest:101%", "mlp", "no part"),
        ("first", "mlp", "'first' is no choice of layers; give numbers and ranges (0-3,7), lowest:4"),
        (",", "mlp", "names no layer"),
        (
            "all",
            "mlp.gate",
            "field '--modules': there is no module 'mlp.gate' in this model; it has all, attention, mlp",
        ),
        ("all", " ", "names no module"),
        ("0", "embeddings", "nothing in --modules embeddings lies in a layer; leave --layers out"),
        (
            "0",
            "model.layers.4.mlp.up_proj.weight",
            "no tensor of 'model.layers.4.mlp.up_proj.weight' lies in the layers 0",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_can(layers: str, modules: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        select(NAMES, layers=layers, modules=modules)
