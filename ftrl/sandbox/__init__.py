"""Runs tool source that nobody trusts.

In: ``Call`` (name, arguments as JSON text, source). Out, in order: ``CallResult`` (output, status, seconds).

* Tool source never runs in our process. Each worker is a bare interpreter in a jail (``jail/``). A tool that is
  proven to keep nothing and reach nothing (``proof``) runs in a warm one; any other in a child forked for the calls
  of one response, or for one call. Nothing that one call does is seen by the next.
* The jail is made of layers: kill at the time limit, limits, namespaces, a root folder of its own, Landlock, system
  call filters. Each is used where the system grants it; ``isolation_report`` tells which, ``Isolation`` insists.
* A failure has an owner: the tool (``tool_error``, ``timeout``, ``memory``, ``output_limit``, ``crashed``)
  or us (``infrastructure``: tried three times, then reported, never to be scored).
* Outputs are those of the published code, to the letter; ``docs/sandbox.md`` names the exceptions.
"""

from ftrl.sandbox.calls import Call, CallResult, CallStatus, Limits
from ftrl.sandbox.isolation import Isolation, isolation_report, level_of
from ftrl.sandbox.sandbox import Sandbox
from ftrl.sandbox.worker_process import LayerReport

__all__ = [
    "Call",
    "CallResult",
    "CallStatus",
    "Isolation",
    "LayerReport",
    "Limits",
    "Sandbox",
    "isolation_report",
    "level_of",
]
