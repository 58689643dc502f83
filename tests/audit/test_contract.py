"""Tools whose document and code do not say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftrl.audit import Auditor, Finding, Severity

Found = Callable[..., list[Finding]]

BODY = "\n    return {'Lyon': '522,250'}[city]"
CITY = {"city": {"type": "string", "description": "The city."}}


def documented(**schemas: dict[str, Any]) -> dict[str, Any]:
    return {**CITY, **{name: {"type": "string", "description": "!", **schema} for name, schema in schemas.items()}}


def test_a_tool_without_code_is_severe_where_a_gold_needs_it(found: Found) -> None:
    (finding,) = found("missing_code", None)
    assert (finding.severity, finding.evidence) == (Severity.SEVERE, "it has a document but no code")
    (finding,) = found("missing_code", others={"other": "def another(city): return 'x'"})
    assert (finding.tool, finding.severity) == ("other", Severity.HIGH)
    assert not found("missing_code")


def test_code_that_does_not_compile_defines_nothing(found: Found) -> None:
    (finding,) = found("missing_code", "def people(city) return")
    assert "does not compile" in finding.evidence


def test_a_tool_may_be_defined_in_another_way_than_by_a_function_at_the_top(found: Found) -> None:
    assert not found("missing_code", "people = lambda city: {'Lyon': '522,250'}[city]")
    assert not found("missing_code", f"if True:\n  def people(city):{BODY}")


def test_a_gold_of_a_tool_that_does_not_exist_is_severe(auditor: Auditor, make_task: Callable[..., Any]) -> None:
    environment, sources = make_task()
    gold = environment.golds[0].model_copy(update={"tool": "nobody"})
    audited = auditor.audit(environment.model_copy(update={"golds": (*environment.golds, gold)}), sources)
    (finding,) = [one for one in audited.findings if one.probe == "missing_code"]
    assert (finding.tool, finding.severity) == ("nobody", Severity.SEVERE)


def test_code_that_no_document_describes_is_unused(auditor: Auditor, make_task: Callable[..., Any]) -> None:
    environment, sources = make_task()
    audited = auditor.audit(environment, {**sources, "secret": "def secret(): return 'x'"})
    assert [one.tool for one in audited.findings if one.probe == "unused_code"] == ["secret"]


@pytest.mark.parametrize(
    ("signature", "parameters", "required", "severity", "told"),
    [
        ("town", CITY, ["city"], Severity.SEVERE, "takes no 'city'"),
        ("city, country", CITY, ["city"], Severity.SEVERE, "needs 'country', which the document does not name"),
        ("city, /", CITY, ["city"], Severity.SEVERE, "takes no 'city'"),
        ("city, kind", documented(kind={}), ["city"], Severity.HIGH, "needs 'kind', which the document calls optional"),
        ("city", documented(kind={}), ["city"], Severity.HIGH, "takes no 'kind'"),
    ],
)
def test_a_call_as_documented_that_fails_is_found(
    found: Found, signature: str, parameters: dict[str, Any], required: list[str], severity: Severity, told: str
) -> None:
    source = f"def people({signature}):\n    return 'x'"
    (finding,) = found("signature_differs", source, parameters=parameters, required=required)
    assert finding.severity is severity
    assert told in finding.evidence


@pytest.mark.parametrize("signature", ["city", "city, *rest", "city, **rest", "*, city", "city='Lyon', other=1"])
def test_a_code_that_takes_what_is_documented_is_not_blamed(found: Found, signature: str) -> None:
    assert not found("signature_differs", f"def people({signature}):{BODY}")


@pytest.mark.parametrize(
    ("signature", "schema", "told"),
    [
        ("kind='all'", {"default": "some"}, "the default of 'kind' is 'some' in the document and 'all' in the code"),
        ("kind=7", {}, "'kind' is a string in the document, but its default is 7"),
        ("kind=True", {"type": "integer"}, "'kind' is a integer in the document, but its default is True"),
        ("kind='all', hidden=1", {}, "the document does not name 'hidden'"),
    ],
)
def test_smaller_differences_are_info(found: Found, signature: str, schema: dict[str, Any], told: str) -> None:
    source = f"def people(city, {signature}):{BODY}"
    (finding,) = found("document_differs", source, parameters=documented(kind=schema), required=["city"])
    assert (finding.severity, finding.evidence) == (Severity.INFO, told)


def test_a_default_for_what_the_document_requires_is_info(found: Found) -> None:
    (finding,) = found("document_differs", f"def people(city='Lyon'):{BODY}")
    assert "has a default" in finding.evidence


@pytest.mark.parametrize("signature", ["kind=None", "kind='all'", "kind=str()"])
def test_defaults_that_agree_are_not_blamed(found: Found, signature: str) -> None:
    schema = {} if signature != "kind='all'" else {"default": "all"}
    source = f"def people(city, {signature}):{BODY}"
    assert not found("document_differs", source, parameters=documented(kind=schema), required=["city"])


def test_an_import_at_the_top_can_not_be_seen_where_tools_run(found: Found) -> None:
    source = "import re\ndef people(city):\n    return re.sub('x', 'y', city)"
    (finding,) = found("invisible_name", source)
    assert (finding.severity, finding.evidence) == (Severity.HIGH, "re; NameError in every call that was made")
    seldom = "import re\ndef people(city):\n    return re.sub('x', 'y', city) if city == '12345' else 'unknown'"
    (finding,) = found("invisible_name", seldom)
    assert (finding.severity, finding.evidence) == (Severity.LOW, "re; NameError in 1 of 6 calls")


@pytest.mark.parametrize(
    "statement",
    [
        "import re; re.sub('x', 'y', city)",
        "helper = lambda text: text; helper(city)",
        "[name for name in city]",
        "global known; known = 1; known",
        "try: pass\n    except ValueError as error: error",
        "sum(len(part) for part in city.split())",
    ],
)
def test_names_that_are_defined_inside_are_visible(found: Found, statement: str) -> None:
    assert not found("invisible_name", f"def people(city):\n    {statement}{BODY}")


def test_names_of_the_published_host_are_told(found: Found) -> None:
    source = f"def people(city):\n    json.dumps(deepcopy(city)){BODY}"
    (finding,) = found("host_name", source)
    assert (finding.severity, finding.evidence) == (Severity.INFO, "uses deepcopy, json")
    assert not found("invisible_name", source)
    assert not found("host_name", f"def people(city):\n    import json; json.dumps(city){BODY}")


def test_what_a_document_leaves_unsaid_is_info(found: Found) -> None:
    (finding,) = found("undocumented", parameters={"city": {}})
    assert (finding.severity, finding.evidence) == (Severity.INFO, "city has no description and no type")
    listed = {"city": {"description": "The city.", "enum": ["Lyon"]}}
    assert not found("undocumented", parameters=listed)
