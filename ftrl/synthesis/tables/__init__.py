"""The ``tables`` generator: facts of a fictional world, or of the user's own tables, become candidates. No model.

* ``facts`` says what a source of facts is; ``world`` is a seeded fictional one, ``tabular`` reads the user's tables.
* The five stages, a module each: ``decompose`` → ``document`` → ``integrate`` → ``scale`` → ``deploy``;
  ``generator`` takes an item through them. ``style`` is the dial, ``adaptive`` turns it by solve rates.
* ``paths`` and ``queries`` are what is asked, ``questions`` and ``wording`` how; ``tool`` is a document, ``code``
  its source.
* An item is drawn from a random stream of its own, so that it is the same whatever else is made.
"""
