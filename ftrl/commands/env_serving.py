"""``ftrl env serve``: a task for any client of the Model Context Protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.errors import FtrlError

if TYPE_CHECKING:
    from ftrl.serving import Toolbox


def register(app: typer.Typer) -> None:
    """Add the command to the group ``env``."""
    app.command()(serve)


def serve(
    tasks: Annotated[str, typer.Argument(help="A store, or a JSONL or Parquet file in the published format.")],
    task: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, its first 6 or more characters, or a row number from 0."),
    ],
    http: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Serve streamable HTTP on this port of the loopback interface (0: any free one) to any number of "
            "clients; the address is printed. One client over standard input and output if left out.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that a call may take.")] = 10.0,
    workers: Annotated[
        int | None, typer.Option(help="Calls at the same time; as many as there are cores if left out.")
    ] = None,
) -> None:
    """Serve a task as an MCP server: its tools, run in the sandbox, and its question as the prompt "task".

    Its golds and its answer are not served.

    Example: ftrl env serve data/tasks 0

    Example: ftrl env serve data/tasks 0 --http 8000
    """
    from ftrl.environments import open_tasks
    from ftrl.environments.tasks import find_task
    from ftrl.sandbox import Limits, Sandbox
    from ftrl.serving import Toolbox

    if timeout <= 0 or (workers is not None and workers < 1):
        raise typer.BadParameter("--timeout and --workers must be above zero")
    opened = open_tasks(tasks)
    environment = find_task(opened, task)
    with Sandbox(workers, Limits(seconds=timeout)) as sandbox:
        _serve(Toolbox(environment, opened.sources(environment), sandbox), http)


def _serve(toolbox: Toolbox, http: int | None) -> None:
    try:
        from ftrl.serving import mcp_server
    except ImportError as error:
        raise FtrlError(
            f"serving needs the package mcp, version 2 ({error}); install it: pip install 'mcp>=2,<3'"
        ) from error
    server = mcp_server.mcp_server(toolbox)
    if http is None:
        asyncio.run(mcp_server.serve_stdio(server))
        return
    listening, address = mcp_server.listen(http)
    typer.echo(address)
    asyncio.run(mcp_server.serve_http(server, listening))
