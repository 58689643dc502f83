"""The proof that lets tools share an interpreter: what it refuses, what it grants, and that nothing gets past it."""

from __future__ import annotations

import builtins
import importlib
import itertools
import json
import random
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftrl.sandbox import Call, CallResult, CallStatus, Limits, Sandbox
from ftrl.sandbox.allowed import ATTRIBUTES, BUILTINS, METHODS, MODULES
from ftrl.sandbox.proof import DEEPEST, LONGEST_SOURCE, Proof, prove
from ftrl.sandbox.results import Proofs

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")  # of programs that nobody would write


def body(*lines: str) -> str:
    return "def f(x=0, *args, **named):\n" + "".join(f"    {line}\n" for line in lines)


REFUSED = {
    # What a later call would see.
    "assigns an attribute of a module": body("import json", "json.dumps = str"),
    "assigns an attribute by unpacking": body("import json", "json.dumps, y = str, 1"),
    "assigns an attribute as a loop's variable": body("import json", "for json.dumps in [str]: pass"),
    "assigns an attribute in a comprehension": body("import json", "return [1 for json.dumps in [str]]"),
    "adds to an attribute": body("import math", "math.pi += 1"),
    "annotates an attribute": body("import math", "math.pi: int = 3"),
    "deletes an attribute": body("import math", "del math.pi"),
    "sets attributes by text": body("setattr(int, 'x', 1)"),
    "deletes attributes by text": body("delattr(x, 'y')"),
    "defines a class, whose methods run later": "class A:\n    def __del__(self): pass\ndef f(): return A()",
    "makes a class by calling type": body("return type('A', (), {})"),
    "reads the dictionary of builtins": body("__builtins__['len'] = 1"),
    "declares the builtins to be global": body("global __builtins__", "return __builtins__"),
    "reads its own globals": body("return globals()"),
    "reads its own locals": body("return locals()"),
    "reads an object's dictionary": body("return vars(x)"),
    "asks for recursion limits": body("import sys", "sys.setrecursionlimit(10)"),
    "asks for the limit of digits": body("import sys", "sys.set_int_max_str_digits(0)"),
    "changes the context of decimals": body("import decimal", "decimal.getcontext().prec = 2"),
    "changes the locale": body("import locale", "locale.setlocale(0, 'C')"),
    "seeds the random numbers of all": body("import random", "random.seed(1)"),
    "registers with copyreg": body("import copyreg", "copyreg.pickle(int, str)"),
    "registers an exit handler": body("import atexit", "atexit.register(f)"),
    "registers a collector's callback": body("import gc", "gc.callbacks.append(f)"),
    "changes the filters of warnings": body("import warnings", "warnings.simplefilter('error')"),
    "changes the hook for uncaught errors": body("import sys", "sys.excepthook = None"),
    "clears the cache of regular expressions": body("import re", "re.purge()"),
    "keeps things in a function's cache": body("import functools", "return functools.lru_cache(f)"),
    "keeps things on a function": body("f.seen = 1"),
    "keeps things in a default, found again": body("return f.__defaults__"),
    "takes a memory of typing as a value": body("from typing import List", "return str(List[x])"),
    "takes a memory of typing by its module": body("import typing as t", "return t.List[x]"),
    "takes a memory of typing past a parameter of that name": (
        "def f(List):\n    def g():\n        from typing import List\n        return List[1]\n    return g()"
    ),
    "catches what typing made in an annotation": body(
        "from typing import List", "from collections import defaultdict", "d = defaultdict(str)", "y: d[List[1]] = 2"
    ),
    "catches what typing made in an annotation by naming it": body(
        "from typing import List", "def g(a: (z := List[1])): pass", "return z"
    ),
    "asks whether two equal patterns are one": body("import re", "return re.compile('a') is re.compile('a')"),
    "asks whether two equal patterns are two": body("import re", "return x is not re.compile('a')"),
    "asks for identities in a row": body("return None is x is args"),
    "asks for an address": body("return id(x)"),
    "asks for a hash": body("return hash(x)"),
    # What leads out of the interpreter.
    "opens a file": body("return open('/etc/passwd').read()"),
    "asks for input": body("return input()"),
    "imports a module of the system": body("import os"),
    "imports from a module of the system": body("from os import system"),
    "imports a submodule": body("import collections.abc"),
    "imports everything": "from json import *\ndef f(): return dumps(1)",
    "imports relatively": "from . import json\ndef f(): return 1",
    "imports what the list does not have of a module": body("from json import decoder"),
    "imports by text": body("return __import__('os')"),
    "imports another module under an allowed name": body("import os as json"),
    "imports a hidden name of a module": body("from collections import _sys"),
    "follows a module to another": body("import json", "return json.codecs.sys"),
    "follows a module to another, under another name": body("import statistics as s", "return s.random"),
    "reads a hidden attribute": body("return f.__globals__"),
    "reads an attribute of one underscore": body("import collections", "return collections._sys"),
    "reads a frame from a generator": body("return (y for y in []).gi_frame"),
    "reads a frame from an error": body("try: 1/0", "except Exception as e: return e.__traceback__"),
    "reads the code of a function": body("return f.__code__"),
    "stops in a debugger": body("breakpoint()"),
    "leaves the interpreter": body("exit()"),
    "sleeps": body("import time", "time.sleep(1)"),
    "starts a thread": body("import threading"),
    "uses the host's sleep": "def f(): return sleep(1)",
    "uses a name of the host that it binds elsewhere": "def g():\n    sha256 = 1\ndef f(): return sha256(b'x').name",
    "uses a stand-in of the host that it binds elsewhere": "def g():\n    requests = 1\ndef f(): return requests",
    # Code chosen by text.
    "evaluates": body("return eval('1')"),
    "executes": body("exec('1')"),
    "compiles": body("return compile('1', '', 'eval')"),
    "evaluates by another name": body("e = eval", "return e('1')"),
    "evaluates by a name that another function has as a parameter": ("def g(eval): pass\ndef f(): return eval('1')"),
    "evaluates in a default, outside of the parameter's scope": "def f(eval, y=eval('1')): return y",
    "evaluates in a decorator, outside of the parameter's scope": "@eval\ndef f(eval): return 1",
    "evaluates in an annotation, outside of the parameter's scope": "def f(eval: eval('1')): return 1",
    "evaluates past a parameter, by a global": "def f(eval):\n    def g():\n        global eval\n        return eval('1')\n    return g()",  # noqa: E501
    "evaluates by a letter of another alphabet": body("return \uff45val('1')"),
    "binds the name of a built-in in one scope and means it in another": "if 0: open = 1\ndef f(): return open('x')",
    "binds the name of a built-in as a loop's variable": body("for open in []: pass"),
    "binds the name of a built-in as an error": body("try: 1/0", "except Exception as open: pass"),
    "binds the name of a built-in as an import": body("import json as open"),
    "binds the name of a built-in as a function": "def open(): pass\ndef f(): return open",
    "binds the name of a built-in as a lambda's parameter": "g = lambda eval: 1\ndef f(): return eval('1')",
    "gets attributes by text": body("return getattr(x, 'real')"),
    "asks for attributes by text": body("return hasattr(x, '__class__')"),
    "lists attributes": body("return dir(x)"),
    "formats attributes": body("return '{0.__class__}'.format(x)"),
    "formats items": body("return '{0[__class__]}'.format(x)"),
    "formats attributes of a named field": body("return '{x.__class__}'.format(x=x)"),
    "formats attributes within a layout": body("return '{0:{1.__class__}}'.format(x, x)"),
    "formats attributes in front of a fault": body("return '{1:{0.__class__}}{'.format(x, 1)"),
    "formats attributes in front of a lone brace": body("return '{0.__class__}}'.format(x)"),
    "formats with a text from elsewhere": body("return x.format(1)"),
    "formats with a text that it puts together": body("return ('{0.' + '__class__}').format(1)"),
    "formats with a text that it fills in": body("return f'{{0.{x}}}'.format(1)"),
    "formats with a repeated text": body("return ('{0.real}' * 2).format(1)"),
    "formats by the method itself": body("return str.format('{0.__class__}', 1)"),
    "takes format along": body("g = '{}'.join", "return map(x.format, [1])"),
    "formats by a mapping": body("return '{x.__class__}'.format_map({'x': 1})"),
    "formats by a template": body("import string", "return string.Formatter().format('{0.__class__}', 1)"),
    "gets attributes by operator": body("import operator", "return operator.attrgetter('x')(1)"),
    "calls methods by text": body("import operator", "return operator.methodcaller('x')(1)"),
    "unpickles": body("import pickle", "return pickle.loads(x)"),
    "decodes by the module of codecs": body("import codecs", "return codecs.decode(x, 'rot13')"),
    # Code that runs after the call, or that cannot be looked through.
    "defines a generator, whose end runs later": body("try: yield 1", "finally: print(1)"),
    "hands on to a generator": body("yield from x"),
    "defines a coroutine": "async def f(): return 1",
    "awaits": "async def f(): await x",
    "has an asynchronous comprehension": body("return (y async for y in x)"),
    "opens a context": body("with x: pass"),
    "matches patterns, which read attributes": body("match x:", "    case int(real=1): pass"),
    "names a hidden variable": body("__class__ = 1"),
    "names a hidden parameter": "def f(__x): return 1",
    "names a hidden function": "def __getattr__(name): return 1\ndef f(): return 1",
    "names a hidden error": body("try: 1/0", "except Exception as _e: pass"),
    "names a hidden import": body("import json as _json"),
    "names a hidden global": body("global _x"),
    "imports from the future": "from __future__ import annotations\ndef f(): return 1",
    "reads an attribute that is not on the list": body("return x.tobytes"),
    "prints in colour by an unknown keyword of syntax": "def f(:",
    "holds a null": "def f(): return 1\0",
    "is very long": "#" * LONGEST_SOURCE + "\ndef f(): return 1",
    "is very deep": "def f(): return " + "(" * 0 + "-" * (2 * DEEPEST) + "1",
}


@pytest.mark.parametrize("why", REFUSED)
def test_no_tool_is_proven_that(why: str) -> None:
    proof = prove(REFUSED[why])
    assert proof.why_not is not None
    assert proof.functions == frozenset()
    assert not proof.deterministic


@pytest.mark.skipif(not hasattr(__import__("ast"), "TypeVar"), reason="syntax of Python 3.12")
@pytest.mark.parametrize("source", ["def f[T](x): return T", "def f[T: (eval('1'))](x): return 1", "type X = 1"])
def test_no_tool_with_type_parameters_is_proven(source: str) -> None:
    assert prove(source).functions == frozenset()


HONEST = {
    "arithmetic": "def f(a, b): return (a + b) * 2 ** 3 // 4 % 5 - -a",
    "looks up a table": "def f(city):\n    table = {'a': {'b': [1]}}\n    return table.get(city, {}).get('b', 'unknown')",  # noqa: E501
    "imports within": "def f(d):\n    from datetime import datetime, timedelta\n"
    "    return (datetime.strptime(d, '%Y-%m-%d') + timedelta(days=1)).strftime('%d %B %Y')",
    "imports at the top": "import json, re\nfrom collections import Counter\ndef f(t): return dict(Counter(t))",
    "catches errors": "def f(a):\n    try:\n        return int(a)\n    except (ValueError, TypeError) as e:\n"
    "        return {'error': str(e)}\n    finally:\n        print('x')",
    "loops": "def f(n):\n    total = 0\n    for i in range(n):\n        if i % 2: continue\n        total += i\n"
    "    else:\n        total -= 1\n    while total > 10: total -= 1\n    return total",
    "uses comprehensions": "def f(r): return [{'k': k, 'v': v} for k, v in sorted(r.items(), key=lambda p: p[1]) if v]",
    "uses nested functions": "def f(n):\n    def g(k): return 1 if k < 2 else k * g(k - 1)\n    return g(n)",
    "uses several functions": "def g(x): return x\ndef f(x): return x\nprint(f(1))",
    "fills in texts": "def f(n, v): return f'{n!r:>10} {v:.2f} {len(n)}' + '%s' % n + '{} {:>{w}} {a!s}'.format(1, 2, w=3, a=4)",  # noqa: E501
    "uses regular expressions": "def f(t):\n    import re\n    m = re.search(r'(\\d+)', t, re.I | re.M)\n"
    "    return m.group(1) if m is not None else re.sub('a', lambda m: m.group(0).upper(), t)",
    "annotates": "from typing import Dict, List, Optional\nimport typing\n"
    "def f(a: str, b: Optional[List[int]] = None, c: 'typing.Any' = None) -> Dict[str, typing.Any]:\n"
    "    d: Dict[str, int] = {}\n    e: list[int] | None = None\n    return d",
    "has a type and an id": "def f(type, id, input=None, *, filter='x', **vars): return [type, id, input, filter, vars]",  # noqa: E501
    "hands such a parameter to a function within": "def f(type, hash):\n    def g(): return [type, hash]\n    return g()",  # noqa: E501
    "does not need a name": "def f(x): return [1 for _ in x]",
    "compares with nothing": "def f(x): return x is None or x is not True or None is not x",
    "asserts and raises": "def f(x):\n    assert x, 'none'\n    raise ValueError('x') from None",
    "unpacks": "def f(x):\n    a, *b = x\n    return [*b, a, {**{'a': a}}]",
    "walrus": "def f(x): return y if (y := x) else 0",
    "reads the clock": "def f():\n    from datetime import date\n    return str(date.today())",
    "runs an example": "def f(x=1): return x\nif __name__ == '__main__': print(f())".replace(
        "if __name__ == '__main__': ", ""
    ),
    "counts": "def f(x):\n    from collections import defaultdict\n    d = defaultdict(list)\n    d[1].append(x)\n    return d",  # noqa: E501
    "does statistics": "def f(x):\n    import statistics, math\n    return [statistics.mean(x), math.sqrt(4)]",
    "keeps globals of its own": "total = 0\ndef f(x):\n    global total\n    total = x\n    return total",
    "uses the host's json": "def f(x): return json.dumps(deepcopy(x))",
    "reads a name that nothing binds": "def f(x):\n    try: return re.sub('a', 'b', x)\n    except NameError as e: return str(e)",  # noqa: E501
    "works on sets and bytes": "def f(x): return sorted(set(x) | {1} - frozenset([2])) + list('a'.encode('utf-8'))",
    "names of builtins as locals of a function": "def f(filter):\n    filter = [filter]\n    return filter",
}


@pytest.mark.parametrize("what", HONEST)
def test_an_honest_tool_is_proven_that(what: str) -> None:
    proof = prove(HONEST[what])
    assert proof.why_not is None
    assert "f" in proof.functions


def test_nearly_all_tools_of_the_published_tasks_are_proven(shared: Path) -> None:
    tasks = [json.loads(line) for line in (shared / "data/ftrl_test_dev100.jsonl").open(encoding="utf-8")]
    sources = [source for task in tasks for source in json.loads(task["codes"]).values()]
    proven = sum(prove(source).why_not is None for source in sources)
    assert proven >= 0.95 * len(sources)


@pytest.mark.parametrize(
    "expression",
    ["datetime.now()", "date.today()", "datetime.utcnow()", "x.astimezone()", "x.timestamp()", "date.fromtimestamp(x)"],
)
def test_a_tool_that_reads_the_clock_is_proven_yet_its_results_are_not_kept(expression: str) -> None:
    proof = prove(f"def f(x=0):\n    from datetime import date, datetime\n    return str({expression})")
    assert proof.functions == {"f"}
    assert not proof.deterministic


def test_two_calls_of_a_tool_that_reads_the_clock_differ() -> None:
    call = Call("f", "{}", "def f():\n    from datetime import datetime\n    return str(datetime.now())")
    with Sandbox(workers=1) as sandbox:
        assert sandbox.run([call])[0].output != sandbox.run([call])[0].output


def test_only_names_of_functions_at_the_top_are_called_warm_and_no_expression_is() -> None:
    source = "def f(): return 1\ndef g(h=lambda: 2):\n    def inner(): return 3\n    return h()\ny = f"
    proofs = Proofs()
    assert proofs.warm(Call("f", "{}", source))
    for name in ("y", "inner", "h", "f()", "f.__globals__", "__import__('os').getpid", "(f)", " f", "len", "dict", ""):
        assert not proofs.warm(Call(name, "{}", source)), name


def test_only_the_latest_sources_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = Proofs(most=2)
    sources = [f"def f(): return {number}" for number in range(3)]
    for source in sources:
        assert proofs.of(source).deterministic
    monkeypatch.setattr("ftrl.sandbox.results.prove", None)
    assert all(proofs.of(source).deterministic for source in sources[1:])
    with pytest.raises(TypeError):
        proofs.of(sources[0])


SAME_ON_BOTH_PATHS = {
    "a name that is no function": ("g", "{}", "def f(): return 1"),
    "an expression": ("(lambda: 7)", "{}", "def f(): return 1"),
    "an expression that reaches out": ("__import__('os').getcwd", "{}", "def f(): return 1"),
    "a method": ("f.__call__", "{}", "def f(): return 1"),
    "a built-in": ("len", "{}", "def f(): return 1"),
    "a letter of another alphabet": ("\uff46", "{}", "def f(): return 1"),
    "a fault that only the compiler sees": ("f", "{}", "def f(): return 1\nreturn 2"),
    "a parameter twice": ("f", "{}", "def f(a, a): return 1"),
    "a loop that is not there": ("f", "{}", "def f(): return 1\nbreak"),
    "a function deleted": ("f", "{}", "def f(): return 1\ndel f"),
    "a function deleted by another": ("f", "{}", "def f(): return 1\ndef g():\n    global f\n    del f\ng()"),
    "a function that is global": ("f", "{}", "global f\ndef f(): return 1"),
    "a function replaced": ("f", "{}", "def f(): return 1\nf = 2"),
    "a function shadowed": ("f", "{}", "def f(): return 1\ndef f(): return 2"),
    "a name that nothing binds": ("f", "{}", "def f(): return re.sub('a', 'b', 'a')"),
    "a failure at the top": ("f", "{}", "def f(): return 1\n1 / 0"),
    "no such tool": ("f", "{}", None),
    "arguments that are no object": ("f", "[1]", "def f(): return 1"),
    "arguments that are no JSON": ("f", "{", "def f(): return 1"),
    "arguments that hold too much": ("f", '{"a": 1}', "def f(): return 1"),
    "arguments with half a surrogate": ("f", '{"a": "\\ud800"}', "def f(a): return a"),
    "an argument of endless depth": ("f", '{"a": ' + "[" * 100_000 + "}", "def f(a): return a"),
    "a result that is no JSON": ("f", "{}", "def f(): return {'a': {1}}"),
    "a result that contains itself": ("f", "{}", "def f():\n    a = []\n    a.append(a)\n    return a"),
    "a number that JSON does not know": ("f", "{}", "def f(): return [float('nan'), float('inf')]"),
    "a number too long to print": ("f", "{}", "def f(): return 10 ** 5000"),
    "an error without a text": ("f", "{}", "def f(): raise ValueError"),
    "an error that is an exit": ("f", "{}", "def f(): raise SystemExit(3)"),
    "an error whose text fails": (
        "f",
        "{}",
        "def f():\n    a = []\n    for _ in range(10**5): a = [a]\n    raise KeyError(a)",
    ),
    "recursion without end": ("f", "{}", "def f(): return f2()\ndef f2(): return f2()"),
    "a codec that was not loaded": ("f", "{}", "def f(): return str('\u00e9'.encode('cp037'))"),
    "a codec that does not exist": ("f", "{}", "def f(): return 'a'.encode('no-such-codec')"),
    "a codec that is no text": ("f", "{}", "def f(): return b'a'.decode('hex')"),
    "a warning": ("f", "{}", "def f():\n    from datetime import datetime\n    return datetime.utcnow().year > 2000"),
    "a set of texts": ("f", "{}", "def f(): return str({'red', 'green', 'blue'})"),
    "an exception's arguments": ("f", "{}", "def f():\n    try: 1/0\n    except Exception as e: return e.args"),
    "too much output": ("f", "{}", "def f(): return 'x' * (2**20 + 1)"),
}


@pytest.fixture(scope="module")
def warm() -> Iterator[Sandbox]:
    """One warm interpreter that all calls share, and no memory of results."""
    with Sandbox(workers=1, limits=Limits(seconds=3), cache_bytes=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def forked() -> Iterator[Sandbox]:
    with Sandbox(workers=1, limits=Limits(seconds=3), warm=False) as sandbox:
        yield sandbox


@pytest.mark.parametrize("what", SAME_ON_BOTH_PATHS)
def test_both_paths_give_the_same_answer_to(what: str, warm: Sandbox, forked: Sandbox) -> None:
    call = Call(*SAME_ON_BOTH_PATHS[what])
    here, there = warm.run([call])[0], forked.run([call])[0]
    assert (here.output, here.status) == (there.output, there.status)


# Attackers that are proven, and what each could have spoiled.

CANARY = """
def canary(x):
    import json, re, datetime, collections, statistics, copy, math, fractions, unicodedata, bisect, itertools
    def deep(n):
        return n if n == 0 else deep(n - 1)
    return [
        x, json.dumps({'a': x}), json.loads('[1, 2.5, null]'), re.sub('a+', 'b', 'caat'), re.split('[,;]', 'a,b;c'),
        str(re.compile('abc', 2)), datetime.datetime.strptime('2020-02-29', '%Y-%m-%d').strftime('%d %b %Y'),
        dict(collections.Counter('aab')), statistics.mean([1, 2, 4]), copy.deepcopy([[x]]), math.floor(2.5),
        str(fractions.Fraction(6, 4)), unicodedata.name('a'), bisect.bisect([1, 3], 2), deep(500), len(str(10 ** 4000)),
        str({'red', 'green', 'blue'}), sorted([3, 1, 2]), '{:>5}|{}'.format(1, 'a'),
        'x'.encode('utf-16').decode('utf-16'),
        [list(g) for _, g in itertools.groupby('aab')], max([1, 2]), round(2.5), str(1e16), 7 // 2,
    ]
"""

CANARY_SAYS = [
    5, '{"a": 5}', [1, 2.5, None], "cbt", ["a", "b", "c"], "re.compile('abc', re.IGNORECASE)", "29 Feb 2020",
    {"a": 2, "b": 1}, 2.3333333333333335, [[5]], 2, "3/2", "LATIN SMALL LETTER A", 1, 0, 4001, None, [1, 2, 3],
    "    1|a", "x", [["a", "a"], ["b"]], 2, 2, "1e+16", 3,
]  # fmt: skip


def assert_the_canary_sings(sandbox: Sandbox) -> None:
    (result,) = sandbox.run([Call("canary", '{"x": 5}', CANARY)])
    assert result.status is CallStatus.OK, result
    said = json.loads(result.output)
    said[16] = None
    assert said == CANARY_SAYS


ATTACKS: dict[str, tuple[str, str, str]] = {
    "flags of a pattern that are equal": (
        "def f():\n import re\n return str(re.compile('abc', 2))",
        "def g():\n import re\n return str(re.compile('abc', 2.0))",
        "an error occured when call g: unsupported operand",
    ),
    "a cache of patterns that is full": (
        "def f():\n import re\n for i in range(2000): re.compile(str(i) + 'x' * 1000)\n return 1",
        "def g():\n import re\n return re.sub('a', 'b', 'a')",
        "b",
    ),
    "names at the top": (
        "json = re = len = 5\ndef f(): return 1",
        "def g():\n import json\n return json.dumps(len([1]))",
        "1",
    ),
    "global names": (
        "def f():\n global json, len, total\n json = len = total = 5\n return total",
        "def g(): return [json.dumps(len([1])), callable(total)]\ntotal = len",
        "an error occured when call g: name 'total' is not defined",
    ),
    "a default that grows": (
        "def f(seen=[]):\n seen.append(1)\n return seen",
        "def g(seen=[]):\n seen.append(1)\n return seen",
        "[1]",
    ),
    "an argument changed": ("def f(x={}):\n x['a'] = 1\n return x", "def g(x={}): return x", "{}"),
    "constants changed": (
        "T = {'a': [1]}\ndef f():\n return 1\nT['a'].append(2)",
        "T = {'a': [1]}\nR = str(T)\ndef g(r=R): return r",
        "{'a': [1]}",
    ),
    "an iterator left half-way": (
        "def f():\n i = iter([1, 2])\n return next(i)",
        "def g(): return next(iter([1, 2]))",
        "1",
    ),
    "strptime's caches": (
        "def f():\n from datetime import datetime\n for i in range(50): datetime.strptime('1' + 'x' * i, '%d' + 'x' * i)\n return 1",  # noqa: E501
        "def g():\n from datetime import datetime\n return str(datetime.strptime('1', '%d').day)",
        "1",
    ),
    "a recursion to the limit": (
        "def f():\n def r(): return r()\n return r()\n",
        "def g(): return len(str(sorted('ba')))",
        "10",
    ),
    "a recursion to the limit in the library": (
        "def f():\n import re, copy, statistics\n def r(n):\n  try:\n   return r(n + 1)\n  except RecursionError:\n"
        "   re.compile('x' * (n % 97) + '(?:a|b)+')\n   return copy.deepcopy([n])\n return r(0)",
        "def g():\n import re, copy\n return [re.sub('(?:a|b)+', 'x', 'abc'), copy.deepcopy([1])]",
        '["xc", [1]]',
    ),
    "memory that is not given back": (
        "def f():\n import re\n for i in range(3): re.compile('x' * 20000 + str(i))\n a = []\n a.append(a)\n"
        " a.append('x' * 10**8)\n return 1",
        "def g(): return len('x' * (3 * 10**8))",
        "300000000",
    ),
    "memory asked for in vain": (
        "def f():\n try:\n  return len('x' * 10**12)\n except Exception: return 'none'",
        "def g(): return len('x' * 10**8)",
        "100000000",
    ),
    "flags that are none of the known": (
        "def f():\n import re\n return len([re.I | n for n in range(2000)])",
        "def g():\n import re\n return str(re.compile('a', re.I | re.M))",
        "re.compile('a', re.IGNORECASE|re.MULTILINE)",
    ),
    "a decoder in the middle of something": (
        "def f():\n import json\n def hook(p):\n  json.loads('{\"a\": 1}')\n  1 / 0\n"
        ' return json.loads(\'{"a": {"b": 1}}\', object_pairs_hook=hook)',
        'def g():\n import json\n return json.loads(\'{"a": {"b": 1}}\')',
        '{"a": {"b": 1}}',
    ),
    "an encoder in the middle of something": (
        "def f():\n import json\n a = [{1}, 2]\n def default(o):\n  a.append(3)\n  return json.dumps(a[1:], default=str)\n"  # noqa: E501
        " return json.dumps(a, default=default)",
        "def g():\n import json\n return json.dumps([1, {'a': None}])",
        '[1, {"a": null}]',
    ),
    "an odd way to print": (
        "def f():\n for end in ('\\ud800', '\\0', 'x' * 10**6): print('a', end=end, flush=True)\n print(1, file=5)",
        "def g():\n print('\\ud83d')\n return 'printed'",
        "printed",
    ),
    "a name that an error holds": (
        "def f():\n raise ValueError([1, {'a': 2}])",
        "def g():\n try: int('x')\n except ValueError as e: return e.args[0]",
        "invalid literal for int() with base 10: 'x'",
    ),
    "a sort that changes its list": (
        "def f():\n a = [3, 2, 1]\n def key(x):\n  a.append(x)\n  return x\n a.sort(key=key)\n return a",
        "def g(): return sorted([3, 1, 2])",
        "[1, 2, 3]",
    ),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_a_later_call_in_the_same_interpreter_is_untouched_by(what: str, warm: Sandbox) -> None:
    attacker, victim, expected = ATTACKS[what]
    assert prove(attacker).functions, prove(attacker).why_not
    assert prove(victim).functions or "total" in victim, prove(victim).why_not
    for _ in range(2):
        # In one batch, and in one after the other.
        together = warm.run([Call("f", "{}", attacker), Call("g", "{}", victim)])[1]
        alone = warm.run([Call("g", "{}", victim)])[0]
        for result in (together, alone):
            assert result.output.startswith(expected), result
        assert_the_canary_sings(warm)


# What the proof would have to let through first is caught while it runs.

REACHES = {
    "a file": "def f():\n try: return open('/etc/passwd').read()\n except RuntimeError: return 'caught'",
    "frames": "def f():\n import sys\n try: return str(sys._getframe(1))[:6]\n except RuntimeError: return 'caught'",
    "code by text": "def f():\n try: return eval('1 + 1')\n except RuntimeError: return 'caught'",
    "a function's code": "def f():\n try: return [g.__code__.co_name for g in [lambda: 0]]\n except RuntimeError: return 'caught'",  # noqa: E501
    "a new module": "def f():\n try:\n  import tarfile\n  return tarfile.__name__\n except RuntimeError: return 'caught'",  # noqa: E501
    "the collector": "def f():\n import gc\n try: return len(gc.get_objects()) > 10\n except RuntimeError: return 'caught'",  # noqa: E501
}


@pytest.mark.parametrize("what", REACHES)
def test_a_tool_wrongly_proven_that_reaches_for_something_is_forked_and_its_interpreter_replaced(
    what: str, forked: Sandbox
) -> None:
    call = Call("f", "{}", REACHES[what])
    with Sandbox(workers=1, cache_bytes=0) as sandbox:
        wrong = Proof(functions=frozenset({"f"}), deterministic=True, wild=False, why_not=None)
        sandbox._proofs._proofs[REACHES[what]] = wrong
        assert_the_canary_sings(sandbox)
        before = set(sandbox.worker_pids())
        results = sandbox.run(
            [Call("one", "{}", "def one(): return 1"), call, Call("two", "{}", "def two(): return 2")]
        )
        assert [results[0].output, results[2].output] == ["1", "2"]
        assert results[1].output == forked.run([call])[0].output != "caught"
        assert len(before - set(sandbox.worker_pids())) == 1  # the warm one
        assert not sandbox._proofs.warm(call)
        assert_the_canary_sings(sandbox)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("def f(): return len('x' * 10**12)", CallStatus.MEMORY),
        ("def f():\n a = []\n while True: a.append(a * 1000)", CallStatus.MEMORY),
        ("def f():\n while True: pass", CallStatus.TIMEOUT),
        ("def f():\n import re\n return re.match('(a+)+$', 'a' * 40 + 'b')", CallStatus.TIMEOUT),
        ("def f():\n x = iter([])\n for _ in range(10**6): x = map(len, x)\n return list(x)", CallStatus.CRASHED),
    ],
)
def test_a_proven_tool_that_takes_too_much_is_blamed_alone_and_only_once_at_the_cost_of_others(
    source: str, status: CallStatus
) -> None:
    assert prove(source).functions
    with Sandbox(workers=1, limits=Limits(seconds=2, memory_bytes=256 * 2**20), cache_bytes=0) as sandbox:
        one = Call("one", "{}", "def one(): return 1")
        results = sandbox.run([one, Call("f", "{}", source), one])
        assert [result.output for result in results[::2]] == ["1", "1"]
        assert results[1].status is status
        assert not sandbox._proofs.warm(Call("f", "{}", source))
        workers = set(sandbox.worker_pids())
        sandbox.run([one])
        workers = set(sandbox.worker_pids())
        assert sandbox.run([one, Call("f", "{}", source), one])[1].status is status
        assert set(sandbox.worker_pids()) == workers


def test_an_interpreter_that_has_kept_much_memory_is_replaced_and_one_that_has_not_is_not() -> None:
    hoarder = "def f(n):\n import re\n for i in range(2): re.compile('x' * 100000 + str(n) + 'y' * i)\n return n"
    with Sandbox(workers=1, limits=Limits(memory_bytes=64 * 2**20), cache_bytes=0) as sandbox:
        one = Call("one", "{}", "def one(): return len('x' * (3 * 10**7))")
        assert sandbox.run([one])[0].output == "30000000"
        workers = sandbox.worker_pids()
        for _ in range(3):
            assert sandbox.run([one])[0].output == "30000000"
        assert sandbox.worker_pids() == workers
        for n in range(60):
            assert sandbox.run([Call("f", f'{{"n": {n}}}', hoarder)])[0].output == str(n)
            if sandbox.worker_pids() != workers:
                break
        assert sandbox.worker_pids() != workers
        assert sandbox.run([one])[0].output == "30000000"


# Nothing on the lists leads anywhere.


def samples() -> Iterator[tuple[str, object]]:
    """Values of every type that a proven tool can get hold of."""
    import collections
    import datetime
    import fractions
    import re

    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    values = [
        1, True, 1.5, 1j, "a", b"a", [1], {1: 2}, {1}, frozenset({1}), (1,), range(3), slice(1), lambda: 0,
        (x for x in [1]), len, "a".upper, [].append, dict.fromkeys, str.join, None, ..., NotImplemented,
        re.match("(?P<n>a)", "a"), re.compile("a"), re.I, re.I | re.M, moment, moment.date(), moment.time(),
        datetime.timedelta(1), datetime.timezone.utc, moment.timetuple(), moment.isocalendar(), datetime.tzinfo(),  # type: ignore[abstract]

        collections.Counter("a"), collections.deque([1]), collections.OrderedDict(a=1), collections.defaultdict(list),
        itertools.count(), itertools.chain([1]), itertools.groupby([1]), fractions.Fraction(1, 2), {}.keys(),
        {}.values(), {}.items(), iter([1]), iter({}), iter(""), iter(set()), enumerate([1]), zip([1]), map(str, [1]),
        filter(None, [1]), reversed([1]), iter(int, 1), UnicodeDecodeError("utf8", b"", 0, 1, "x"),
        json.JSONDecodeError("a", "b", 0), re.error("a"), NameError("a", name="b"), AttributeError("a", name="b"),
    ]  # fmt: skip
    for value in values:
        yield type(value).__name__, value
    for name in BUILTINS:
        yield name, getattr(builtins, name)
    for module, names in MODULES.items():
        for name in (names | ATTRIBUTES) if module != "typing" else ():
            if hasattr(importlib.import_module(module), name):
                yield f"{module}.{name}", getattr(importlib.import_module(module), name)


REMEMBERING = (types.ModuleType, types.FrameType, types.CodeType, types.MappingProxyType, types.TracebackType)


def test_no_attribute_on_the_lists_leads_to_anything_that_remembers_or_reaches_out() -> None:
    waiting = [(name, value, 0) for name, value in samples()]
    of_our_own = {id(value) for _, value, _ in waiting}
    seen: dict[int, object] = {}
    while waiting:
        path, value, depth = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        assert not isinstance(value, REMEMBERING), path
        if id(value) not in of_our_own:
            assert not isinstance(value, (list, dict, set, bytearray)), path
        for attribute in ATTRIBUTES:
            if depth < 4 and hasattr(value, attribute):
                waiting.append((f"{path}.{attribute}", getattr(value, attribute), depth + 1))
    assert len(seen) > 500


# Programs from the lists, at random.

ENDLESS = {"count", "cycle", "repeat", "product", "permutations", "combinations_with_replacement", "factorial", "perm"}
UNSTABLE = {"now", "today", "utcnow"}


class Grammar:
    """Programs that use whatever the lists allow, sensible or not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = ["a", "b", "c", "x"]

    def program(self) -> str:
        lines = ["def f(a, b):", f"    def helper(x, y=1): return {self.expression(2)}"]
        lines += ["    c, x, said = 1, helper, []"]
        for _ in range(self.random.randint(3, 8)):
            lines += ["    try:", *self.statement(2), "        said.append(c)"]
            lines += ["    except Exception as e:", "        said.append(str(e))"]
        return "\n".join([*lines, "    return str(said)"])

    def statement(self, depth: int) -> list[str]:
        pad = "    " * depth

        def inner() -> list[str]:
            return self.statement(depth + 1) if depth < 5 else [f"{'    ' * (depth + 1)}pass"]

        expression = self.expression
        kinds: list[Callable[[], list[str]]] = [
            lambda: [f"{pad}{self.name()} = {expression(3)}"],
            lambda: [f"{pad}{self.name()} {self.pick('+= -= |= &=')} {expression(2)}"],
            lambda: [f"{pad}if {expression(2)}:", *inner(), f"{pad}else:", *inner()],
            lambda: [f"{pad}for {self.name()} in [1, 'a', None][:2]:", *inner()],
            lambda: [f"{pad}try:", *inner(), f"{pad}except Exception as e:", f"{pad}    c = str(e)"],
            lambda: [
                f"{pad}import {(m := self.pick_of(sorted(set(MODULES) - {'typing'})))}",
                f"{pad}c = {self.of_module(m)}",
            ],
            lambda: [f"{pad}def g(x): return {expression(2)}", f"{pad}x = g({expression(1)})"],
            lambda: [f"{pad}print({expression(2)})"],
            lambda: [f"{pad}(c, *x) = {expression(2)}"],
            lambda: [f"{pad}b[{expression(1)}] = {expression(2)}"],
            lambda: [f"{pad}assert {expression(2)}"],
        ]
        return self.random.choice(kinds)()

    def expression(self, depth: int) -> str:
        if depth == 0:
            return self.random.choice(
                [self.name(), "1", "2", "0.5", "'ab'", "''", "None", "True", "b'a'", "[]", "[1, 2]", "{}"]
            )

        def e() -> str:
            return self.expression(depth - 1)

        kinds: list[Callable[[], str]] = [
            e,
            lambda: f"{self.pick_of(sorted(BUILTINS - {'print', 'id'}))}({e()})",
            lambda: f"{self.pick('str len sorted list sum max min repr tuple set dict')}({e()})",
            lambda: f"({e()}).{self.pick_of(sorted(METHODS - ENDLESS))}",
            lambda: f"({e()}).{self.pick_of(sorted(METHODS - ENDLESS))}({e()})",
            lambda: f"({e()}).{self.pick_of(sorted(METHODS - ENDLESS))}()",
            lambda: f"({e()} {self.pick('+ - / // % | & ^')} {e()})",
            lambda: f"({e()} {self.pick('== != < <= > >= in')} {e()})",
            lambda: f"({e()} is None)",
            lambda: f"({e()} if {e()} else {e()})",
            lambda: f"[{e()} for x in {e()}]",
            lambda: f"{{{e()}: {e()} for x in {e()}}}",
            lambda: f"list(x for x in {e()} if {e()})",
            lambda: f"(lambda x: {e()})({e()})",
            lambda: f"({e()})[{e()}]",
            lambda: f"({e()})[{e()}:]",
            lambda: f"f'{{{e().replace(chr(39), chr(34))}!r}}'",
            lambda: f"'{{}}-{{:>5}}'.format({e()}, {e()})",
            lambda: f"'%s' % ({e()},)",
            lambda: f"(c := {e()})",
        ]
        return self.random.choice(kinds)()

    def of_module(self, module: str) -> str:
        name = self.pick_of(sorted(MODULES[module] - ENDLESS))
        arguments = ", ".join(self.expression(1) for _ in range(self.random.randint(0, 3)))
        return self.random.choice(
            [f"{module}.{name}", f"{module}.{name}({arguments})", f"list({module}.{name}({arguments}))"]
        )

    def name(self) -> str:
        return self.random.choice(self.names)

    def pick(self, words: str) -> str:
        return self.random.choice(words.split())

    def pick_of(self, words: list[str]) -> str:
        return self.random.choice(words)


def programs(count: int, seed: int) -> list[Call]:
    """Proven ones only: what the grammar makes and the proof refuses, such as two formats in one, is left out."""
    found: list[Call] = []
    for number in itertools.count(seed * 1_000_000):
        source = Grammar(number).program()
        if prove(source).functions:
            found.append(Call("f", '{"a": {"k": [1, "z"]}, "b": [3, 4.5, "w"]}', source))
        if len(found) == count:
            return found
    raise AssertionError


def comparable(result: CallResult) -> tuple[CallStatus, object]:
    if " at 0x" in result.output or result.status in (CallStatus.TIMEOUT, CallStatus.MEMORY):
        return CallStatus.OK, "an address, or too much"
    return result.status, sorted(result.output)  # a set that holds None has no order before Python 3.12


@pytest.mark.parametrize("seed", [1, 2])
def test_programs_at_random_do_the_same_on_both_paths_and_nothing_to_a_canary(
    seed: int, warm: Sandbox, forked: Sandbox
) -> None:
    calls = programs(256, seed)
    here: list[CallResult] = []
    for start in range(0, len(calls), 32):
        here += warm.run(calls[start : start + 32])
        assert_the_canary_sings(warm)
    there = list(forked.stream(calls))
    for call, one, other in zip(calls, here, there, strict=True):
        assert comparable(one) == comparable(other), call.source
    assert sum(result.status is CallStatus.OK for result in here) > 0.5 * len(here)


def test_programs_at_random_say_the_same_after_others_have_run(warm: Sandbox) -> None:
    calls = programs(300, seed=3)
    first = [comparable(result) for result in warm.stream(calls)]
    random.Random(1).shuffle(order := list(range(len(calls))))
    again = [comparable(result) for result in warm.stream([calls[index] for index in order])]
    assert again == [first[index] for index in order]
