"""Parameters that no question asks for, and which of them make sense for a tool (parameter expansion).

Each does what it says: ``code`` implements it, verification tries its values. Left out, or at its default, it changes
nothing. An option has several names, so that it is not known by one; ``Parameter.option`` says which it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from random import Random

from ftrl.synthesis.tables.document import PIECES_NAMES, UNIT_NAMES, pieces_parameter, unit_parameter
from ftrl.synthesis.tables.facts import Clock, Date, Kind, Moment, Quantity, Rows, Take, Text
from ftrl.synthesis.tables.queries import LISTED
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import Form, Parameter, Role, ToolDocument


def _flag(option: str, text: str) -> Parameter:
    return Parameter(option, "boolean", text, False, (), False, option=option)


def _choice(option: str, text: str, *values: str) -> Parameter:
    return Parameter(option, "string", text, False, values, values[0], option=option)


def _number(option: str, text: str, default: int) -> Parameter:
    return Parameter(option, "integer", text, False, (), default, option=option)


# What the subject may be written like.
IGNORE_CASE = _flag("ignore_case", "Whether upper and lower case count as the same in the name.")
IGNORE_SPACING = _flag("ignore_spacing", "Whether several spaces in a row count as one in the name.")
BEGINNING = _flag(
    "allow_beginning", "Whether the first four letters or more will do, where only one name begins with them."
)
MISSING = _choice(
    "on_missing", "What to do about a name that is not known: fail, or return nothing.", "fail", "nothing"
)

# What is returned beside the answer.
DETAIL = _choice(
    "detail", "How much to return: only the value, or a record that also says what it is.", "value", "record"
)
SOURCE = _flag("include_source", "Whether to say which register the answer comes from.")
SIZE = _flag("include_size", "Whether to say how many names the register holds.")
COUNT = _flag("include_count", "Whether to say of how many entries the answer is made.")
WEEKDAY = _flag("include_weekday", "Whether to say which day of the week the date is.")
OFFSET = _flag("include_offset", "Whether to say how many minutes the clocks are ahead of universal time.")

# How the answer is written.
ROUND_TO = _number("round_to", "Round the number to a multiple of this; 1 leaves it exact.", 1)
NUMBER_FORMAT = _choice(
    "number_format",
    "Whether the result is a number, or a text with a space after every three digits.",
    "number",
    "spaced",
)
WITH_UNIT = _flag("with_unit", "Whether the unit is written behind the number.")
AS_TEXT = _flag("as_text", "Whether the number is returned as a text.")
NAME_ORDER = _choice(
    "name_order", "Which part of a person's name comes first in the result.", "given_first", "family_first"
)
NAME_PART = _choice("name_part", "Which part of a person's name to return.", "full", "given", "family")
INITIAL = _flag("shorten_given_name", "Whether the given name is cut to its first letter.")
LETTER_CASE = _choice("letter_case", "Whether the letters of the result are changed.", "as_written", "upper", "lower")
MAX_LENGTH = _number("max_length", "The most characters of the result; what is longer is cut.", 100)
WITH_KIND = _flag("with_kind", "Whether what it is, such as town or book, is written before the name.")
DATE_ORDER = _choice(
    "date_order",
    "How a date is written in the result: YYYY-MM-DD or DD-MM-YYYY.",
    "year_first",
    "day_first",
)
SEPARATOR = _choice("date_separator", "What stands between the parts of a date.", "-", "/", ".")
PRECISION = _choice("precision", "How much of a date to return.", "day", "month", "year")
TWELVE_HOURS = _flag("twelve_hour_clock", "Whether the time is told by twelve hours, with am or pm.")
TIME_SEPARATOR = _choice("time_separator", "What stands between hours and minutes.", ":", ".")

# Which rows count.
INCLUSIVE = _flag("inclusive", "Whether what is just at the bound counts, too.")
OTHER_END = Parameter("other_end", "number", "", False, option="other_end")
EXCLUDE = Parameter("exclude", "array", "Entries to pass over, by name.", False, default=(), option="exclude")
SORTED = _choice("sort_order", "How the list is sorted, by the figure.", "ascending", "descending")
LIMIT = _number("limit", "The most entries to return.", LISTED)
RANK = _number("rank", "Which of them to return, counted from the one that comes first.", 1)
BOTH_DAYS = _flag("count_both_days", "Whether the first and the last day are both counted.")
SIGNED = _flag("signed", "Whether the number is negative if the second date is the earlier one.")

NAMES = {
    "ignore_case": ("ignore_case", "any_case", "case_insensitive"),
    "ignore_spacing": ("ignore_spacing", "collapse_spaces", "any_spacing"),
    "allow_beginning": ("allow_beginning", "allow_prefix", "prefix_ok"),
    "on_missing": ("on_missing", "if_unknown", "when_missing"),
    "detail": ("detail", "verbosity", "response_detail"),
    "include_source": ("include_source", "with_source", "cite_register"),
    "include_size": ("include_size", "with_register_size", "report_size"),
    "include_count": ("include_count", "with_count", "count_entries"),
    "include_weekday": ("include_weekday", "with_weekday", "day_of_week"),
    "include_offset": ("include_offset", "with_offset", "show_offset"),
    "unit": UNIT_NAMES,
    "pieces": PIECES_NAMES,
    "round_to": ("round_to", "rounding", "nearest"),
    "number_format": ("number_format", "digits_as", "grouping"),
    "with_unit": ("with_unit", "append_unit", "show_unit"),
    "as_text": ("as_text", "stringify", "return_text"),
    "name_order": ("name_order", "order_of_names", "name_style"),
    "name_part": ("name_part", "part_of_name", "which_name"),
    "shorten_given_name": ("shorten_given_name", "use_initial", "initial_only"),
    "letter_case": ("letter_case", "capitals", "text_case"),
    "max_length": ("max_length", "cut_after", "max_characters"),
    "with_kind": ("with_kind", "prefix_kind", "say_kind"),
    "date_order": ("date_order", "date_style", "order_of_date"),
    "date_separator": ("date_separator", "date_sign", "separator"),
    "precision": ("precision", "date_precision", "granularity"),
    "twelve_hour_clock": ("twelve_hour_clock", "am_pm", "use_am_pm"),
    "time_separator": ("time_separator", "clock_separator", "time_sign"),
    "inclusive": ("inclusive", "include_bound", "bound_counts"),
    "exclude": ("exclude", "leave_out", "except_for"),
    "sort_order": ("sort_order", "sorting", "direction"),
    "limit": ("limit", "at_most", "max_entries"),
    "rank": ("rank", "position", "which_place"),
    "count_both_days": ("count_both_days", "inclusive_count", "both_ends"),
    "signed": ("signed", "keep_sign", "with_sign"),
}
"""What an option may be called; the first is its own name."""

HARMLESS = (IGNORE_CASE, DETAIL)
"""What the answer does not hang on, whatever is chosen: these may have to be given."""

SHORT = (IGNORE_CASE, DETAIL, ROUND_TO, NAME_ORDER)
"""What code of one shape knows, under these names."""


def expanded(tool: ToolDocument, style: Style, rng: Random) -> ToolDocument:
    """Parameter expansion: the tool with more parameters, some of them to be given."""
    if tool.relation.query is not None and tool.relation.query.take is Take.DAYS and not style.shapes:
        return tool
    possible = [option for option in _possible(tool) if style.shapes or option in SHORT]
    most = min(style.expansions, len(possible))
    count = rng.randint(most // 4, most)
    chosen = rng.sample(range(len(possible)), count)
    added = [option for at, option in enumerate(possible) if at in chosen]
    if style.required:
        added = [
            replace(option, required=True, default=None)
            if option in HARMLESS and rng.random() < style.required
            else option
            for option in added
        ]
    if style.shapes:
        added = list(_called(added, {parameter.name for parameter in tool.parameters}, rng))
    return tool.with_parameters(tuple(added))


def _called(options: list[Parameter], taken: Collection[str], rng: Random) -> Iterator[Parameter]:
    """The options, each under one of its names that is free; left out where none is."""
    used = set(taken)
    for option in options:
        free = [name for name in NAMES.get(option.option, (option.name,)) if name not in used]
        if free:
            name = rng.choice(free)
            used.add(name)
            yield replace(option, name=name)


def _possible(tool: ToolDocument) -> list[Parameter]:
    query = tool.relation.query
    if query is not None and query.take is Take.DAYS:
        return [BOTH_DAYS, SIGNED, ROUND_TO, NUMBER_FORMAT, WITH_UNIT, AS_TEXT]
    answers = [relation.object for relation in tool.relations]
    possible = [*_of_subject(tool), DETAIL, SOURCE, SIZE]
    if query is not None and query.rows is not None:
        possible += _of_rows(tool, query.rows, query.take)
    lists = query is not None and query.take.lists
    if len(answers) > 1:
        possible.append(AS_TEXT)
    elif not lists and tool.parameter(Role.STATISTIC) is None:
        possible += _of_answer(tool, answers[0])
    if query is not None and query.take is Take.TIME:
        possible.append(OFFSET)
    return possible


def _of_subject(tool: ToolDocument) -> list[Parameter]:
    subject, kind = tool.parameter(Role.SUBJECT), tool.relation.subject
    assert subject is not None
    if kind.numbered or kind.keys or subject.form is Form.LIST:
        return [MISSING]
    return [IGNORE_CASE, IGNORE_SPACING, BEGINNING, MISSING] if subject.form is Form.PLAIN else [MISSING]


def _of_rows(tool: ToolDocument, rows: Rows, take: Take) -> list[Parameter]:
    bound = tool.parameter(Role.BOUND)
    assert bound is not None
    of_rows = [COUNT]
    if bound.form is Form.PLAIN:
        of_rows += [INCLUSIVE, _other_end(bound, rows, take)]
    if rows.label is not None and not (isinstance(rows.label, Kind) and rows.label.numbered):
        of_rows.append(replace(EXCLUDE, description=f"{rows.plural.capitalize()} to pass over, as they are called."))
    if take.lists:
        return [*of_rows, SORTED, LIMIT]
    return of_rows if take is Take.TOTAL else [*of_rows, RANK]


def _other_end(bound: Parameter, rows: Rows, take: Take) -> Parameter:
    """The bound on the other side, which may be left out."""
    side = "above" if take is Take.LAST else "below"
    if not isinstance(rows.value, Quantity):
        side = "after" if take is Take.LAST else "before"
    written = {Date: ", written YYYY-MM-DD", Clock: ", written HH:MM"}.get(type(rows.value), "")
    text = f"Only {rows.plural} with a {rows.measure} {side} this, too{written}."
    return replace(OTHER_END, name=f"also_{side}", type=bound.type, description=text)


def _of_answer(tool: ToolDocument, answer: object) -> list[Parameter]:
    if isinstance(answer, Quantity):
        return _of_quantity(tool, answer)
    if isinstance(answer, Kind):
        return _of_kind(answer)
    of_value = {
        Date: [DATE_ORDER, SEPARATOR, PRECISION, WEEKDAY],
        Clock: [TWELVE_HOURS, TIME_SEPARATOR],
        Moment: [TWELVE_HOURS, TIME_SEPARATOR],
        Text: [LETTER_CASE, MAX_LENGTH],
    }
    return of_value[type(answer)]


def _of_quantity(tool: ToolDocument, answer: Quantity) -> list[Parameter]:
    options = [AS_TEXT, WITH_UNIT] if answer.unit else [AS_TEXT]
    if not answer.whole:
        return options
    options = [ROUND_TO, NUMBER_FORMAT, *options]
    if tool.relation.query is None and answer.units and not tool.parameter(Role.UNIT):
        options.append(unit_parameter(answer))
    if tool.relation.query is None and answer.each and not tool.parameter(Role.PIECES):
        options.append(pieces_parameter(tool.relation))
    return options


def _of_kind(answer: Kind) -> list[Parameter]:
    if answer.numbered:
        return [AS_TEXT]
    if answer.person:
        return [*([NAME_ORDER, NAME_PART, INITIAL] if answer.words == 2 else []), LETTER_CASE, MAX_LENGTH]
    return [WITH_KIND, LETTER_CASE, MAX_LENGTH]
