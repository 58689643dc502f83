"""A tensor's name says in which layer and module it sits."""

from __future__ import annotations

import pytest

from ftrl.analysis.places import Place, family, is_within, place_of

PLACES = {
    "model.layers.0.self_attn.q_proj.weight": Place(0, "attention.q"),
    "model.layers.31.self_attn.k_proj.bias": Place(31, "attention.k.bias"),
    "model.layers.7.self_attn.v_proj.weight": Place(7, "attention.v"),
    "model.layers.7.self_attn.o_proj.weight": Place(7, "attention.o"),
    "model.layers.12.mlp.gate_proj.weight": Place(12, "mlp.gate"),
    "model.layers.12.mlp.up_proj.weight": Place(12, "mlp.up"),
    "model.layers.12.mlp.down_proj.weight": Place(12, "mlp.down"),
    "model.layers.1.input_layernorm.weight": Place(1, "norms.input"),
    "model.layers.1.post_attention_layernorm.weight": Place(1, "norms.post_attention"),
    "model.layers.1.self_attn.q_norm.weight": Place(1, "norms.q"),
    "model.layers.3.mlp.experts.17.down_proj.weight": Place(3, "mlp.down"),
    "model.layers.3.mlp.gate.weight": Place(3, "mlp.router"),
    "model.embed_tokens.weight": Place(None, "embeddings"),
    "model.norm.weight": Place(None, "norms.final"),
    "lm_head.weight": Place(None, "lm_head"),
    # What no rule knows.
    "model.layers.2.self_attn.qkv_proj.weight": Place(2, "self_attn.qkv_proj.weight"),
    "model.layers.2.self_attn.q_proj.scale": Place(2, "self_attn.q_proj.scale"),
    "visual.blocks.0.attn.qkv.weight": Place(None, "visual.blocks.0.attn.qkv.weight"),
    "model.layersX": Place(None, "model.layersX"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_name_has_its_place_and_an_unknown_one_keeps_its_own(name: str) -> None:
    assert place_of(name) == PLACES[name]


def test_a_coarse_module_means_all_its_parts_and_nothing_else() -> None:
    modules = {place.module for place in PLACES.values()}
    assert {module for module in modules if is_within(module, "mlp")} == {
        "mlp.gate",
        "mlp.up",
        "mlp.down",
        "mlp.router",
    }
    assert {module for module in modules if is_within(module, "attention.k")} == {"attention.k.bias"}
    assert {module for module in modules if is_within(module, "biases")} == {"attention.k.bias"}
    assert "self_attn.qkv_proj.weight" in {module for module in modules if is_within(module, "attention")}
    assert all(is_within(module, "all") for module in modules)
    assert not is_within("mlp.gate", "mlp.g")


def test_every_module_belongs_to_one_family() -> None:
    assert family("attention.q.bias") == "attention"
    assert family("norms.final") == "norms"
    assert family("embeddings") == "embeddings"
    assert family("self_attn.qkv_proj.weight") == "other"
