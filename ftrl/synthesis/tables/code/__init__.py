"""The code of tools: one Python function each, written the way that people write such things.

In: a ``ToolDocument`` and what the tool knows. Out: source text.

* ``compact`` writes the shortest; all others are written in many shapes:
* ``voice`` is how one author writes: what is checked in which words, inline or by a helper inside the function.
* ``lookups`` has the tools that find a value; ``rowwise`` those that filter, add up and list; ``calculations`` those
  that work with times and dates.
* Code is made of ``Lines``; it never repeats what it was given, and never names a value in an error.
"""

from ftrl.synthesis.tables.code.calculations import days_source, local_time_source
from ftrl.synthesis.tables.code.compact import is_short, table_source
from ftrl.synthesis.tables.code.lookups import lookup_source
from ftrl.synthesis.tables.code.rowwise import rows_source

__all__ = ["days_source", "is_short", "local_time_source", "lookup_source", "rows_source", "table_source"]
