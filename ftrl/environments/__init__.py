"""Environments: what a task is, and where tasks lie.

In come files in the published format, or environments that a generator made; out go environments, one by one,
with the sources of their tools.

* ``Environment`` is a value: question, tools, golds. Its id is a hash of its content, so a task is the same
  task wherever it lies.
* ``EnvironmentStore`` is a folder of Parquet, local or on S3, with each tool source stored once. A store
  changes by a commit: readers see the old one or the new one, never half of one.
* ``open_tasks`` reads a store and a published-format file alike, row by row with flat memory.
* Nothing unsound gets in unnoticed: a bad row is named by file, line and field. No tool is ever run here.
"""

from ftrl.environments.exchange import export_published, import_published, validate
from ftrl.environments.schema import Environment, Gold, Scenario, SubQuestion, source_id
from ftrl.environments.statistics import describe
from ftrl.environments.store import EnvironmentStore, EnvironmentStoreWriter, is_store
from ftrl.environments.tasks import Tasks, open_tasks

__all__ = [
    "Environment",
    "EnvironmentStore",
    "EnvironmentStoreWriter",
    "Gold",
    "Scenario",
    "SubQuestion",
    "Tasks",
    "describe",
    "export_published",
    "import_published",
    "is_store",
    "open_tasks",
    "source_id",
    "validate",
]
