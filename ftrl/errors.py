"""Errors a user can act on.

Two types, told apart by who has to do something about them:

* ``InputError`` - what the user gave us is wrong. The message names file, line and field. Exit code 2.
* ``FtrlError`` - the work failed. What was finished is kept; the message says how to go on. Exit code 1.

Anything else that surfaces is a defect of ours and keeps its traceback.
"""

from __future__ import annotations


class FtrlError(Exception):
    """The work failed; the message tells what happened and what to do next."""

    exit_code = 1


class InputError(FtrlError):
    """The user's input is wrong.

    Args:
        message: what is wrong and what to do about it, as a sentence.
        file: the file (or store) at fault, if there is one.
        line: its 1-based line (or row) number.
        field: the field in that line.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.field = field
        where = file or ""
        if line is not None:
            where += f":{line}" if where else f"line {line}"
        if field is not None:
            where += f": field '{field}'" if where else f"field '{field}'"
        super().__init__(f"{where}: {message}" if where else message)
