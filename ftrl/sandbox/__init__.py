"""Runs tool source that nobody trusts.

In: ``Call`` (name, arguments as JSON text, source). Out, in order: ``CallResult`` (output, status, seconds).

* Tool source never runs in our process. Each worker is a bare interpreter in a jail (``jail/``); it forks one
  child per call, so that nothing one call does is seen by the next.
* The jail is made of layers: kill at the time limit, limits, namespaces, a root folder of its own,
  Landlock, a system call filter. Each is used where the system grants it; ``isolation_report`` tells which.
* A failure has an owner: the tool (``tool_error``, ``timeout``, ``memory``, ``output_limit``, ``crashed``)
  or us (``infrastructure``: tried twice, then reported, never to be scored).
* Outputs are those of the published code, to the letter; ``docs/sandbox.md`` names the exceptions.
"""

from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.isolation import isolation_report
from ftrl.sandbox.sandbox import Sandbox
from ftrl.sandbox.worker_process import LayerReport

__all__ = ["Call", "CallResult", "CallStatus", "LayerReport", "Limits", "Sandbox", "isolation_report"]
