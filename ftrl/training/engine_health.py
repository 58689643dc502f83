"""Whether the engines of a trainer are alive.

verl's trainer hands its engines the new weights through shared memory and waits for each to take them: one that died in
between, killed by a node without memory say, is waited for without end. So they are asked from outside, by their HTTP
servers.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import ray

SERVER = "vllm_server_"
"""What the names of verl's Ray actors that hold an engine begin with."""

EVERY_SECONDS = 5.0
GONE_SECONDS = 20.0
"""How often they are asked, and how long one has to be gone: when a trainer ends, its engines go a little before it."""

AT_ONCE = 32
"""Engines that are asked at the same time."""

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Nodes are not reached through a proxy, which would answer for an engine that it does not know."""


class EngineHealth:
    """The engines of the trainer that this Ray job has; to be asked of once it has begun, so that all are its own."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._gone_since: dict[str, float] = {}
        self._asked = 0.0

    def dead(self) -> str | None:
        """Name of an engine that is gone for good; asks at most every ``EVERY_SECONDS``."""
        now = time.monotonic()
        if now - self._asked < EVERY_SECONDS:
            return None
        self._asked = now
        there = {name for name in ray.util.list_named_actors() if name.startswith(SERVER)}
        for name in there - set(self._addresses):
            self._meet(name)
        with ThreadPoolExecutor(AT_ONCE) as asking:  # some may be silent for seconds
            answers = list(asking.map(_is_gone, self._addresses.values()))
        for name, gone in zip(self._addresses, answers, strict=True):
            if name in there and not gone:
                self._gone_since.pop(name, None)
            elif now - self._gone_since.setdefault(name, now) >= GONE_SECONDS:
                return name
        return None

    def _meet(self, name: str) -> None:
        try:
            host, port = ray.get(ray.get_actor(name).get_server_address.remote(), timeout=EVERY_SECONDS)
        except (ValueError, ray.exceptions.RayError):
            return  # it is still starting
        self._addresses[name] = f"http://{f'[{host}]' if ':' in host else host}:{port}/health"


def _is_gone(address: str) -> bool:
    """Whether nobody is there any more, or somebody who says that the engine is dead; not to answer is to be busy."""
    try:
        DIRECTLY.open(address, timeout=EVERY_SECONDS).close()
    except urllib.error.HTTPError as error:
        return error.code == 503
    except urllib.error.URLError as error:
        return isinstance(error.reason, ConnectionRefusedError)
    except http.client.HTTPException:
        return True  # whoever has its port now is no engine
    except OSError:
        pass
    return False
