"""What a task would pay for nothing: an audit of environments.

In: environments with the sources of their tools. Out: a ``TaskAudit`` for each, with findings, severity and grade,
and an ``AuditReport`` of them all.

* Calls that know nothing, or too much, are made in the sandbox (``attempts``); sources are read, never run here.
* A *probe* is one idea: it looks at the task, its sources and what the calls brought, and yields ``Finding``s.
* Probes that try to be paid say what each scoring profile would do: the task's defect is one thing, whether a
  profile falls for it another. Severity is about the task.
* The worst finding makes the grade, A to D, and ``ftrl env import --min-quality`` goes by it.
"""

from ftrl.audit.audit import Auditor, audit_tasks
from ftrl.audit.findings import Finding, Grade, Severity, TaskAudit, grade_named
from ftrl.audit.probes import meaning, names_of_probes
from ftrl.audit.report import AuditReport, ProbeCount, Tally, audit_report

__all__ = [
    "AuditReport",
    "Auditor",
    "Finding",
    "Grade",
    "ProbeCount",
    "Severity",
    "Tally",
    "TaskAudit",
    "audit_report",
    "audit_tasks",
    "grade_named",
    "meaning",
    "names_of_probes",
]
