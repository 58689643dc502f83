"""A graft is the base but for the chosen weights, bit by bit, and transformers loads and plays it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from ftrl.analysis import Graft, diff_models, graft_model
from ftrl.errors import InputError
from ftrl.models import check_model_folder, weights_hash

DOWN = "model.layers.2.mlp.down_proj.weight"
EMBEDDINGS = "model.embed_tokens.weight"
PROMPT = [[1, 45, 300, 7, 212, 2]]


def logits(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    with torch.no_grad():
        return model(torch.tensor(PROMPT)).logits


def same(one: Any, other: Any) -> bool:
    """Whether two sets of weights are the same, bit by bit and in their types."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].view(torch.uint8).equal(other[name].view(torch.uint8))
        for name in one
    )


def test_a_graft_of_everything_is_the_tuned_model(base: Path, tuned: Path, tmp_path: Path, load: Any) -> None:
    graft = graft_model(base, tuned, tmp_path / "out")
    assert same(load(tmp_path / "out"), load(tuned))
    assert not same(load(tmp_path / "out"), load(base))
    assert logits(tmp_path / "out").equal(logits(tuned))
    assert graft.different == len(graft.grafted) == len(load(base))
    assert graft.grafted_elements == graft.elements


@pytest.mark.parametrize("shards", [1, 3])
def test_a_graft_of_some_takes_these_and_no_others(
    base: Path, tuned: Path, tmp_path: Path, load: Any, save: Any, shards: int
) -> None:
    split = save("split", load(tuned), shards=shards)
    graft = graft_model(base, split, tmp_path / "out", layers="0-1,3", modules="mlp", shard_bytes=100_000)
    chosen = [name for name in load(base) if re.search(r"layers\.[013]\.mlp", name)]
    assert sorted(graft.grafted) == sorted(chosen)
    assert graft.grafted_layers == (0, 1, 3)
    assert len(list((tmp_path / "out").glob("model-*-of-*.safetensors"))) > 3
    expected = {**load(base), **{name: load(tuned)[name] for name in chosen}}
    assert same(load(tmp_path / "out"), expected)
    moved = diff_models(base, tmp_path / "out")
    assert {tensor.name for tensor in moved.tensors if tensor.figures.changed} == set(chosen)


def test_a_graft_of_some_behaves_like_neither(base: Path, tuned: Path, tmp_path: Path) -> None:
    graft_model(base, tuned, tmp_path / "out", layers="lowest:25%", modules="mlp", shard_bytes=100_000)
    check_model_folder(tmp_path / "out")
    found = logits(tmp_path / "out")
    assert not found.allclose(logits(base), atol=1e-4)
    assert not found.allclose(logits(tuned), atol=1e-4)


def test_two_grafts_that_share_the_updates_among_them_make_the_tuned_model(
    base: Path, tuned: Path, tmp_path: Path, load: Any
) -> None:
    graft_model(base, tuned, tmp_path / "half", layers="0-3", modules="all")
    graft_model(tmp_path / "half", tuned, tmp_path / "whole", modules="embeddings,norms.final")
    assert same(load(tmp_path / "whole"), load(tuned))


def test_graft_json_says_where_the_weights_come_from(base: Path, tuned: Path, tmp_path: Path) -> None:
    graft = graft_model(base, tuned, tmp_path / "out", layers="1", modules="mlp.down", shard_bytes=100_000)
    assert Graft.model_validate_json((tmp_path / "out" / "graft.json").read_text()) == graft
    assert (graft.base, graft.tuned) == (str(base), str(tuned))
    assert (graft.layers, graft.modules) == ("1", "mlp.down")
    assert graft.grafted == ("model.layers.1.mlp.down_proj.weight",)
    assert graft.weights_hash == weights_hash(tmp_path / "out"), "the policy that an evaluation names"


def test_configuration_and_tokenizer_are_the_bases_and_its_other_weights_stay_behind(
    base: Path, tuned: Path, tmp_path: Path, load: Any, save: Any
) -> None:
    source = save("source", load(base))
    (source / "pytorch_model.bin").write_bytes(b"old")
    (source / "graft.json").write_text("older")
    (source / ".hidden").write_text("")
    graft_model(source, tuned, tmp_path / "out", modules="mlp")
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {file.name for file in base.iterdir()} | {"graft.json"}
    for name in files - {"model.safetensors", "graft.json"}:
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("wider", ["base", "tuned"])
def test_types_that_differ_are_joined_in_the_wider_one_without_loss(
    base: Path, tuned: Path, tmp_path: Path, load: Any, save: Any, wider: str
) -> None:
    kinds = {"base": torch.bfloat16, "tuned": torch.bfloat16, wider: torch.float32}
    before = {name: tensor.to(kinds["base"]) for name, tensor in load(base).items()}
    after = {name: tensor.to(kinds["tuned"]) for name, tensor in load(tuned).items()}
    narrow = save("before", before, dtype=str(kinds["base"]).removeprefix("torch."))
    graft = graft_model(narrow, save("after", after), tmp_path / "out", modules="mlp.down")
    expected = {**before, **{name: after[name] for name in graft.grafted}}
    assert same(load(tmp_path / "out"), {name: tensor.float() for name, tensor in expected.items()})
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float32"
    assert graft.dtypes == ("F32",)
    assert logits(tmp_path / "out").dtype == torch.float32


def test_half_precision_of_both_kinds_is_joined_in_single_precision(
    base: Path, tmp_path: Path, load: Any, save: Any
) -> None:
    before = save("before", {name: tensor.half() for name, tensor in load(base).items()})
    after = save("after", {name: tensor.bfloat16() for name, tensor in load(base).items()})
    assert graft_model(before, after, tmp_path / "out", modules="mlp").dtypes == ("F32",)


def test_a_graft_that_changes_nothing_says_so(base: Path, tmp_path: Path, load: Any, save: Any) -> None:
    after = load(base)
    after[DOWN] += 1
    folder = save("after", after)
    nothing = graft_model(base, folder, tmp_path / "nothing", layers="0", modules="mlp")
    assert nothing.different == 0
    assert any("this is BASE over again" in note for note in nothing.notes)
    assert graft_model(base, folder, tmp_path / "something", modules="mlp").different == 1


def test_what_no_rule_knows_can_be_grafted_by_its_name(base: Path, tmp_path: Path, load: Any, save: Any) -> None:
    before, after = (
        save("before", {**load(base), "odd": torch.zeros(3)}),
        save("after", {**load(base), "odd": torch.ones(3)}),
    )
    graft_model(before, after, tmp_path / "out", modules="odd")
    assert load(tmp_path / "out")["odd"].tolist() == [1, 1, 1]


def test_an_impossible_graft_is_refused_and_leaves_nothing(base: Path, tuned: Path, tmp_path: Path) -> None:
    for layers, modules, sentence in (
        ("9", "mlp", "there is no layer 9 in this model; its layers are 0 to 3"),
        ("all", "mlp.sideways", "there is no module 'mlp.sideways'"),
        ("0", "embeddings", "nothing in --modules embeddings lies in a layer"),
        ("all", "lm_head", "is tied to the embeddings; choose embeddings"),
        ("all", "mlp,lm_head.weight", "is tied to the embeddings"),
    ):
        with pytest.raises(InputError, match=re.escape(sentence)):
            graft_model(base, tuned, tmp_path / "out", layers=layers, modules=modules)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    with pytest.raises(InputError, match="there is something here already"):
        graft_model(base, tuned, tmp_path / "taken")
    assert (tmp_path / "taken" / "file").read_text() == "mine"


def test_other_models_are_refused(base: Path, tmp_path: Path, load: Any, save: Any) -> None:
    wrong = load(base)
    wrong[DOWN] = torch.zeros(2, 2)
    with pytest.raises(InputError, match=re.escape(f"tensor {DOWN} has the shape [2, 2]")):
        graft_model(base, save("wrong", wrong), tmp_path / "out", layers="0")


def test_a_tied_output_layer_comes_with_the_embeddings_and_not_without(
    base: Path, tuned: Path, tmp_path: Path, load: Any, save: Any
) -> None:
    # A copy of the embeddings beside them, as some programs save a tied model.
    before, after = ({**load(folder), "lm_head.weight": load(folder)[EMBEDDINGS].clone()} for folder in (base, tuned))
    doubled = save("doubled", before)
    for number, source in enumerate((save("after", after), tuned)):
        graft_model(doubled, source, tmp_path / f"out-{number}", modules="embeddings")
        made = load(tmp_path / f"out-{number}")
        assert made["lm_head.weight"].equal(made[EMBEDDINGS])
        assert made[EMBEDDINGS].equal(after[EMBEDDINGS])
    graft_model(base, save("after-2", after), tmp_path / "out", modules="embeddings")
    assert "lm_head.weight" not in load(tmp_path / "out")
    with pytest.raises(InputError, match="the output layer of these models is tied to the embeddings"):
        graft_model(doubled, tuned, tmp_path / "refused", modules="lm_head")


def test_embeddings_cannot_change_between_tied_and_untied_models(
    base: Path, tuned: Path, tmp_path: Path, load: Any, save: Any
) -> None:
    after = {**load(tuned), "lm_head.weight": torch.zeros_like(load(tuned)[EMBEDDINGS])}
    untied = save("untied", after, tie_word_embeddings=False)
    with pytest.raises(InputError, match="BASE ties its output layer to its embeddings and TUNED does not"):
        graft_model(base, untied, tmp_path / "out")
    with pytest.raises(InputError, match="TUNED ties its output layer to its embeddings and BASE does not"):
        graft_model(untied, base, tmp_path / "out", modules="lm_head")
    made = graft_model(base, untied, tmp_path / "out", modules="mlp")
    assert made.different == len(made.grafted) == 12


def test_a_graft_can_be_read_from_s3_and_written_there(
    base: Path, tuned: Path, tmp_path: Path, bucket: str, load: Any
) -> None:
    from ftrl import storage

    for file in tuned.iterdir():
        storage.write_bytes(f"{bucket}/tuned/{file.name}", file.read_bytes())
    graft_model(base, f"{bucket}/tuned", f"{bucket}/out", modules="attention", shard_bytes=100_000)
    fs, inner = storage.filesystem(f"{bucket}/out")
    fs.get(inner, str(tmp_path / "out"), recursive=True)
    graft_model(base, tuned, tmp_path / "local", modules="attention")
    assert same(load(tmp_path / "out"), load(tmp_path / "local"))
