"""What a model can do without tools: 64 word problems and 30 questions about short texts, all of our own making.

In: nothing, the questions come with ``ftrl``. Out: whether an answer is right, in the form that was asked for
(``strict``) or however it was said (``lenient``). It tells whether training on tools has cost a model something else.
It is small, easy and ours: for figures that compare with other people's, play their benchmarks.
"""

from ftrl.evaluation.general.arithmetic import Problem, problems
from ftrl.evaluation.general.suite import General, GeneralTask, score_answer

__all__ = ["General", "GeneralTask", "Problem", "problems", "score_answer"]
