"""An S3 server that has its bad days: moto behind a proxy that fails requests in all the ways in which S3 does."""

from __future__ import annotations

import http.client
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

SHARE = 0.2
"""Of all requests, so many fail, unless it is told otherwise."""

ERRORS = {
    "busy": (503, "SlowDown"),
    "broken": (500, "InternalError"),
}
FAULTS = (*ERRORS, "cut before", "cut after")
"""Errors of S3's own, a connection that ends before the request was heard, and one that ends before it is answered."""


class FaultyS3:
    """Runs in threads of this process. Use it in a ``with`` block.

    Args:
        host: the address to listen at; what runs in another network asks for one that can be reached.

    Attributes:
        share: of all requests, so many fail.
        away: whether nobody is there at all.
        failed: how many requests have failed, by fault.
        unconfirmed_commits: manifests that were written, but whose writers got no answer.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.share = SHARE
        self.away = False
        self.unconfirmed_commits = 0
        self.failed = dict.fromkeys((*FAULTS, "away"), 0)
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self._moto.start()
        address = self._moto.get_host_and_port()
        rng, lock, outer = random.Random(0), threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def fault(self) -> str | None:
                with lock:
                    kind = None
                    if outer.away:
                        kind = "away"
                    elif rng.random() < outer.share:
                        kind = rng.choice(FAULTS)
                    if kind is not None:
                        outer.failed[kind] += 1
                    return kind

            def relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = self.fault()
                if fault in ("cut before", "away"):
                    self.close_connection = True
                    return
                if fault in ERRORS:
                    status, code = ERRORS[fault]
                    self.answer(status, {}, f"<Error><Code>{code}</Code><Message>try again</Message></Error>".encode())
                    return
                connection = http.client.HTTPConnection(*address, timeout=60)
                connection.request(self.command, self.path, body=body, headers=dict(self.headers))
                reply = connection.getresponse()
                data = reply.read()
                connection.close()
                if fault == "cut after":
                    outer.unconfirmed_commits += self.command == "PUT" and self.path.endswith("/manifest.json")
                    self.close_connection = True
                    return
                self.answer(reply.status, dict(reply.getheaders()), data)

            def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def make_bucket(self, name: str) -> None:
        """Make one; this never fails."""
        host, port = self._moto.get_host_and_port()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket=name)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of a process must say that is to use this server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def __enter__(self) -> FaultyS3:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._moto.stop()
