"""The Berkeley Function-Calling Leaderboard, version 4: its single-turn (not live) and multi-turn categories.

In: the official package ``bfcl_eval``, unpacked - data and checkers lie in it - and a policy. Out: transcripts, 1 or 0.

* Nothing of the benchmark is re-implemented: its own checkers judge, its own classes answer calls. They run in the
  sandbox, which is sent their source; so its dependencies need not be installed, and what a model wrote is only ever
  evaluated there.
* Models are played as the leaderboard plays those with function calling: tools by the chat template or the provider.
"""

from ftrl.evaluation.bfcl.data import CATEGORIES, MULTI_TURN, NON_LIVE, BfclTask, load_tasks
from ftrl.evaluation.bfcl.suite import BFCL

__all__ = ["BFCL", "CATEGORIES", "MULTI_TURN", "NON_LIVE", "BfclTask", "load_tasks"]
