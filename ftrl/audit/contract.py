"""Tools whose document and code do not say the same."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.audit.findings import Finding, Severity
from ftrl.audit.subject import Purpose, Subject
from ftrl.environments.schema import Json
from ftrl.sandbox import CallStatus

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple, set),
    "object": (dict,),
}
"""JSON type → what a default of that type is in Python."""


def missing_code(subject: Subject) -> Iterator[Finding]:
    """A tool has a document but no code that defines it; or a gold belongs to a tool that does not exist."""
    for tool in dict.fromkeys([*subject.documents, *(gold.tool for gold in subject.golds)]):
        if tool not in subject.documents:
            why = "a gold belongs to it, but it has no document"
        elif tool not in subject.sources:
            why = "it has a document but no code"
        elif subject.code[tool].fault is not None:
            why = str(subject.code[tool].fault)
        else:
            continue
        severity = Severity.SEVERE if tool in subject.gold_tools else Severity.HIGH
        yield Finding(probe="missing_code", severity=severity, tool=tool, evidence=why)


def unused_code(subject: Subject) -> Iterator[Finding]:
    """There is code that no document describes: no model will ever call it."""
    for tool in subject.sources:
        if tool not in subject.documents:
            yield Finding(
                probe="unused_code", severity=Severity.LOW, tool=tool, evidence="there is code but no document"
            )


def undocumented(subject: Subject) -> Iterator[Finding]:
    """A document lacks a description or a type of the tool or of a parameter."""
    for tool, document in subject.documents.items():
        lacking = [] if str(document["function"].get("description", "")).strip() else ["the tool has no description"]
        for name, schema in subject.parameters[tool].schemas.items():
            missing = [word for word in ("description", "type") if not schema.get(word)]
            typed_otherwise = {"enum", "anyOf", "oneOf", "$ref"} & set(schema)
            if missing and not (missing == ["type"] and typed_otherwise):
                lacking.append(f"{name} has no {' and no '.join(missing)}")
        if lacking:
            yield Finding(probe="undocumented", severity=Severity.INFO, tool=tool, evidence="; ".join(lacking))


def signature_differs(subject: Subject) -> Iterator[Finding]:
    """Names, or what is required, differ between document and code: a call that keeps to the document fails."""
    for tool, source in subject.code.items():
        signature = source.signature
        if signature is None or tool not in subject.documents:
            continue
        parameters = subject.parameters[tool]
        by_name = {name for name in signature.defaults if name not in signature.by_position_only}
        refused = [] if signature.any_name else [name for name in parameters.schemas if name not in by_name]
        needed = [name for name, default in signature.defaults.items() if default is None]
        unsaid = [name for name in needed if name not in parameters.schemas]
        optional = [name for name in needed if name in parameters.schemas and name not in parameters.required]
        broken = [name for name in refused if name in parameters.required] + unsaid
        told = [
            *(f"the code takes no '{name}'" for name in refused),
            *(f"the code needs '{name}', which the document does not name" for name in unsaid),
            *(f"the code needs '{name}', which the document calls optional" for name in optional),
        ]
        if told:
            # Broken for every call that keeps to the document, or only for some.
            gold = tool in subject.gold_tools
            severity = Severity.SEVERE if broken and gold else Severity.HIGH if gold else Severity.LOW
            yield Finding(probe="signature_differs", severity=severity, tool=tool, evidence="; ".join(told))


def document_differs(subject: Subject) -> Iterator[Finding]:
    """Smaller differences between document and code: what is optional, defaults, types, hidden parameters."""
    for tool, source in subject.code.items():
        signature = source.signature
        if signature is None or tool not in subject.documents:
            continue
        told = []
        schemas = subject.parameters[tool].schemas
        for name, default in signature.defaults.items():
            if name not in schemas:
                told += [] if default is None else [f"the document does not name '{name}'"]
                continue
            schema = schemas[name]
            if default is not None and name in subject.parameters[tool].required:
                told.append(f"'{name}' is required in the document, but the code has a default")
            if name in signature.values:
                told += _default(name, schema, signature.values[name])
        if told:
            yield Finding(probe="document_differs", severity=Severity.INFO, tool=tool, evidence="; ".join(told))


def invisible_name(subject: Subject) -> Iterator[Finding]:
    """The code uses a name that nothing defines where tools run: an import or a helper at the top of the source.

    Tools run as published: only what is defined inside the function can be seen from there.
    """
    for tool, source in subject.code.items():
        if not source.invisible_names or tool not in subject.documents:
            continue
        met = [
            trial
            for trial in subject.trials_of(tool)
            if trial.result.status is CallStatus.TOOL_ERROR and "is not defined" in trial.result.output
        ]
        asked = list(subject.trials_of(tool, Purpose.NONSENSE, Purpose.GOLDEN, Purpose.CHOICES))
        always = bool(asked) and all(trial in met for trial in asked)
        gold = tool in subject.gold_tools
        severity = Severity.HIGH if gold and always else Severity.LOW
        where = "in every call that was made" if always else f"in {len(met)} of {len(asked)} calls"
        names = ", ".join(source.invisible_names)
        yield Finding(probe="invisible_name", severity=severity, tool=tool, evidence=f"{names}; NameError {where}")


def host_name(subject: Subject) -> Iterator[Finding]:
    """The code uses, without importing it, a name that the published host happens to have; elsewhere it breaks."""
    for tool, source in subject.code.items():
        if source.host_names and tool in subject.documents:
            names = ", ".join(source.host_names)
            yield Finding(probe="host_name", severity=Severity.INFO, tool=tool, evidence=f"uses {names}")


def _default(name: str, schema: dict[str, Json], value: object) -> Iterator[str]:
    if "default" in schema and schema["default"] != value and not (value is None and schema["default"] in ("", [], {})):
        yield f"the default of '{name}' is {schema['default']!r} in the document and {value!r} in the code"
    kinds = PYTHON_TYPES.get(str(schema.get("type")))
    if kinds is None or value is None:
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        yield f"'{name}' is a {schema['type']} in the document, but its default is {value!r}"
