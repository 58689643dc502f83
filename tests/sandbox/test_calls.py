"""What a call returns: the published code's behaviour, point by point."""

from __future__ import annotations

import pytest

from ftrl.sandbox import Call, CallResult, CallStatus, Limits, Sandbox


def answer(sandbox: Sandbox, source: str | None, arguments: str = "{}", name: str = "f") -> CallResult:
    return sandbox.run([Call(name, arguments, source)])[0]


def test_a_string_result_comes_as_it_is(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return 'a, \"b\"\\n\u00e9'").output == 'a, "b"\n\u00e9'


def test_dictionaries_and_lists_come_as_json_with_non_ascii_kept(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return {'k': ['\u00e9', 1.0, None]}").output == '{"k": ["\u00e9", 1.0, null]}'
    assert answer(sandbox, "def f(): return [1, True]").output == "[1, true]"


def test_any_other_result_comes_as_its_text(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return (1, 'a')").output == "(1, 'a')"
    assert answer(sandbox, "def f(): return None").output == "None"


def test_arguments_are_parsed_before_the_tool_is_looked_up(sandbox: Sandbox) -> None:
    bad = answer(sandbox, None, '{"q": "x"', "no_such_tool")
    assert bad.output == ("an error occured when call no_such_tool: Expecting ',' delimiter: line 1 column 10 (char 9)")
    assert bad.status is CallStatus.TOOL_ERROR
    missing = answer(sandbox, None, "{}", "no_such_tool")
    assert missing.output == "an error occured when call no_such_tool: 'no_such_tool'"
    assert missing.status is CallStatus.TOOL_ERROR


def test_what_a_tool_raises_is_its_answer_even_if_it_would_end_a_process(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return 1 / 0").output == "an error occured when call f: division by zero"
    left = answer(sandbox, "def f():\n import sys\n sys.exit('bye')")
    assert (left.output, left.status) == ("an error occured when call f: bye", CallStatus.TOOL_ERROR)
    broken = answer(sandbox, "def f(:")
    assert broken.output.startswith("an error occured when call f: ")
    assert broken.output.endswith("(<string>, line 1)")
    assert broken.status is CallStatus.TOOL_ERROR


def test_a_result_that_cannot_be_written_is_an_error(sandbox: Sandbox) -> None:
    result = answer(sandbox, "def f(): return {'a': {1}}")
    assert result.output == "an error occured when call f: Object of type set is not JSON serializable"
    assert result.status is CallStatus.TOOL_ERROR


def test_an_argument_list_is_refused_without_a_module_name_in_the_text(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(a): return a", "[1]").output == (
        "an error occured when call f: f() argument after ** must be a mapping, not list"
    )


def test_names_at_the_top_of_the_source_are_not_seen_inside_the_tool(sandbox: Sandbox) -> None:
    result = answer(sandbox, "import re\ndef f(): return re.escape('a')")
    assert result.output == "an error occured when call f: name 're' is not defined"


def test_the_tool_is_looked_up_as_an_expression_would_be(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def g(): pass", name="f").output == (
        "an error occured when call f: name 'f' is not defined"
    )
    assert answer(sandbox, "g = 1", name="len", arguments="{}").output == (
        "an error occured when call len: len() takes exactly one argument (0 given)"
    )


def test_example_code_at_the_top_runs_and_what_it_prints_goes_nowhere(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return 'real'\nprint(f())\nprint('noise')").output == "real"
    assert answer(sandbox, "def f(): return 'real'\nif __name__ == '__main__': 1 / 0").output == "real"


def test_the_published_hosts_imports_are_seen_exactly_when_asked_for() -> None:
    source = "def f(): return [json.dumps(1), sha256(b'').hexdigest()[:4], deepcopy([2]), sleep(0)]"
    with Sandbox(workers=1) as legacy, Sandbox(workers=1, legacy_namespace=False) as bare:
        assert answer(legacy, source).output == '["1", "e3b0", [2], null]'
        assert answer(bare, source).output == "an error occured when call f: name 'json' is not defined"
        scorer = answer(legacy, "def f(): return answer_verify('a', 'a')")
        assert scorer.output == "an error occured when call f: name 'answer_verify' is not defined"


def test_a_library_of_the_published_host_that_is_not_here_says_so_when_used(sandbox: Sandbox) -> None:
    result = answer(sandbox, "def f(): return requests.get('http://localhost')")
    assert result.output == (
        "an error occured when call f: requests is not available to tools: the sandbox has no network"
    )


def test_sets_come_in_the_same_order_in_every_worker() -> None:
    source = "def f(): return str({'red', 'green', 'blue', 'black', 'white'})"
    with Sandbox(workers=1) as first, Sandbox(workers=1) as second:
        assert answer(first, source).output == answer(second, source).output


def test_half_a_surrogate_pair_becomes_its_escape(sandbox: Sandbox) -> None:
    result = answer(sandbox, "def f(x): return x + '\\ud800'", '{"x": "\\ud83d"}')
    assert result.output == "\\ud83d\\ud800"


def test_a_time_out_tells_the_limit_and_nothing_of_the_source() -> None:
    with Sandbox(workers=1, limits=Limits(seconds=0.3)) as hasty:
        result = answer(hasty, "def f():\n gold = 'Jumbo Rocks'\n while True: pass")
    assert result.output == "an error occured when call f: it ran longer than 0.3 s"
    assert result.status is CallStatus.TIMEOUT
    assert 0.3 <= result.seconds < 5


def test_a_call_that_blocks_inside_c_is_gone_at_the_limit() -> None:
    with Sandbox(workers=1, limits=Limits(seconds=0.5)) as hasty:
        result = answer(hasty, "def f(): return str(3 ** 60000000)[:3]")
    assert result.status is CallStatus.TIMEOUT
    assert result.seconds < 5


def test_memory_beyond_the_limit_is_told_apart_from_other_errors() -> None:
    with Sandbox(workers=1, limits=Limits(memory_bytes=64 * 2**20)) as small:
        result = answer(small, "def f(): return len('x' * 10**9)")
        assert result.output == "an error occured when call f: it used more than 64 MiB of memory"
        assert result.status is CallStatus.MEMORY
        assert answer(small, "def f(): return len('x' * 10**7)").output == "10000000"


def test_an_output_beyond_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    with Sandbox(workers=1, limits=Limits(output_bytes=1000)) as terse:
        refused = answer(terse, "def f(): return '\u00e9' * 501")
        assert refused.output == "an error occured when call f: its output is longer than 1000 bytes"
        assert refused.status is CallStatus.OUTPUT_LIMIT
        assert answer(terse, "def f(): return '\u00e9' * 500").output == "\u00e9" * 500


def test_a_long_output_arrives_whole(sandbox: Sandbox) -> None:
    assert answer(sandbox, "def f(): return 'ab' * 500000").output == "ab" * 500_000


def test_a_process_that_ends_without_an_answer_has_crashed(sandbox: Sandbox) -> None:
    exited = answer(sandbox, "def f():\n import os\n os._exit(0)")
    assert (exited.output, exited.status) == (
        "an error occured when call f: its process ended without an answer",
        CallStatus.CRASHED,
    )
    faulted = answer(sandbox, "def f():\n import ctypes\n ctypes.string_at(0)")
    assert (faulted.output, faulted.status) == (
        "an error occured when call f: its process was ended by SIGSEGV",
        CallStatus.CRASHED,
    )


@pytest.mark.parametrize("field", ["seconds", "memory_bytes", "output_bytes"])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Limits(**{field: 0})


def test_a_source_that_was_prepared_is_not_looked_into_again_and_did_not_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def count(x: int) -> int:\n    return x + 4711"
    sandbox.prepare([source, "raise SystemExit", "def ("])
    monkeypatch.setattr("ftrl.sandbox.results.prove", None)
    assert sandbox.run([Call("count", '{"x": 1}', source)])[0].output == "4712"


def test_what_was_prepared_need_not_wait_for_a_warm_worker() -> None:
    source = "def f(): return 1"
    with Sandbox(workers=1) as sandbox:
        sandbox.prepare([source])
        ready = sandbox.worker_pids()
        assert len(ready) == 2  # one that forks, and one that is warm
        assert sandbox.run([Call("f", "{}", source)])[0].output == "1"
        assert sandbox.worker_pids() == ready
