"""Ray job: make verified environments. The file holds the settings of `ftrl synth`.

ray job submit --working-dir . -- python jobs/synthesize.py --config jobs/configs/synthesize.yaml
"""

from __future__ import annotations

import sys

from job import run

from ftrl import synthesis
from ftrl.synthesis import SynthesisConfig, SynthesisReport


def synthesize(config: SynthesisConfig) -> SynthesisReport:
    """Make what the store does not have yet."""
    return synthesis.synthesize(config.model_copy(update={"resume": True}), Progress(config.count))


class Progress:
    """Tells on stderr how far it is, about ten times in all."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = 0

    def __call__(self, report: SynthesisReport) -> None:
        """So much is done."""
        if report.done >= self._next:
            rejected = sum(report.rejections.values())
            print(f"synthesize: {report.done} of {self._count} items, {rejected} rejections", file=sys.stderr)
            self._next = report.done + max(1, self._count // 10)


if __name__ == "__main__":
    run(SynthesisConfig, synthesize)
