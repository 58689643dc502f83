"""Ray job: make verified environments. The file holds the settings of `ftrl synth`.

ray job submit --working-dir . -- python jobs/synthesize.py --config jobs/configs/synthesize.yaml
"""

from __future__ import annotations

import sys
import threading

from job import STOPPED, run

from ftrl import synthesis
from ftrl.errors import FtrlError
from ftrl.synthesis import SynthesisConfig, SynthesisReport
from ftrl.termination import finishing


def synthesize(config: SynthesisConfig) -> SynthesisReport:
    """Make what the store does not have yet."""
    with finishing() as asked:
        return synthesis.synthesize(config.model_copy(update={"resume": True}), Progress(config.count, asked))


class Progress:
    """Tells on stderr how far it is, about ten times in all; ends the work, which then commits, when asked to.

    Args:
        count: items in all.
        asked: set when the work is to end.
    """

    def __init__(self, count: int, asked: threading.Event) -> None:
        self._count = count
        self._asked = asked
        self._next = 0

    def __call__(self, report: SynthesisReport) -> None:
        """So much is done.

        Raises:
            FtrlError: the work is to end.
        """
        if self._asked.is_set():
            raise FtrlError(STOPPED)
        if report.done >= self._next:
            rejected = sum(report.rejections.values())
            print(f"synthesize: {report.done} of {self._count} items, {rejected} rejections", file=sys.stderr)
            self._next = report.done + max(1, self._count // 10)


if __name__ == "__main__":
    run(SynthesisConfig, synthesize)
