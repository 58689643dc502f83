"""A model that knows its trade, behind a real HTTP server that speaks OpenAI's protocol; and every way to fail.

It reads the prompts like any other model: stage by stage, it writes the forms that are asked for, for questions about
a small world of bridges, towers, films and directors. ``Fault``s make it, or its server, do something else.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = Any

STAGES = {
    "You break a question into": "decompose",
    "You design tools": "document",
    "You tidy up": "integrate",
    "You make tools more": "scale",
    "You add tools": "distract",
    "You write the Python function": "deploy",
    "You review tasks": "judge",
    "You write a question": "pose",
}

_BRIDGE = re.compile(r"How many metres long is the bridge (.+?)\?")
_SUM = re.compile(r"How many metres do the length of the bridge (.+?) and the height of the tower (.+?) add up to\?")
_BORN = re.compile(r"When was the director of the film (.+?) born\?")
_FIRST = re.compile(r"Who was born first, the director of the film (.+?) or that of the film (.+?)\?")


def number_of(name: str, low: int, high: int) -> int:
    """A number that belongs to a name."""
    return low + sum(ord(letter) * place for place, letter in enumerate(name, start=7)) % (high - low)


def director_of(film: str) -> str:
    first = ("Ilse", "Omar", "Petra", "Janek", "Mirela", "Tomas", "Yara", "Henrik")
    last = ("Brandt", "Feldmann", "Okafor", "Sorensen", "Varga", "Quintero", "Lindqvist", "Moreau")
    number = number_of(film, 0, 64)
    return f"{first[number % 8]} {last[number // 8]}"


def birth_date_of(person: str) -> str:
    number = number_of(person, 0, 20_000)
    return f"{1901 + number % 89}-{1 + number % 12:02d}-{1 + number % 28:02d}"


def length_of(bridge: str) -> str:
    return str(number_of(bridge, 1013, 8999))


def height_of(tower: str) -> str:
    return str(number_of(tower, 113, 899))


@dataclass(frozen=True)
class Kind:
    """What can be looked up: a tool, its subject, and other subjects to fill its data with."""

    tool: str
    subject: str
    description: str
    subject_description: str
    value: Callable[[str], str]
    others: tuple[str, ...]


BRIDGE = Kind(
    "get_bridge_length",
    "bridge",
    "Returns how long a bridge is.",
    "Name of the bridge.",
    length_of,
    ("Alder Span", "Birch Crossing", "Copper Arch", "Drover Viaduct", "Elm Gate Bridge", "Fuller Causeway"),
)
TOWER = Kind(
    "get_tower_height",
    "tower",
    "Returns the height of a tower above ground.",
    "Name of the tower.",
    height_of,
    ("Granite Spire", "Harbour Mast", "Ivory Column", "Juniper Lookout", "Kestrel Beacon", "Lantern Hill Tower"),
)
FILM = Kind(
    "get_film_director",
    "film",
    "Finds out who directed a film.",
    "Title of the film.",
    director_of,
    ("Amber Coast", "Nine Lanterns", "The Salt Road", "Winter Orchard", "Paper Kites", "Glass Harvest"),
)
PERSON = Kind(
    "get_birth_date",
    "person",
    "Tells on which day a person was born, as YYYY-MM-DD.",
    "Full name of the person.",
    birth_date_of,
    ("Agnes Holm", "Bruno Castell", "Clara Whitby", "Dario Neumann", "Edith Sarkis", "Felix Aumont"),
)
BUILDER = Kind(
    "get_bridge_builder",
    "bridge",
    "Names the company that built a crossing.",
    "Name of the crossing.",
    lambda name: f"Works {number_of(name, 10, 99)} Ltd",
    BRIDGE.others,
)
RUNTIME = Kind(
    "get_film_premiere_city",
    "film",
    "Says in which city a film was first shown to an audience.",
    "Title under which it was shown.",
    lambda name: f"City of {name.split()[0]}ville",
    FILM.others,
)
KINDS = {kind.tool: kind for kind in (BRIDGE, TOWER, FILM, PERSON, BUILDER, RUNTIME)}


def question_line(index: int) -> dict[str, str]:
    """A question of the small world, with its answer; the four scenarios take turns."""
    names = [
        "Oxbow",
        "Marrow",
        "Thistle",
        "Quarry",
        "Velvet",
        "Cinder",
        "Saffron",
        "Meadow",
        "Falcon",
        "Orchid",
        "Tundra",
    ]
    one, two = names[index % 11], names[(index * 3 + 5) % 11]
    film, other = f"{one} Lane {index}", f"The {two} Year {index}"
    bridge, tower = f"{one} Bridge No. {index}", f"{two} Tower {index}"
    scenario = index % 4
    if scenario == 0:
        return {"question": f"How many metres long is the bridge {bridge}?", "answer": length_of(bridge)}
    if scenario == 1:
        total = int(length_of(bridge)) + int(height_of(tower))
        text = f"How many metres do the length of the bridge {bridge} and the height of the tower {tower} add up to?"
        return {"question": text, "answer": str(total)}
    if scenario == 2:
        text = f"When was the director of the film {film} born?"
        return {"question": text, "answer": birth_date_of(director_of(film))}
    people = [director_of(film), director_of(other)]
    text = f"Who was born first, the director of the film {film} or that of the film {other}?"
    return {"question": text, "answer": min(people, key=birth_date_of)}


def decomposition(question: str) -> Json:
    def step(number: int, text: str, answer: str, *depends: str) -> Json:
        return {"id": f"q{number}", "text": text, "answer": answer, "depends_on": list(depends)}

    if match := _SUM.search(question):
        bridge, tower = match.groups()
        return {
            "scenario": "parallel_single_hop",
            "sub_questions": [
                step(1, f"How many metres long is the bridge {bridge}?", length_of(bridge)),
                step(2, f"How many metres high is the tower {tower}?", height_of(tower)),
            ],
            "conclusion": {"rule": "sum", "of": ["q1", "q2"]},
        }
    if match := _FIRST.search(question):
        films = enumerate(match.groups(), 1)
        steps = [step(number, f"Who directed {film}?", director_of(film)) for number, film in films]
        for number in (1, 2):
            person = steps[number - 1]["answer"]
            steps.append(step(number + 2, f"When was {{q{number}}} born?", birth_date_of(person), f"q{number}"))
        return {
            "scenario": "parallel_multi_hop",
            "sub_questions": steps,
            "conclusion": {"rule": "of_earliest", "of": ["q3", "q4"]},
        }
    if match := _BORN.search(question):
        film = match[1]
        steps = [
            step(1, f"Who directed {film}?", director_of(film)),
            step(2, "When was {q1} born?", birth_date_of(director_of(film)), "q1"),
        ]
        return {"scenario": "multi_hop", "sub_questions": steps, "conclusion": {"rule": "same_as", "of": ["q2"]}}
    match = _BRIDGE.search(question)
    assert match is not None, question
    steps = [step(1, f"How many metres long is the bridge {match[1]}?", length_of(match[1]))]
    return {"scenario": "single_hop", "sub_questions": steps, "conclusion": {"rule": "same_as", "of": ["q1"]}}


def tool(kind: Kind, *more: Json, **changed: Json) -> Json:
    subject = {
        "name": kind.subject,
        "type": "string",
        "description": kind.subject_description,
        "required": True,
        "choices": None,
        "items": None,
        "fields": None,
        "default": None,
    }
    return {"name": kind.tool, "description": kind.description, "parameters": [subject, *more], **changed}


ADDED = (
    {"name": "verbose", "type": "boolean", "description": "Adds a remark.", "required": False, "default": "false"},
    {"name": "rounding", "type": "integer", "description": "Digits to keep.", "required": False, "default": "0"},
)


def _kind_for(text: str) -> Kind:
    words = (("bridge", BRIDGE), ("tower", TOWER), ("directed", FILM), ("born", PERSON))
    return next(kind for word, kind in words if word in text)


def _steps(user: str) -> list[tuple[str, str, str]]:
    """Id, text and answer of each sub-question in a prompt."""
    found = []
    for line in user.splitlines():
        if match := re.match(r"(q\d+): (.+?)(?: \(depends on .*\))? → (.+)", line):
            found.append((match[1], match[2], match[3]))
    return found


def _calls(user: str) -> list[Json]:
    answers = {name: answer for name, _, answer in _steps(user)}
    calls = []
    for name, text, _ in _steps(user):
        kind = _kind_for(text)
        if match := re.search(r"\{(q\d+)\}", text):
            subject = answers[match[1]]
        else:
            subject = re.sub(r"^(Who directed |How many metres \w+ is the (bridge|tower) )", "", text).rstrip("?")
        arguments = json.dumps({kind.subject: subject}, ensure_ascii=False)
        calls.append({"sub_question": name, "tool": kind.tool, "arguments": arguments})
    return calls


def tools_and_calls(user: str, *more: Json) -> Json:
    calls = _calls(user)
    kinds = [KINDS[name] for name in dict.fromkeys(call["tool"] for call in calls)]
    return {"tools": [tool(kind, *more) for kind in kinds], "calls": calls}


def code(user: str) -> Json:
    """A look-up in a dictionary, with the checks that the document asks for."""
    document = json.loads(user[user.index("{") : user.index("\n\nSignature:")])
    line = re.search(r"Signature:\n(def .+:)\n", user)
    assert line is not None
    kind = KINDS[document["name"]]
    given = re.findall(r"^(\{.*\})\n  must return (.+)$", user, re.MULTILINE)
    told = {json.loads(answer) for _, answer in given}
    known = {other: kind.value(other) for other in kind.others}
    known = {other: value if value not in told else "Nobody At All" for other, value in known.items()}
    # What a tool that nobody needs may be asked about by mistake.
    for name in re.findall(rf'^- {kind.subject}: "(.+)"$', user, re.MULTILINE):
        known[name] = kind.value(name)
    for arguments, answer in given:
        known[json.loads(arguments)[kind.subject]] = json.loads(answer)
    checks = []
    kinds = {"string": "str", "integer": "int", "boolean": "bool"}
    for name, schema in document["parameters"]["properties"].items():
        wrong = f"not isinstance({name}, {kinds[schema['type']]})"
        if schema["type"] == "integer":
            wrong += f" or isinstance({name}, bool)"
        checks.append(f"    if {wrong}:\n        raise TypeError('{name} must be of type {schema['type']}')")
    source = "\n".join(
        [
            line[1],
            f'    """{document["description"]}"""',
            f"    known = {known!r}",
            *checks,
            f"    wanted = {kind.subject}.strip().casefold()",
            "    for name, value in known.items():",
            "        if name.casefold() == wanted:",
            f"            return {{'{kind.subject}': name, 'value': value}}",
            f"    raise LookupError('no such {kind.subject} is known')",
        ]
    )
    return {"code": source, "other_calls": [json.dumps({kind.subject: other}) for other in kind.others[:4]]}


def competent(stage: str, system: str, user: str) -> str:
    """What a model that does as it is told answers."""
    answer: Json
    if stage == "decompose":
        found = re.search(r"Question: (.+)", user)
        assert found is not None
        answer = decomposition(found[1])
    elif stage in ("document", "integrate"):
        answer = tools_and_calls(user)
    elif stage == "scale":
        answer = tools_and_calls(user, *ADDED)
    elif stage == "distract":
        film = "film" in user
        near, far = (RUNTIME, BUILDER) if film else (BUILDER, RUNTIME)
        near_of = FILM.tool if film else BRIDGE.tool
        answer = {
            "tools": [{**tool(near, *ADDED), "near_miss_of": near_of}, {**tool(far, *ADDED), "near_miss_of": None}]
        }
    elif stage == "deploy":
        answer = code(user)
    elif stage == "judge":
        answer = {"reason": "All of it makes sense.", "sound": True}
    else:
        number = re.search(r"yours is number (\d+)", system)
        answer = question_line(4 * int(number[1]) if number else 0)
    return json.dumps(answer, ensure_ascii=False)


@dataclass
class Asked:
    """A request as it came: what a fault looks at."""

    stage: str
    system: str
    user: str
    turns: int
    """Messages of the conversation: 2, or 4 where an answer is to be mended."""
    seen: int
    """How often this very request came before."""


@dataclass
class Fault:
    """Something that goes wrong.

    Attributes:
        when: for which requests.
        answer: what is answered instead of the right thing, from it.
        status: an HTTP error instead of an answer.
        headers: of that error.
        cut: end the connection in the middle of the answer.
        delay: seconds before anything comes.
    """

    when: Callable[[Asked], bool]
    answer: Callable[[Asked, str], str] | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay: float = 0.0
    stop: str = "stop"


@dataclass
class ScriptedServer:
    """The server, and its own books."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    """Answers sent whole, by request."""
    input_tokens: int = 0
    output_tokens: int = 0


@contextmanager
def scripted_server(answer: Callable[[str, str, str], str] = competent) -> Iterator[ScriptedServer]:
    """The server, while the block lasts."""
    lock = threading.Lock()
    seen: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            messages = body["messages"]
            system, user = messages[0]["content"], messages[1]["content"]
            stage = next((name for opening, name in STAGES.items() if system.startswith(opening)), "other")
            key = json.dumps(body, sort_keys=True)
            with lock:
                asked = Asked(stage, system, user, len(messages), seen[key])
                seen[key] += 1
                books.requests.append(asked)
                books.bodies.append(body)
            fault = next((each for each in books.faults if each.when(asked)), None)
            if fault is not None and fault.delay:
                time.sleep(fault.delay)
            if fault is not None and fault.status is not None:
                self.reply(fault.status, {"error": {"message": "scripted", "type": "scripted"}}, fault.headers)
                return
            text = answer(stage, system, user)
            if fault is not None and fault.answer is not None:
                text = fault.answer(asked, text)
            usage = {"prompt_tokens": len(key) // 4, "completion_tokens": len(text) // 4 + 1}
            choice = {
                "index": 0,
                "finish_reason": fault.stop if fault else "stop",
                "message": {"role": "assistant", "content": text},
            }
            whole = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
            sent = self.reply(
                200,
                {**whole, "usage": {**usage, "total_tokens": sum(usage.values())}},
                cut=fault is not None and fault.cut,
            )
            if sent:
                with lock:
                    books.answered[key] += 1
                    books.input_tokens += usage["prompt_tokens"]
                    books.output_tokens += usage["completion_tokens"]

        def reply(self, status: int, body: Json, headers: dict[str, str] | None = None, *, cut: bool = False) -> bool:
            data = json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                if cut:
                    self.wfile.write(data[: len(data) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return False
                self.wfile.write(data)
                self.wfile.flush()
            except OSError:
                return False  # whoever asked is gone
            return True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    books = ScriptedServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield books
    finally:
        server.shutdown()
        server.server_close()
