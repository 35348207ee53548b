"""Identifiers: what is one by checksum, form or context, and the many numbers that are none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_support import Connection, failure, rows, value
from memos_pl import identifiers
from memos_pl.errors import ArgumentError

FOUND = {
    "ssn": [
        "My SSN is 123-45-6789.",
        "social security number 123456789",
        "219\u201309\u20139998 on the form",
        "ssn: 123 45 6789",
        "ITIN 912-70-1234",
        '{"user_ssn": "123456789"}',
    ],
    "credit_card": [
        "Visa 4111 1111 1111 1111 exp 12/27",
        "5500-0000-0000-0004",
        "2221000000000009",
        "amex 378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
    ],
    "medical_id": [
        "MRN 483920",
        "MRN: 00-4839-20",
        "medical record number is A1234567",
        "1EG4-TE5-MK73",
        "NHS number 943 476 5919",
        "Versichertennummer A123456780",
        "Insurance policy number: XYZ-123456",
        "patient id #88213",
        "health plan member id 4455667788",
        "Medicaid ID: AB12345C",
        '{"mrn": 483920}',
        '{"patient_id": "A-483920"}',
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "pay to FR1420041010050500013M02606 today",
        "Konto DE89370400440532013000.",
    ],
    "email": ["mail jane.doe+x@example.co.uk.", "<a@b.de>", "a_b@sub.example.org: thanks"],
    "phone": [
        "+49 170 1234567",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-273-8255",
        "call 415 555 2671",
        "Telefon 030 1234567",
        "text me at 555-1234",
        "mobile: 0170/1234567",
        '{"phone_number": "030 1234567"}',
    ],
    "date_of_birth": [
        "DOB 03/14/1985",
        "born on March 3, 1985",
        "born 3rd of March 1985",
        "geboren am 14.03.1985",
        "date of birth: 1985-03-14",
        "dob: 3/14/85",
        "my birthday is 29 Feb 1984",
        '{"date_of_birth": "1984-02-29"}',
    ],
    "street_address": [
        "I live at 12 Oak Street.",
        "221B Baker Street, London",
        "12 N. Main St, Apt 4",
        "45 Willow Dr, Dayton",
        "350 5th Ave",
        "Hauptstraße 12a",
        "P.O. Box 442",
    ],
    "postal_code": [
        "Dayton, OH 45402",
        "zip code 94110-1234",
        "PLZ 10115",
        "postcode SW1A 1AA",
        "postal code: K1A 0B1",
        '{"zip": "45402"}',
    ],
    "ip_address": ["from 192.168.0.17", "2001:db8:0:0:8:800:200c:417a", "at 10.1.2.3:8080"],
    "person_name": ["Dr. Keller said so", "my name is Anna Schmidt", "Mrs. Jane Dyke", "Name: Bob"],
}
NOTHING = [
    "SRVO-062 BZAL alarm",
    "J1 to J6",
    "robot M-410iC/185",
    "A06B-6117-H204",
    "version 10.0.19.45041",
    "release 1.2.3.4",
    "section 1.2.3.4",
    "PostgreSQL 17.2",
    "192.168.0.256",
    "at 12:30:45",
    "12:34:56:78",
    "00:1A:2B:3C:4D:5E",
    "2023-05-08 14:00",
    "03/14/1985",
    "1700000000000 ms",
    "$1,234.56",
    "1,234,567 users",
    "insurance costs 12345 dollars",
    "score 30-60",
    "120/80 blood pressure",
    "5 mg twice, 10 mg later",
    "sober for 1000 days",
    "0.4111111111111111",
    "4111 1111 1111 1112",
    "order 4539148803436467",
    "order number 112-3456789-1234567",
    "serial 123456789012",
    "ISBN 978-3-16-148410-0",
    "ISBN 0-306-40615-2",
    "550e8400-e29b-41d4-a716-446655440000",
    "part 123-45-678",
    "item 123 45 6789",
    "000-12-3456",
    "666-12-3456",
    "123-00-4567",
    "123-45-0000",
    "call SRVO-062 again",
    "call me at 5 pm",
    "call 911",
    "I called 3 times on 2023-05-08",
    "patient 12 came at 4 pm",
    "the chart shows 2023 numbers",
    "chart 1: 2019 2020 2021 2022",
    "born 31/02/1985",
    "born on 29 Feb 1985",
    "born in 1985 in Ohio",
    "room 12 on the 3rd floor",
    "24 Hour Fitness",
    "3 Phase Drive unit",
    "zip file 12345",
    "the 2020 election",
    "E5 2AB",
    "DE89 3704 0044 0532 0130 01",
    "git@github.com:a/b.git",
    "@types/node",
    "a@b",
    "x = +1 234",
    "the name is secret",
    "tel aviv 2023",
]


@pytest.mark.parametrize(
    ("kind", "text"), [(k, text) for k, texts in FOUND.items() for text in texts]
)
def test_found_and_masked(kind: str, text: str) -> None:
    (found,) = identifiers.find(text, "restricted")
    assert found.type == kind
    masked = identifiers.mask(text, "restricted")
    assert masked == text[: found.first - 1] + f"[{kind}]" + text[found.last :]
    assert identifiers.find(masked, "restricted") == []


@pytest.mark.parametrize("text", NOTHING)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert identifiers.find(text, "restricted") == []
    assert identifiers.mask(text, "restricted") == text


def test_levels_forbid_more_and_more() -> None:
    everything = " | ".join(texts[0] for texts in FOUND.values())
    found = {
        level: {i.type for i in identifiers.find(everything, level)}
        for level in identifiers.FORBIDDEN
    }
    assert found["comprehensive"] == set()
    assert found["balanced"] == {"ssn", "credit_card", "medical_id"}
    assert found["minimal"] == set(FOUND) - {"person_name"}
    assert found["restricted"] == set(FOUND)
    with pytest.raises(ArgumentError):
        identifiers.find("x", "secret")


def luhn_number(prefix: str, length: int, rng: random.Random) -> str:
    body = prefix + "".join(rng.choice("0123456789") for _ in range(length - 1 - len(prefix)))
    return next(body + digit for digit in "0123456789" if identifiers.luhn(body + digit))


@given(st.randoms(use_true_random=False), st.sampled_from(["", " ", "-"]))
@settings(max_examples=50, deadline=None)
def test_one_wrong_digit_is_no_card(rng: random.Random, sign: str) -> None:
    number = luhn_number(rng.choice(["4", "51", "2300", "6011"]), 16, rng)
    text = f"paid with {sign.join(number[i : i + 4] for i in range(0, 16, 4))} today"
    assert [i.type for i in identifiers.find(text, "balanced")] == ["credit_card"]
    place = rng.randrange(4, 16)
    wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    assert identifiers.find(f"paid with {wrong} today", "balanced") == []


@pytest.mark.parametrize(
    "piece",
    ["1 ", "1-", "a.a@", "born ", "zip ", ", ", "A1 ", "12 Aa ", "+1 ", "(0", "1:", "patient   "],
)
def test_long_texts_take_time_in_proportion(piece: str) -> None:
    """What backtracks would not come back from this within the test's patience."""
    identifiers.find(piece * (100_000 // len(piece)), "restricted")


# In the database ----------------------------------------------------------------------------------

IN_WORDS = st.sampled_from([text for texts in FOUND.values() for text in texts])
#: What surrounds an identifier: words, blanks, line ends, other scripts.
AROUND = st.lists(
    st.sampled_from(["She said", "\n", " ", "- ", "日本", "ok.", "(", "12", "J1", "Ärztin", "?"]),
    max_size=6,
).map(" ".join)


@given(st.lists(st.tuples(AROUND, IN_WORDS, AROUND).map(" ".join), min_size=40, max_size=40))
@settings(max_examples=10, deadline=None)
def test_the_first_look_misses_nothing(module_database: object, texts: list[str]) -> None:
    """A text that the cheap question lets pass has nothing in it that the exact one finds."""
    with module_database.connect() as superuser:  # type: ignore[attr-defined]
        missed = superuser.execute(
            """
            select t.text, l.level, f.type
            from unnest(%s::text[]) as t (text)
            cross join unnest(array['balanced', 'minimal', 'restricted']) as l (level)
            cross join lateral memos_private.find_identifiers(array[t.text], array[l.level]) as f
            where not memos_private.may_identify(t.text, l.level)
            """,
            (texts,),
        ).fetchall()
    assert missed == []


def test_find_and_mask_without_storing(app: Connection) -> None:
    text = "Call 415-555-2671 about SSN 123-45-6789"
    assert rows(app, "memos.find_identifiers", text, "minimal") == [
        ("phone", 6, 17, "form"),
        ("ssn", 29, 39, "context"),
    ]
    assert rows(app, "memos.find_identifiers", text, "comprehensive") == []
    assert (
        value(app, "memos.mask_identifiers", text, "balanced")
        == "Call 415-555-2671 about SSN [ssn]"
    )
    for function in ("memos.find_identifiers", "memos.mask_identifiers"):
        for arguments in ((None,), (text, None), (text, "secret"), ("x" * 1_048_577,)):
            assert failure(app, function, *arguments).sqlstate == "MO400"
