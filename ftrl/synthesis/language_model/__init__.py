"""The ``llm`` generator: a language model makes the product of each stage, programs decide whether it holds.

In: questions with answers, or documents or topics to make questions from. Out: ``Candidate``s, like those of any
other generator.

* A stage is a prompt (``prompts/NAME.vN.md``), the type of its answer (``forms``), and the acceptance rules of the
  stage's module one floor up. An answer that breaks a rule is asked for again with the reason, a few times; then the
  item is rejected with it.
* Models write forms, not JSON Schema: parameters are a list with a type and a description each. So every provider's
  structured output can enforce them, and a document is valid by construction.
* Code is tried in the sandbox before it leaves its stage, so that the model gets to know what its tool did wrong.
* Each stage may have a model of its own. What is asked and answered is recorded by ``ftrl.llm``: that is how a run
  resumes, what it cost, and how it is played back.
"""
