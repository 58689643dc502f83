"""The figures of a comparison are those that PyTorch computes from the whole tensors in 64-bit floats."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from ftrl.analysis import ModelDiff, diff_models, weights, write_diff
from ftrl.analysis.files import as_csv
from ftrl.errors import InputError

DOWN = "model.layers.2.mlp.down_proj.weight"
Q = "model.layers.1.self_attn.q_proj.weight"


def figures_of(diff: ModelDiff, layer: int | None, module: str | None) -> Any:
    parts = (*diff.cells, *diff.layers, *diff.modules)
    return next(part.figures for part in parts if (part.layer, part.module) == (layer, module))


def flat(tensors: list[Any]) -> Any:
    return torch.cat([tensor.double().flatten() for tensor in tensors])


def check(figures: Any, before: Any, after: Any, whole: float) -> None:
    delta = after - before
    assert figures.elements == before.numel()
    assert figures.relative == pytest.approx(float(delta.norm() / before.norm()), rel=1e-12)
    assert figures.share == pytest.approx(float(delta.norm()) ** 2 / whole, rel=1e-9)
    assert figures.cosine == pytest.approx(float(before @ after / before.norm() / after.norm()), rel=1e-12)
    assert figures.changed == float((before != after).double().mean())
    assert figures.largest == float(delta.abs().max())
    assert figures.base_norm == pytest.approx(float(before.norm()), rel=1e-12)
    assert figures.delta_norm == pytest.approx(float(delta.norm()), rel=1e-12)


@pytest.mark.parametrize(
    ("before_type", "after_type"),
    [
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float16),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.bfloat16),
        (torch.float16, torch.bfloat16),
    ],
)
def test_every_sum_is_exact_in_every_pair_of_types(
    base: Path, tuned: Path, load: Any, save: Any, before_type: Any, after_type: Any
) -> None:
    before = {name: tensor.to(before_type) for name, tensor in load(base).items()}
    after = {name: tensor.to(after_type) for name, tensor in load(tuned).items()}
    diff = diff_models(save("before", before, shards=2), save("after", after, shards=3))
    whole = float((flat(list(after.values())) - flat(list(before.values()))).norm()) ** 2
    assert [tensor.name for tensor in diff.tensors] and {tensor.name for tensor in diff.tensors} == set(before)
    for tensor in diff.tensors:
        check(tensor.figures, flat([before[tensor.name]]), flat([after[tensor.name]]), whole)
    for part in (*diff.cells, *diff.layers, *diff.modules):
        names = [
            tensor.name
            for tensor in diff.tensors
            if part.layer in (None, tensor.layer) and part.module in (None, tensor.module)
        ]
        check(part.figures, flat([before[name] for name in names]), flat([after[name] for name in names]), whole)
    check(diff.whole, flat(list(before.values())), flat(list(after.values())), whole)
    assert sum(part.figures.share for part in diff.families) == pytest.approx(1)


def test_pieces_smaller_than_a_tensor_give_the_same_figures(
    base: Path, tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = diff_models(base, tuned)
    monkeypatch.setattr(weights.StoredTensor.pieces, "__defaults__", (777,))
    monkeypatch.setattr("ftrl.analysis.changes._BLOCK", 100)
    for one, other in zip(whole.tensors, diff_models(base, tuned).tensors, strict=True):
        assert one.figures.model_dump() == pytest.approx(other.figures.model_dump(), rel=1e-12)


def test_a_model_does_not_differ_from_itself(base: Path) -> None:
    diff = diff_models(base, base)
    assert diff.whole.relative == diff.whole.share == diff.whole.changed == diff.whole.largest == 0
    assert diff.whole.cosine == pytest.approx(1)


def test_a_change_of_one_number_is_found_where_it_is(base: Path, load: Any, save: Any) -> None:
    after = load(base)
    after[DOWN][3, 5] += 0.5
    diff = diff_models(base, save("after", after))
    moved = [cell for cell in diff.cells if cell.figures.changed]
    assert [(cell.layer, cell.module) for cell in moved] == [(2, "mlp.down")]
    assert moved[0].figures.changed == 1 / after[DOWN].numel()
    assert moved[0].figures.largest == pytest.approx(0.5)
    assert moved[0].figures.share == 1
    assert [layer.layer for layer in diff.layers if layer.figures.changed] == [2]


def test_a_change_far_below_what_a_float_can_square_is_seen(base: Path, load: Any, save: Any) -> None:
    before, after = load(base), load(base)
    before[DOWN].fill_(0.0)[0, 0] = 1e-30
    after[DOWN].fill_(0.0)[0, 0] = 3e-30
    assert figures_of(diff_models(save("before", before), save("after", after)), 2, "mlp.down").relative == (
        pytest.approx(2.0, rel=1e-6)
    )


def test_weights_that_were_all_zero_have_no_relative_change(base: Path, load: Any, save: Any) -> None:
    before = load(base)
    before[DOWN].zero_()
    diff = diff_models(save("before", before), base)
    figures = figures_of(diff, 2, "mlp.down")
    assert figures.relative is None
    assert figures.cosine is None
    assert figures.changed == 1
    assert json.loads(diff.model_dump_json())["whole"]["relative"] > 0


def test_rounding_to_a_coarser_type_is_told_apart_from_training(base: Path, load: Any, save: Any) -> None:
    before = load(base)
    after = {name: tensor.to(torch.bfloat16) for name, tensor in before.items()}
    after[Q] = (before[Q] * 1.5).to(torch.bfloat16)
    diff = diff_models(base, save("after", after))
    merely_rounded = figures_of(diff, 2, "mlp.down")
    assert merely_rounded.relative == merely_rounded.rounding > 1e-4
    assert figures_of(diff, 1, "attention.q").relative > 100 * figures_of(diff, 1, "attention.q").rounding
    assert any("F32 in BASE and as BF16 in TUNED" in note for note in diff.notes)
    assert diff_models(save("lower", after), base).whole.rounding == 0


def test_tensors_that_no_rule_knows_are_listed_under_their_own_names(base: Path, load: Any, save: Any) -> None:
    odd = {"visual.patch.weight": torch.ones(4), "model.layers.0.adapter.scale": torch.ones(2)}
    before, after = (
        save("before", {**load(base), **odd}),
        save("after", {**load(base), **odd, "visual.patch.weight": torch.zeros(4)}),
    )
    diff = diff_models(before, after)
    assert figures_of(diff, None, "visual.patch.weight").relative == 1
    assert figures_of(diff, 0, "adapter.scale").relative == 0
    assert [part.module for part in diff.families][-1] == "other"


def test_biases_are_modules_of_their_own(base: Path, load: Any, save: Any) -> None:
    bias = {"model.layers.0.self_attn.q_proj.bias": torch.ones(64)}
    before = save("before", {**load(base), **bias}, model_type="qwen2")
    after = save("after", {**load(base), **{name: tensor * 2 for name, tensor in bias.items()}}, model_type="qwen2")
    diff = diff_models(before, after)
    assert figures_of(diff, 0, "attention.q.bias").relative == 1
    assert figures_of(diff, 0, "attention.q").relative == 0


def test_a_tied_output_layer_is_the_embeddings_over_again(base: Path, load: Any, save: Any) -> None:
    assert any("tied to the embeddings" in note for note in diff_models(base, base).notes)
    after = load(base)
    after["lm_head.weight"] = after["model.embed_tokens.weight"] * 2
    untied = save("untied", after, tie_word_embeddings=False)
    for diff in (diff_models(base, untied), diff_models(untied, base)):
        assert figures_of(diff, None, "lm_head").delta_norm == pytest.approx(
            figures_of(diff, None, "embeddings").base_norm
        )
        assert figures_of(diff, None, "embeddings").changed == 0


def test_numbers_that_are_not_finite_are_refused_with_file_and_tensor(base: Path, load: Any, save: Any) -> None:
    for number in (math.nan, math.inf):
        after = load(base)
        after[DOWN][0, 0] = number
        folder = save(f"after-{number}", after)
        with pytest.raises(InputError, match=re.escape(f"model.safetensors: tensor {DOWN} holds numbers")) as refused:
            diff_models(base, folder)
        assert str(folder) in str(refused.value)


def test_models_that_are_not_one_before_and_after_are_refused(base: Path, load: Any, save: Any) -> None:
    without, longer = load(base), load(base)
    del without[DOWN]
    longer[DOWN] = torch.zeros(64, 10)
    for folder, sentence in (
        (save("without", without), f"without: has no tensor {DOWN} of {base}/model.safetensors; are these"),
        (save("longer", longer), f"tensor {DOWN} has the shape [64, 10], but [64, "),
        (
            save("other", load(base), model_type="llama"),
            "config.json: field 'model_type': this is 'llama', but 'qwen3'",
        ),
        (
            save("deeper", load(base), num_hidden_layers=9),
            "config.json: field 'num_hidden_layers': this is 9, but 4 in",
        ),
        (save("more", {**load(base), "extra": torch.ones(1)}), "base: has no tensor extra of"),
        (save("ints", {**load(base), DOWN: load(base)[DOWN].int()}), f"tensor {DOWN} is of type I32, but F32 in"),
    ):
        with pytest.raises(InputError, match=re.escape(sentence)) as refused:
            diff_models(base, folder)
        assert str(folder) in str(refused.value)


def test_other_files_that_differ_are_noted(base: Path, load: Any, save: Any) -> None:
    folder = save("after", load(base), transformers_version="9", dtype="bfloat16")
    assert not any("not only the weights" in note for note in diff_models(base, folder).notes)
    (folder / "chat_template.jinja").write_text("other")
    assert "not only the weights differ, but also chat_template.jinja" in diff_models(base, folder).notes


def test_the_files_hold_every_tensor_and_the_page_needs_nothing_else(base: Path, tuned: Path, tmp_path: Path) -> None:
    diff = diff_models(base, tuned)
    paths = [Path(path) for path in write_diff(diff, tmp_path / "out")]
    assert [path.name for path in paths] == ["diff.json", "diff.csv", "diff.html"]
    assert ModelDiff.model_validate_json(paths[0].read_text()) == diff
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    assert [row["tensor"] for row in rows] == [tensor.name for tensor in diff.tensors]
    assert float(rows[-1]["relative"]) == diff.tensors[-1].figures.relative
    assert next(row for row in rows if row["tensor"] == "model.norm.weight")["layer"] == ""
    page = paths[2].read_text()
    assert not re.search(r"<script|src=|href=|url\(|http", page)
    assert len(page) < 100_000
    assert page.count("<td style=") == 3 * (len(diff.cells) + len(diff.layers))


def test_names_are_no_markup(base: Path, load: Any, save: Any) -> None:
    odd = save("a<b>", {**load(base), "<script>": torch.ones(1)})
    write_diff(diff_models(odd, odd), odd / "out")
    assert "<script>" not in (odd / "out" / "diff.html").read_text()
    assert as_csv(diff_models(odd, odd)).count("<script>") == 2


def test_models_on_s3_are_compared_and_the_files_written_there(base: Path, tuned: Path, bucket: str) -> None:
    from ftrl import storage

    for folder in (base, tuned):
        for file in folder.iterdir():
            storage.write_bytes(f"{bucket}/{folder.name}/{file.name}", file.read_bytes())
    diff = diff_models(f"{bucket}/base", f"{bucket}/tuned")
    assert diff.whole == diff_models(base, tuned).whole
    write_diff(diff, f"{bucket}/out")
    assert ModelDiff.model_validate_json(storage.read_bytes(f"{bucket}/out/diff.json")) == diff


def test_progress_reaches_the_last_number(base: Path, tuned: Path) -> None:
    seen: list[tuple[int, int]] = []
    diff = diff_models(base, tuned, watch=lambda done, of: seen.append((done, of)))
    assert seen[0] == (0, diff.whole.elements)
    assert seen[-1] == (diff.whole.elements, diff.whole.elements)
    assert len(seen) == len(diff.tensors) + 1


def test_shades_grow_with_the_change_and_no_change_is_white() -> None:
    from ftrl.analysis.heat import shade

    assert shade(0.0, 1.0) == shade(None, 1.0) == shade(0.001, 1.0) == (255, 255, 255)
    greens = [shade(value, 0.4)[1] for value in (0.05, 0.1, 0.2, 0.4)]
    assert greens == sorted(set(greens), reverse=True)
