"""The user's own tables as a source of facts: CSV, TSV, Parquet and SQLite, local or on S3.

* ``load`` streams every file into one temporary SQLite file, so that memory does not grow with the tables.
* ``find`` tells types, keys, names for people, and references between tables; ``schema`` reads what the user
  declares about them in YAML.
* ``describe`` makes kinds and relations of tables and columns, in words; ``cells`` decides what may be an answer.
* ``telling`` says what was found in the form in which it is declared.
* ``TableFacts`` is the result: the stages ask it as they ask the fictional world.
"""

from ftrl.synthesis.tables.tabular.own import TableFacts, table_facts
from ftrl.synthesis.tables.tabular.telling import TablesFound, find_schema

__all__ = ["TableFacts", "TablesFound", "find_schema", "table_facts"]
