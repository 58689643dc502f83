"""What came of a run, for people: one HTML file; and its episodes in Inspect's viewer.

In: the folder of a quickstart, a training run, rollouts, evaluations or a set of tasks, finished or not. Out: a page
that opens offline, or Inspect's logs.

* ``parts`` knows what a folder holds by the files that stages leave; ``open_run_folder`` puts it in order.
* ``report_data`` makes records of it, a section a module. No figure is worked out here: scores are those of
  ``ftrl.rewards``, intervals those of ``ftrl.evaluation``, differences those of ``ftrl.analysis``. A section whose
  data is not there yet says so in a sentence.
* A run may hold millions of episodes, the page some dozens: ``choosing`` takes the same ones every time, and the
  page says how many of how many it shows.
* ``render`` puts the records into the page as data, never as markup: what tools and models said is hostile.
"""

from ftrl.reports.collecting import report_data
from ftrl.reports.data import ReportData
from ftrl.reports.rendering import render
from ftrl.reports.run import Run, open_run_folder
from ftrl.reports.writing import WrittenReport, write_report

__all__ = ["ReportData", "Run", "WrittenReport", "open_run_folder", "render", "report_data", "write_report"]
