"""Settings in YAML files, one over the other: what they say together, and which of them is to blame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ftrl.errors import InputError
from ftrl.settings_files import read_layers


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = Field(default=4, ge=1)
    share: float = 0.5
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Part:
        if self.size < self.share:
            raise ValueError("size must be at least share")
        return self


class Run(BaseModel):
    model_config = ConfigDict(extra="forbid")

    out: str
    part: Part = Part()
    other: Part | None = None
    verl: dict[str, Any] = {}


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, text: str) -> str:
        file = self._folder / name
        file.write_text(text, encoding="utf-8")
        return str(file)


@pytest.fixture
def file(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_later_file_changes_what_it_names_and_keeps_the_rest(file: Files) -> None:
    first = file("first.yaml", "out: a\npart: {size: 2, names: [x, y]}\nverl: {a.b: 1, c: 2}\n")
    second = file("second.yaml", "part: {share: 0.25, names: [z]}\nverl: {c: 3}\n")
    run = read_layers([first, second]).into(Run)
    assert run == Run(out="a", part=Part(size=2, share=0.25, names=("z",)), verl={"a.b": 1, "c": 3})
    assert read_layers([second, first]).into(Run).part.names == ("x", "y")


def test_an_assignment_has_the_last_word_and_the_later_of_two_the_very_last(file: Files) -> None:
    first = file("first.yaml", "out: a\npart: {size: 2}\n")
    run = read_layers(first, ["part.size=3", "part.size=5", "verl.trainer.logger=[console]"]).into(Run)
    assert run.part.size == 5
    assert run.verl == {"trainer.logger": ["console"]}, "verl's names have dots in them"


def test_a_file_may_be_on_s3(bucket: str) -> None:
    with fsspec.open(f"{bucket}/run.yaml", "w") as remote:
        remote.write("out: a\n")
    assert read_layers([f"{bucket}/run.yaml"]).into(Run).out == "a"


def test_a_number_may_be_written_as_everywhere_else(file: Files) -> None:
    data = read_layers(file("run.yaml", "verl: {optim.lr: 1e-6, name: 1e-6b}\n"), ["verl.eps=5E3"]).data
    assert data["verl"] == {"optim.lr": 1e-6, "name": "1e-6b", "eps": 5000.0}


@pytest.mark.parametrize(
    ("first", "second", "blamed", "line", "field"),
    [
        ("out: a\npart:\n  size: 0\n", "part: {share: 0.1}\n", "first.yaml", 3, "part.size"),
        ("out: a\npart:\n  size: 1\n", "# smaller\n\npart: {size: 0}\n", "second.yaml", 3, "part.size"),
        ("out: a\n", "part:\n  sise: 3\n", "second.yaml", 2, "part.sise"),
        ("out: a\nprat: {}\n", "part: {size: 1}\n", "first.yaml", 2, "prat"),
        ("out: a\npart:\n  size: 1\n", "part: {share: 3}\n", "second.yaml", 1, "part"),
        ("out: a\npart:\n  names: [x]\n", "part:\n  names:\n  - x\n  - [y]\n", "second.yaml", 4, "part.names.1"),
        ("out: a\npart:\n  size: 3\n", "part: 3\n", "second.yaml", 1, "part"),
    ],
)
def test_an_error_names_the_file_that_holds_the_wrong_field_and_its_line_there(
    file: Files, first: str, second: str, blamed: str, line: int, field: str
) -> None:
    paths = [file("first.yaml", first), file("second.yaml", second)]
    with pytest.raises(InputError) as refused:
        read_layers(paths).into(Run)
    assert (Path(str(refused.value.file)).name, refused.value.line) == (blamed, line)
    assert refused.value.field == field


def test_a_setting_that_does_not_exist_is_said_not_to(file: Files) -> None:
    with pytest.raises(InputError, match=r"run\.yaml:1: field 'outt': there is no such setting; is out meant\?"):
        read_layers(file("run.yaml", "outt: a\nout: b\n")).into(Run)


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [("part.sise=3", "; is part.size meant?"), ("other.sise=3", "; is other.size meant?"), ("part.zzz=3", "$")],
)
def test_a_setting_within_a_part_is_said_which_one_may_be_meant(file: Files, assignment: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"there is no such setting{meant.replace('?', '[?]')}"):
        read_layers(file("run.yaml", "out: b\n"), [assignment]).into(Run)


def test_an_error_in_an_assignment_names_the_assignment(file: Files) -> None:
    with pytest.raises(InputError, match=r"^--set part\.size=none: field 'part\.size'"):
        read_layers(file("run.yaml", "out: a\npart: {size: 2}\n"), ["part.size=none"]).into(Run)


def test_a_field_that_is_missing_from_all_files_names_them_all(file: Files) -> None:
    paths = [file("first.yaml", "part: {}\n"), file("second.yaml", "part: {}\n")]
    with pytest.raises(InputError, match=r"first\.yaml \+ .*second\.yaml: field 'out': Field required"):
        read_layers(paths).into(Run)


def test_a_part_can_be_read_alone_and_its_errors_name_the_whole_path(file: Files) -> None:
    layers = read_layers(file("run.yaml", "out: a\npart:\n  size: 7\n"))
    assert layers.into(Part, "part").size == 7
    assert read_layers(file("run.yaml", "out: a\npart:\n")).into(Part, "part") == Part()
    with pytest.raises(InputError) as refused:
        read_layers(file("run.yaml", "out: a\npart:\n  size: 0\n")).into(Part, "part")
    assert (refused.value.field, refused.value.line) == ("part.size", 3)


def test_a_value_does_not_turn_into_a_group_of_settings_without_a_word(file: Files) -> None:
    first, second = file("first.yaml", "out: a\npart: 3\n"), file("second.yaml", "part: {size: 3}\n")
    with pytest.raises(InputError, match=r"second\.yaml: 'part' is a group of settings here, and a value"):
        read_layers([first, second])


def test_a_key_that_is_written_twice_is_refused_with_its_second_line(file: Files) -> None:
    with pytest.raises(InputError, match="written twice") as refused:
        read_layers(file("run.yaml", "out: a\npart:\n  size: 1\n  share: 1\n  size: 2\n"))
    assert (refused.value.line, refused.value.field) == (5, "part.size")


@pytest.mark.parametrize(
    ("text", "told"),
    [("out: a: b\n", r"run\.yaml:1: this is not YAML"), ("- out\n", "a mapping of settings"), ("", "a mapping")],
)
def test_what_holds_no_settings_is_refused(file: Files, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_layers(file("run.yaml", text))


def test_a_file_that_is_no_text_and_one_that_is_not_there_are_refused(file: Files, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"out: \xff\xfe\n")
    with pytest.raises(InputError, match=r"broken\.yaml: this is not YAML"):
        read_layers(str(broken))
    with pytest.raises(InputError, match=r"none\.yaml: there is no such file"):
        read_layers([file("run.yaml", "out: a\n"), str(tmp_path / "none.yaml")])


@pytest.mark.parametrize("assignment", ["part.size", "=3", "part..size=3", "part.size=[1"])
def test_an_assignment_that_is_none_is_refused(file: Files, assignment: str) -> None:
    with pytest.raises(InputError, match="--set"):
        read_layers(file("run.yaml", "out: a\n"), [assignment])
