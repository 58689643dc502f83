"""Tasks for others: for any client of the Model Context Protocol, and for other training stacks.

In: an environment with the sources of its tools, or a whole store of them. Out: a server, or a package to install.

* A ``Toolbox`` is all of a task that a stranger may see: question and tools. Golds, answer and trace stay behind.
* A ``Play`` keeps score of a stranger's calls, under every profile, as the episode loop does for our own policies.
* ``mcp_server`` offers a toolbox; ``serve_stdio`` and ``serve_http`` carry it. Tools run in the sandbox, never here.
* ``export_package`` writes a package in the form that another stack loads (``FORMATS``); it asks for ``ftrl``
  and copies nothing of it.
"""

from ftrl.serving.export import FORMATS, export_package
from ftrl.serving.play import Play
from ftrl.serving.playground import Playground
from ftrl.serving.toolbox import Reply, Toolbox

__all__ = [
    "FORMATS",
    "Play",
    "Playground",
    "Reply",
    "Toolbox",
    "export_package",
]
