"""A task as a server of the Model Context Protocol.

The official package's low-level server is used: it passes our schemas on as they are, where the high-level one
would derive its own from Python functions.
"""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from mcp import MCPError, types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from ftrl import __version__
from ftrl.errors import FtrlError, InputError
from ftrl.serving.toolbox import Toolbox

PROMPT = "task"
LOOPBACK = "127.0.0.1"
HTTP_PATH = "/mcp"
GRACE_SECONDS = 2
"""For streams that clients hold open when the server is told to end."""

INSTRUCTIONS = f"Tools to answer one question with. The prompt '{PROMPT}' is the question."


def mcp_server(toolbox: Toolbox) -> Server[Any]:
    """A server that offers the toolbox's tools, and its question as the prompt ``task``.

    A tool that fails, or does not exist, gives a result marked as an error whose text is what the episode loop
    would show. A failure of ours is an error of the protocol instead, so that no agent is taken to task for it.

    Raises:
        InputError: a tool's schema is not that of an object, which the protocol asks for.
    """
    tools = []
    for tool in toolbox.tools:
        if tool.parameters.get("type") != "object":
            raise InputError(
                f"the parameters of the tool '{tool.name}' are not a schema of type object, as MCP asks for",
                field="tools",
            )
        tools.append(
            types.Tool(name=tool.name, description=tool.description, input_schema=dict(tool.parameters)),
        )
    prompt = types.Prompt(name=PROMPT, description="The question that the tools are there for.")
    question = types.PromptMessage(role="user", content=types.TextContent(type="text", text=toolbox.question))

    async def list_tools(context: Any, request: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(context: Any, request: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            reply = await toolbox.call(request.name, request.arguments)
        except FtrlError as fault:
            raise MCPError(types.INTERNAL_ERROR, str(fault)) from fault
        return types.CallToolResult(content=[types.TextContent(type="text", text=reply.text)], is_error=reply.failed)

    async def list_prompts(context: Any, request: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[prompt])

    async def get_prompt(context: Any, request: types.GetPromptRequestParams) -> types.GetPromptResult:
        if request.name != PROMPT:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt '{request.name}', only '{PROMPT}'")
        return types.GetPromptResult(messages=[question])

    return Server(
        "ftrl",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client over standard input and output, until it closes them.

    While this runs, standard output carries the protocol and nothing else: what anybody prints goes to standard error.
    """
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def listen(port: int) -> tuple[socket.socket, str]:
    """A socket on the loopback interface, and the address that clients use.

    Args:
        port: which port; 0 takes a free one.

    Raises:
        FtrlError: the port cannot be had.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((LOOPBACK, port))
        opened.listen()  # from now on clients may connect, and wait until they are served
    except (OSError, OverflowError) as error:
        opened.close()
        raise FtrlError(f"port {port} cannot be had ({error}); name another one, or 0 for any that is free") from error
    return opened, f"http://{LOOPBACK}:{opened.getsockname()[1]}{HTTP_PATH}"


async def serve_http(server: Server[Any], opened: socket.socket) -> None:
    """Serve any number of clients over streamable HTTP, until interrupted.

    Only programs on this machine reach it, and pages in a browser do not: their requests name another origin.
    """
    app = server.streamable_http_app(streamable_http_path=HTTP_PATH, host=LOOPBACK)
    settings = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    await uvicorn.Server(settings).serve(sockets=[opened])
