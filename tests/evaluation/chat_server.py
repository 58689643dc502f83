"""A server that speaks OpenAI's protocol and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def saying(text: str) -> dict[str, Any]:
    """A message of text alone."""
    return {"role": "assistant", "content": text}


def calling(*calls: tuple[str, dict[str, Any]], text: str | None = None) -> dict[str, Any]:
    """A message with calls."""
    made = [
        {"id": f"theirs-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": text, "tool_calls": made}


class ChatServer:
    """Runs in threads of this process. ``answer`` makes a message of a request, or the status of an error."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], dict[str, Any] | int] = lambda request: saying("Hm.")
        self.requests: list[dict[str, Any]] = []
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.requests.append(request)
                    message = outer.answer(request)
                body: dict[str, Any] = {"error": {"message": "no"}}
                if isinstance(message, dict):
                    finish = "tool_calls" if message.get("tool_calls") else "stop"
                    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
                    choice = {"index": 0, "finish_reason": finish, "message": message}
                    body = {"id": "x", "object": "chat.completion", "created": 1, "model": request["model"]}
                    body |= {"choices": [choice], "usage": usage}
                data = json.dumps(body).encode()
                self.send_response(200 if isinstance(message, dict) else message)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


LEAN, INSPECT = "openai-api/local/scripted", "openai/gpt-4o"
"""A model that is asked directly, and one that is asked through Inspect."""
