"""Text as values: what is the same, and what only looks alike."""

from __future__ import annotations

import datetime
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.rewards.tokens import parts_of, stands_in, tokens_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9,000,000", "9000000"),
        ("9,000,000", "9e6"),
        ("1.0", "1"),
        ("0.30000000000000004", "0.3"),
        ("12,34,567", "1234567"),
        ("2001-8-2", "2001-08-02"),
        ("2001-08-02T10:00:00Z", "2001-08-02t10:00:00"),
        ("Ada  VELL", "ada vell"),
        ("\uff21\uff44\uff41", "ada"),  # full width
        ("Stra\u00dfe", "STRASSE"),
        ("Jo\u0308rn", "J\u00f6rn"),  # composed or not
        ("Saint-Malo", "saint malo"),
        ("007", "7"),
        ("\u22127", "-7"),
    ],
)
def test_different_spellings_of_a_value_are_the_same(one: str, other: str) -> None:
    assert tokens_of(one) == tokens_of(other) != ()


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("1", "2010"),
        ("1", "17"),
        ("4", "1254"),
        ("6,300", "6300000"),
        ("no", "not known"),
        ("on", "None"),
        ("5", "-5"),
        ("3", "3.14"),
        ("8", "2001-8-2"),
        ("30", "12:30"),
        ("5", "5-10 years"),
        ("2", "item_2"),
        ("0", "v2.0"),
        ("25", "25km"),
        ("$9", "$9.80"),
    ],
)
def test_a_value_does_not_stand_within_a_longer_one(part: str, whole: str) -> None:
    assert not stands_in(tokens_of(part), tokens_of(whole))


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("39", "He was 39."),
        ("1958", "built on 1958-05-12"),
        ("30 million", "About 30 million books"),
        ("25\u00b0C", "a mean of 25\u00b0C in July"),
        ("P vs NP", "the P vs NP problem"),
        ("\u5317\u4eac", "\u9996\u90fd\u306f\u5317\u4eac\u3067\u3059"),  # written without spaces
    ],
)
def test_a_value_stands_between_other_words(part: str, whole: str) -> None:
    assert stands_in(tokens_of(part), tokens_of(whole))


def test_a_compound_value_has_parts_and_thousands_are_no_parts() -> None:
    assert parts_of("July 1, 1949") == (("july", "1"), ("1949",))
    assert parts_of("9,000,000") == (("9000000",),)
    assert parts_of("?, !") == ()


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_whole_number_is_the_same_however_it_is_written(number: int) -> None:
    spellings = [
        str(number),
        f"{number:,}",
        f"{number}.0",
        f"{number:,}.00",
        f"{number:e}" if abs(number) < 10**6 else "7",
    ]
    assert {tokens_of(text) for text in spellings[:4]} == {(str(number),)}
    if abs(number) < 10**6:
        assert tokens_of(spellings[4]) == (str(number),)


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=9))
def test_a_number_never_stands_in_one_with_a_digit_more(number: int, digit: int) -> None:
    assert not stands_in(tokens_of(str(number)), tokens_of(f"{number}{digit}")) or number == int(f"{number}{digit}")
    assert not stands_in(tokens_of(str(number)), tokens_of(f"1{number}")) or number == int(f"1{number}")


@given(st.dates(min_value=datetime.date(1000, 1, 1)))
def test_a_date_is_the_same_with_and_without_leading_zeros(date: datetime.date) -> None:
    assert tokens_of(date.isoformat()) == tokens_of(f"{date.year}-{date.month}-{date.day}")
    assert stands_in(tokens_of(str(date.year)), tokens_of(date.isoformat()))


@given(st.text(max_size=60))
def test_no_text_is_too_odd_and_folding_changes_nothing(text: str) -> None:
    tokens = tokens_of(text)
    assert all(isinstance(token, str) and token for token in tokens)
    assert tokens_of(unicodedata.normalize("NFKC", text).casefold()) == tokens


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "1." * 50_000, "1-" * 50_000 + "x", "9" * 5000 + "." + "9" * 5000, "1e9999"]
)
def test_monstrous_numbers_are_read_in_no_time(text: str) -> None:
    assert tokens_of(text)
