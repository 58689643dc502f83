"""The program that runs in the sandbox: a database, and calls that change it, one after the other.

Its text is sent there (``session``); this process only ever reads it. The published tools sit inside the program's own
process, so their changes last for one run of it: to go on with an episode, its calls so far are made again.
"""

from __future__ import annotations

from typing import Any


def replay(database: dict[str, Any], sources: dict[str, str], calls: list[list[str]], digest: bool) -> dict[str, Any]:
    """Make the calls in order on the database.

    Args:
        database: table → records; the tools get it as ``data`` and change it in place.
        sources: tool → Python source that defines it.
        calls: of each, the tool's name and its arguments as JSON text.
        digest: whether the database's digest is wanted, which takes as long as a few calls.

    Returns:
        Of the last call ``failed`` and ``output`` (the tool's answer, or what it raised); and the ``digest`` of the
        database afterwards, equal for equal contents whatever the order of keys.
    """
    # What stands at the program's top is not seen from in here: so the sandbox calls tools, as the published code does.
    import hashlib
    import json

    failed, output = False, ""
    for name, arguments in calls:
        try:
            keywords = json.loads(arguments)
            defined: dict[str, Any] = {}
            exec(sources[name], defined)
            result = defined[name](**keywords, data=database)
            kept = isinstance(result, (dict, list))
            failed, output = False, json.dumps(result, ensure_ascii=False) if kept else str(result)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
            failed, output = True, str(error)
    found: dict[str, Any] = {"failed": failed, "output": output}
    if digest:
        found["digest"] = hashlib.sha256(json.dumps(database, sort_keys=True).encode()).hexdigest()
    return found
