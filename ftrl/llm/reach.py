"""Whether anything listens where a server is said to be: seen first, as requests are tried again for minutes."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ftrl.llm.failures import ModelRefused

WAIT_SECONDS = 10.0


class Reach:
    """Sees once whether a server takes connections. Belongs to one event loop.

    Args:
        model: who is asked, for the error.
        address: the server's, as ``http://HOST:PORT/v1``; none if a provider is where it usually is.
    """

    def __init__(self, model: str, address: str | None) -> None:
        self._model = model
        self._address = address
        self._seen: asyncio.Future[None] | None = None

    async def see(self) -> None:
        """Return if it does, at once after the first time. What a proxy stands before is not looked at.

        Raises:
            ModelRefused: it does not.
        """
        if self._seen is None:
            self._seen = asyncio.ensure_future(self._connect())
        await asyncio.shield(self._seen)  # one of those who wait may be cancelled

    async def _connect(self) -> None:
        if self._address is None:
            return
        url = urlsplit(self._address)
        try:
            host, port = url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]
        except (KeyError, ValueError):
            host = None
        if not host:
            raise self._refused("that is no address; write it as http://HOST:PORT/v1")
        if url.scheme in getproxies() and not proxy_bypass(host):
            return
        try:
            connection = await asyncio.to_thread(socket.create_connection, (host, port), WAIT_SECONDS)
        except OSError as error:
            raise self._refused(f"{error.strerror or error}; is this where the server is, and does it run?") from error
        connection.close()

    def _refused(self, why: str) -> ModelRefused:
        return ModelRefused(f"{self._model} can't be asked at {self._address}: {why}")
