"""hashing: unit vectors that depend on the text only, near each other for similar texts."""

import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memos_pl import hashing
from memos_pl.errors import ArgumentError

PLPYTHON = Path(hashing.__file__).parents[1]
SAMPLES = [
    "She is allergic to penicillin.",
    "Ärztin in Köln, J1-Visum",
    "मुझे हिन्दी पसंद है",
    "私は東京に住んでいます",
    "ฉันรักแมว",
    "أحب القهوة",
    "👩‍👩‍👧 ❤️",
    "x",
    "?!",
]


def half(literal: str) -> list[float]:
    """A literal as the server stores it."""
    numbers = [float(number) for number in literal[1:-1].split(",")]
    count = len(numbers)
    return list(struct.unpack(f"{count}e", struct.pack(f"{count}e", *numbers)))


def embed(text: str, dimensions: int = 384) -> list[float]:
    return half(hashing.embed_texts([text], dimensions)[0])


def similarity(first: str, second: str) -> float:
    return sum(a * b for a, b in zip(embed(first), embed(second), strict=True))


def has_something(text: str) -> bool:
    return bool(hashing.words(text))


@given(st.text().filter(has_something), st.sampled_from([64, 384, 1000]))
def test_any_text_has_unit_length_in_half_precision(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)


@given(st.text())
def test_a_text_is_embedded_or_refused(text: str) -> None:
    """Never a zero vector; and what is refused has no letter, digit or symbol."""
    try:
        hashing.embed_texts([text], 384)
    except ArgumentError:
        assert not any(character.isalnum() for character in text)


@given(st.characters(categories=["L", "N", "S", "P"]))
def test_every_visible_character_is_a_text(character: str) -> None:
    assert math.hypot(*embed(character)) == pytest.approx(1, abs=1e-3)


@given(st.lists(st.text(min_size=1).filter(has_something), min_size=1, max_size=5))
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    one_by_one = [hashing.embed_texts([text], 64)[0] for text in texts]
    assert hashing.embed_texts(texts, 64) == one_by_one


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_another_process_gets_the_same_vectors(seed: str) -> None:
    program = (
        "import sys; from memos_pl import hashing; print(hashing.embed_texts(sys.argv[1:], 384))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *SAMPLES],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PLPYTHON)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == str(hashing.embed_texts(SAMPLES, 384))


def test_stored_vectors_stay_comparable() -> None:
    """Changing the hashing makes every stored vector worthless: a new model, not a new version."""
    assert hashing.embed_texts(["Penicillin allergy"], 8) == [
        "[-0.4617,-0.1836,0.2781,-0.09128,-0.4765,0,0.4725,0.466]"
    ]


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000", "\u200b", "\u200d\ufe0f", "\x01"])
def test_blank_texts_are_refused(blank: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        hashing.embed_texts(["good", blank], 384)
    assert "Text 2" in caught.value.detail
    assert caught.value.hint


@pytest.mark.parametrize("texts", [None, [None], ["a", None], [["a"], ["b"]]])
def test_what_is_no_list_of_texts_is_refused(texts: list[str | None]) -> None:
    with pytest.raises(ArgumentError):
        hashing.embed_texts(texts, 384)


@pytest.mark.parametrize("dimensions", [None, 0, -1, 16_001])
def test_dimensions_must_fit_a_halfvec(dimensions: int) -> None:
    with pytest.raises(ArgumentError):
        hashing.embed_texts(["a"], dimensions)


def test_no_texts_no_vectors() -> None:
    assert hashing.embed_texts([], 384) == []


@pytest.mark.parametrize(
    ("text", "nearer", "farther"),
    [
        ("penicillin allergy", "She is allergic to penicillin.", "He likes the opera."),
        ("penicilin alergy", "She is allergic to penicillin.", "He likes the opera."),
        ("the painting", "She paints at night.", "The dog is at the vet."),
        ("dog bites man", "the dog bites the man", "the man bites the dog"),
        ("東京", "私は東京に住んでいます", "彼は大阪で働いています"),
        ("हिन्दी", "मुझे हिन्दी पसंद है", "वह दिल्ली में रहती है"),
        ("❤️", "I ❤ Lisbon", "I visit Lisbon"),
        ("CAFÉ", "cafe\u0301", "tea"),
        ("\U0001d400lice", "alice", "bob"),  # mathematical bold A
    ],
)
def test_similar_texts_are_near(text: str, nearer: str, farther: str) -> None:
    assert similarity(text, nearer) > similarity(text, farther) + 0.01


@given(st.sampled_from(SAMPLES), st.sampled_from(["  {}", "{}\n", "\u200b{}", "\ufeff{}"]))
def test_invisible_characters_do_not_matter(text: str, form: str) -> None:
    assert hashing.embed_texts([form.format(text)], 384) == hashing.embed_texts([text], 384)


def test_a_long_run_without_spaces_costs_what_its_length_says() -> None:
    assert max(map(len, hashing.words("A" * 100_000))) == hashing.LONGEST_WORD
    assert math.hypot(*embed("Zm9v" * 25_000)) == pytest.approx(1, abs=1e-3)


def test_few_dimensions_refuse_rather_than_give_zero() -> None:
    refused = 0
    for number in range(300):
        try:
            vector = embed(f"word{number}", 1)
        except ArgumentError:
            refused += 1
        else:
            assert abs(vector[0]) == 1
    assert refused < 300
