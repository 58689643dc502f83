"""How construction by a language model scales with Ray's nodes.

    python benchmarks/construction_nodes.py [--nodes 1 2 4 8] [--connections 4] [--rounds 8] [--seconds 6.0]

Nodes are Ray's own, started on this machine. The model is a script behind a real HTTP server that knows its trade and
takes ``--seconds`` for each answer, as one elsewhere would; so this machine's cores are not what runs out, and what is
measured is all the rest of ``ftrl synth --generator llm``: prompts, rules, the sandbox, verification on every node,
stages that wait for one another, the store. Each number of nodes has so many times the connections and the questions
of one, so the ideal is the rate of the first times their number.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from node_scaling import cluster, tell_shares

from ftrl.llm import ModelSettings
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.language_model.settings import LanguageModelRun

# The tests' script; it is no package: to Python, `tests` is what others install.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "synthesis" / "language_model"))

from scripted_model import Fault, question_line, scripted_server


def measured(folder: str, nodes: int, connections: int, rounds: int, seconds: float) -> dict[str, float]:
    """Construct over so many nodes, in a process of its own; what that took."""
    count = nodes * connections * rounds
    questions = Path(folder) / f"questions-{nodes}.jsonl"
    questions.write_text("".join(json.dumps(question_line(index)) + "\n" for index in range(count)))
    os.environ["LOCAL_API_KEY"] = "any"
    # However few questions there are, they are to go through Ray.
    with cluster(nodes), scripted_server() as server, patch("ftrl.synthesis.pipeline.run.SMALL", 0):
        server.faults = [Fault(when=lambda asked: True, delay=seconds)]
        model = ModelSettings(
            model="openai-api/local/scripted", base_url=server.url, connections=nodes * connections, timeout=3600
        )
        run = LanguageModelRun(questions=str(questions), model=model)
        config = SynthesisConfig(
            out=f"{folder}/tasks-{nodes}", generator="llm", language_model=run, count=count, workers=nodes
        )
        began, cpu = time.monotonic(), time.process_time()
        report = synthesize(config)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
    if report.accepted != count:
        raise RuntimeError(f"not every question became an environment: {report}")
    return {
        "nodes": nodes,
        "environments": count,
        "answers": len(server.requests),
        "seconds": round(took, 1),
        "a_second": count / took,
        "driver_and_model_ms": 1e3 * cpu / count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--connections", type=int, default=4, help="requests of a stage at once, for each node")
    parser.add_argument("--rounds", type=int, default=8, help="questions for each connection")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long an answer takes")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for nodes in options.nodes:
            # A process of its own: what one run left in memory is not the next one's.
            with get_context("spawn").Pool(1) as pool:
                arguments = (folder, nodes, options.connections, options.rounds, options.seconds)
                found.append(pool.apply(measured, arguments))
            print(json.dumps(found[-1]), flush=True)
    tell_shares(found, "a_second")


if __name__ == "__main__":
    main()
