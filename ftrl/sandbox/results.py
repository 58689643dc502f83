"""What is known already: proofs of sources, and results of calls that can only ever give the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from types import CodeType

from ftrl.sandbox.calls import Call, CallResult, CallStatus
from ftrl.sandbox.proof import LONGEST_SOURCE, SOURCE_NAME, Proof, prove

MOST_PROOFS = 50_000
MOST_CODES = 5_000
_OVERHEAD_BYTES = 400
_KEPT = (CallStatus.OK, CallStatus.TOOL_ERROR, CallStatus.OUTPUT_LIMIT)
_UNKNOWN_TOOL = Proof(functions=frozenset(), deterministic=True, wild=False, why_not=None)


class Proofs:
    """Proofs and code by source; each source is looked into once, and none is ever run here.

    Args:
        most: sources that are remembered, the latest; of these, ``MOST_CODES`` with their code.
    """

    def __init__(self, most: int = MOST_PROOFS) -> None:
        self._most = most
        self._proofs: OrderedDict[str, Proof] = OrderedDict()
        self._texts: dict[str, str] = {}
        self._codes: OrderedDict[str, CodeType] = OrderedDict()
        self._kept_out: set[str] = set()
        self._lock = threading.Lock()

    def of(self, source: str | None) -> Proof:
        """The proof of a source; of None, that a tool which does not exist has no effects."""
        if source is None:
            return _UNKNOWN_TOOL
        proof = self._proofs.get(source)
        if proof is None:
            proof = prove(source)
            if proof.functions and self.compiled(source) is None:
                proof = replace(proof, functions=frozenset(), why_not="it does not compile")
            with self._lock:
                self._proofs[source] = proof
                self._texts[source] = source
                if len(self._proofs) > self._most:
                    del self._texts[self._proofs.popitem(last=False)[0]]
        return proof

    def shared(self, source: str | None) -> str | None:
        """The source as one text for all who have a copy of their own."""
        return None if source is None else self._texts.get(source, source)

    def warm(self, call: Call) -> bool:
        """Whether the call may be made in a warm interpreter."""
        source = call.source
        if source is None:
            return True
        proof = self._proofs.get(source) or self.of(source)
        return call.name in proof.functions and source not in self._kept_out

    def compiled(self, source: str | None) -> CodeType | None:
        """The source's code, for a process that is to run it; None for no source, or one that does not compile."""
        if source is None:
            return None
        code = self._codes.get(source)
        if code is None:
            if len(source) > LONGEST_SOURCE:
                return None  # a process that compiles does nothing else meanwhile: let it be the child
            try:
                code = compile(source, SOURCE_NAME, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
                return None
            with self._lock:
                self._codes[source] = code
                if len(self._codes) > min(self._most, MOST_CODES):
                    self._codes.popitem(last=False)
        return code

    def keep_out(self, source: str | None) -> None:
        """The tool is slow, or ends its process, or is otherwise a burden on a warm interpreter: none sees it again."""
        if source is not None:
            self._kept_out.add(source)


def is_repeatable(result: CallResult) -> bool:
    """Whether a deterministic call gives this again: it hangs on no limit, nor on where in memory an object lay."""
    return result.status in _KEPT and " at 0x" not in result.output


class ResultCache:
    """Results of deterministic calls, the most recently used ones within a budget of memory.

    A result is found again by the tool's source, its name and the very text of the arguments: texts that mean the same
    are not looked for, since a tool may see the order of its arguments.

    Args:
        most_bytes: memory to use, about; 0 keeps nothing.
    """

    def __init__(self, most_bytes: int) -> None:
        self.keeps = most_bytes > 0
        self._most_bytes = most_bytes
        self._bytes = 0
        self._results: OrderedDict[tuple[str | None, str, str], CallResult] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, call: Call) -> CallResult | None:
        """The call's result, if it is known."""
        key = (call.source, call.name, call.arguments)
        with self._lock:
            result = self._results.get(key)
            if result is not None:
                self._results.move_to_end(key)
        return result

    def keep(self, call: Call, result: CallResult, source: str | None) -> None:
        """Remember a result, if it is repeatable.

        Args:
            call: the call.
            result: its result.
            source: the call's source, as the one text that all of its calls share.
        """
        if not self.keeps or not is_repeatable(result):
            return
        key = (source, call.name, call.arguments)
        with self._lock:
            if key in self._results:
                return
            self._results[key] = result
            self._bytes += _size(key, result)
            while self._bytes > self._most_bytes:
                self._bytes -= _size(*self._results.popitem(last=False))


def _size(key: tuple[str | None, str, str], result: CallResult) -> int:
    return _OVERHEAD_BYTES + len(key[2]) + len(result.output)
