"""Memory and time of ``ftrl model diff`` and ``graft``, against loading both models.

    python benchmarks/model_diff.py [--models 0.5B 1.5B] [--sparse 14B] [--dir DIR]

Models of Qwen2.5's shapes in bfloat16 are made up, base and tuned, and compared: by a program that loads both state
dicts and goes through them with PyTorch, and by us; then the MLPs of the lowest quarter of the layers are grafted. Each
is a process of its own; its memory is the peak that the kernel noted for it (VmHWM). Both comparisons must agree. The
files are in the page cache for all of them. A model named under ``--sparse`` is made of files without content (zeros,
nothing on the disk): memory as with a real one, time without the disk, and no other program to compare with.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from figures import figure

SHARD_BYTES = 4_000_000_000
BLOCK = 1 << 22

MEASURE = """
import json, re, time
started = time.perf_counter()
{program}
seconds, cpu_seconds = time.perf_counter() - started, time.process_time()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
found = {{"relative": relative, "seconds": seconds, "cpu_seconds": cpu_seconds, "megabytes": peak / 1024}}
print(json.dumps(found))
"""

OURS = """
from ftrl.analysis import diff_models
relative = diff_models({base!r}, {tuned!r}).whole.relative
"""

GRAFT = """
from ftrl.analysis import graft_model
relative = graft_model({base!r}, {tuned!r}, {out!r}, layers="lowest:25%", modules="mlp").grafted_elements
"""

LOADING_BOTH = """
import pathlib
import torch
from safetensors.torch import load_file

def load(folder):
    files = sorted(pathlib.Path(folder).glob("*.safetensors"))
    return {{name: tensor for file in files for name, tensor in load_file(file).items()}}

before, after = load({base!r}), load({tuned!r})
squares = base_squares = 0.0
for name, tensor in before.items():
    tensor, delta = tensor.float(), after[name].float() - tensor.float()
    squares += float(delta.pow(2).sum(dtype=torch.float64))
    base_squares += float(tensor.pow(2).sum(dtype=torch.float64))
    largest, changed = float(delta.abs().max()), int((delta != 0).sum())
    cosine = torch.nn.functional.cosine_similarity(tensor.flatten(), after[name].float().flatten(), dim=0)
relative = (squares / base_squares) ** 0.5
"""


@dataclass(frozen=True)
class Sizes:
    """Sides of a model."""

    hidden: int
    inner: int
    layers: int
    keys: int
    vocab: int
    tied: bool


MODELS = {
    "0.5B": Sizes(896, 4864, 24, 128, 151_936, True),
    "1.5B": Sizes(1536, 8960, 28, 256, 151_936, True),
    "3B": Sizes(2048, 11_008, 36, 256, 151_936, True),
    "14B": Sizes(5120, 13_824, 48, 1024, 152_064, False),
}


@dataclass(frozen=True)
class Measured:
    """Of one process."""

    relative: float
    seconds: float
    cpu_seconds: float
    megabytes: float


def shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of a model, in the order of its files."""
    yield "model.embed_tokens.weight", (sizes.vocab, sizes.hidden)
    for layer in range(sizes.layers):
        at = f"model.layers.{layer}"
        for part, rows in (("q", sizes.hidden), ("k", sizes.keys), ("v", sizes.keys)):
            yield f"{at}.self_attn.{part}_proj.weight", (rows, sizes.hidden)
            yield f"{at}.self_attn.{part}_proj.bias", (rows,)
        yield f"{at}.self_attn.o_proj.weight", (sizes.hidden, sizes.hidden)
        yield f"{at}.mlp.gate_proj.weight", (sizes.inner, sizes.hidden)
        yield f"{at}.mlp.up_proj.weight", (sizes.inner, sizes.hidden)
        yield f"{at}.mlp.down_proj.weight", (sizes.hidden, sizes.inner)
        yield f"{at}.input_layernorm.weight", (sizes.hidden,)
        yield f"{at}.post_attention_layernorm.weight", (sizes.hidden,)
    yield "model.norm.weight", (sizes.hidden,)
    if not sizes.tied:
        yield "lm_head.weight", (sizes.vocab, sizes.hidden)


def make(folder: Path, sizes: Sizes, numbers: np.ndarray | None) -> None:
    """Write a model whose weights are ``numbers`` over and over, or nothing but holes."""
    folder.mkdir()
    config = {
        "model_type": "qwen2",
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "tie_word_embeddings": sizes.tied,
    }
    (folder / "config.json").write_text(json.dumps(config))
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    size = 0
    for name, shape in shapes(sizes):
        of_tensor = 2 * int(np.prod(shape))
        if shards[-1] and size + of_tensor > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = shape
        size += of_tensor
    for number, shard in enumerate(shards, start=1):
        write_shard(folder / f"model-{number:05d}-of-{len(shards):05d}.safetensors", shard, numbers)


def write_shard(path: Path, shard: dict[str, tuple[int, ...]], numbers: np.ndarray | None) -> None:
    header, offset = {}, 0
    for name, shape in shard.items():
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        if numbers is None:
            file.truncate(8 + len(text) + offset)
            return
        left = offset // 2
        while left:
            file.write(numbers[:left].tobytes())
            left -= min(left, len(numbers))


def random_weights() -> tuple[np.ndarray, np.ndarray]:
    """A block of bfloat16 numbers before and after training."""
    dice = np.random.default_rng(0)
    before = (dice.standard_normal(BLOCK, dtype=np.float32) * 0.02).view(np.uint32) >> 16
    after = np.where(dice.random(BLOCK) < 0.3, before ^ 1, before)  # the last bit, as bfloat16 shows a small update
    return before.astype("<u2"), after.astype("<u2")


def measure(program: str, **values: str) -> Measured:
    """Run a program in a process of its own."""
    text = MEASURE.format(program=program.format(**values))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def report(label: str, found: Measured, against: Measured | None = None) -> None:
    line = f"  {label:<18}{found.megabytes:>7,.0f} MB{found.seconds:>8.1f} s{found.cpu_seconds:>8.1f} s of CPU"
    if against is not None:
        line += f"{against.megabytes / found.megabytes:>8.1f} x less memory"
        line += f"{against.cpu_seconds / found.cpu_seconds:>6.1f} x less CPU"
    print(line, flush=True)


def compare(name: str, folder: Path, *, sparse: bool) -> None:
    sizes = MODELS[name]
    before, after = (None, None) if sparse else random_weights()
    base, tuned = folder / "base", folder / "tuned"
    make(base, sizes, before)
    make(tuned, sizes, after)
    parameters = sum(int(np.prod(shape)) for _, shape in shapes(sizes))
    print(
        f"{name}: {parameters / 1e9:.2f} billion parameters, {2 * parameters / 1e9:.1f} GB each" + (", sparse" * sparse)
    )
    paths = {"base": str(base), "tuned": str(tuned), "out": str(folder / "out")}
    ours = measure(OURS, **paths)
    if sparse:
        report("ftrl model diff", ours)
        figure(f"memory, {name}", ours.megabytes / 1000, " GB", "<= 16")
        return
    loading = measure(LOADING_BOTH, **paths)
    report("loading both", loading)
    report("ftrl model diff", ours, loading)
    figure(f"memory of loading both, of ours, {name}", loading.megabytes / ours.megabytes)
    figure(f"CPU of loading both, of ours, {name}", loading.cpu_seconds / ours.cpu_seconds)
    report("ftrl model graft", measure(GRAFT, **paths))
    if abs(ours.relative / loading.relative - 1) > 1e-6:
        raise SystemExit(f"the comparisons disagree: {ours.relative} and {loading.relative}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=["0.5B", "1.5B"])
    parser.add_argument("--sparse", nargs="*", choices=MODELS, default=["14B"])
    parser.add_argument("--dir", type=Path, help="where the models are made; they are removed again")
    options = parser.parse_args()
    for sparse, names in ((False, options.models), (True, options.sparse)):
        for name in names:
            folder = Path(tempfile.mkdtemp(prefix="model-diff-", dir=options.dir))
            try:
                compare(name, folder, sparse=sparse)
            finally:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
