"""From items to a store: stages run side by side, what they make is verified, and what holds is written in order.

* ``stage`` says what a stage is; a generator is a list of ``StageSpec``, whose last stage makes ``Candidate``s.
* ``run`` puts verification and the store behind them.
"""

from ftrl.synthesis.pipeline.run import synthesize
from ftrl.synthesis.pipeline.stage import Item, StageSpec

__all__ = ["Item", "StageSpec", "synthesize"]
