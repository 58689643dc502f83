"""Making verifiable environments (paper, section 3.1): questions or facts in, an ``EnvironmentStore`` out.

* Five stages, a module each, from a typed product to the next: ``decompose`` (a question, its sub-questions
  and what depends on what) → ``document`` (a tool document each) → ``integrate`` (overlapping documents
  become one) → ``scale`` (more parameters, distractor tools) → ``deploy`` (one Python function each).
* ``verify`` decides: it reads what is written and runs what runs, in the sandbox. Whatever is not proven
  right is rejected, with the rule that it breaks; the item is drawn anew a few times, then given up.
* The ``tables`` generator needs no model: its facts come from a fictional ``World`` that is a function of a
  seed, so no answer can be known from pre-training, and the names of two splits never meet.
* ``synthesize`` is the loop around this.
"""

from ftrl.synthesis.config import SynthesisConfig, SynthesisReport
from ftrl.synthesis.pipeline import synthesize

__all__ = ["SynthesisConfig", "SynthesisReport", "synthesize"]
