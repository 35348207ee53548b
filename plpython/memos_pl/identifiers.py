"""Identifiers of a person in a text: where they are, and the text without them.

A class is found by its checksum (cards, IBAN, NHS and German insurance numbers), by a form that
nothing else has (a social security number with its signs, an e-mail address), or by a real form in
a context that names it ("MRN 483920"). Digits alone are never enough: order numbers, error codes,
versions, times, prices and scores stay what they are. What has no form is not found; names are,
where a title or "my name is" says so.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Literal, NamedTuple

from memos_pl.errors import ArgumentError

Evidence = Literal["checksum", "form", "context"]

#: What a text of each privacy level may not hold.
FORBIDDEN: dict[str, frozenset[str]] = {
    "comprehensive": frozenset(),
    "balanced": frozenset({"ssn", "credit_card", "medical_id"}),
    "minimal": frozenset(
        {
            "ssn",
            "credit_card",
            "medical_id",
            "iban",
            "email",
            "phone",
            "date_of_birth",
            "street_address",
            "postal_code",
            "ip_address",
        }
    ),
}
FORBIDDEN["restricted"] = FORBIDDEN["minimal"] | {"person_name"}


class Identifier(NamedTuple):
    """A place in a text, in characters counted from 1, both ends included; not the text itself."""

    type: str
    first: int
    last: int
    evidence: Evidence


def find(text: str, level: str) -> list[Identifier]:
    """What the level forbids in the text, in order, without overlaps."""
    if level not in FORBIDDEN:
        raise ArgumentError(
            "bad argument: p_level", f"it is {level!r}", f"one of {', '.join(FORBIDDEN)}"
        )
    taken = bytearray(len(text))
    found = []
    for kind, finder in _FINDERS.items():
        if kind not in FORBIDDEN[level]:
            continue
        for start, end, evidence in finder(text):
            # Classes come surest first: the digits of a card are not a telephone number as well.
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Identifier(kind, start + 1, end, evidence))
    return sorted(found, key=lambda identifier: identifier.first)


def mask(text: str, level: str) -> str:
    """The text with the name of its class in place of each identifier: `[ssn]`."""
    parts = []
    end = 0
    for identifier in find(text, level):
        parts += [text[end : identifier.first - 1], f"[{identifier.type}]"]
        end = identifier.last
    return "".join([*parts, text[end:]])


def find_all(
    texts: Sequence[str], levels: Sequence[str]
) -> list[tuple[int, str, int, int, Evidence]]:
    """What is found in each text, with the text's place from 1."""
    return [
        (place, *identifier)
        for place, (text, level) in enumerate(zip(texts, levels, strict=True), 1)
        for identifier in find(text, level)
    ]


def mask_all(texts: Sequence[str], levels: Sequence[str]) -> list[str]:
    """Each text without what its level forbids."""
    return [mask(text, level) for text, level in zip(texts, levels, strict=True)]


# Classes ------------------------------------------------------------------------------------------

Span = tuple[int, int, Evidence]
#: How far before an identifier the words stand that say what it is.
CONTEXT = 48
_DASH = r"\-\u2010\u2011\u2013"
#: Not in the middle of a longer number or code.
_BEGIN = rf"(?<![\w{_DASH}./])(?<![\w.,]\+)"
_END = rf"(?![\w/])(?![{_DASH}.,:]\w)"


def _pattern(pattern: str, *, any_case: bool = True) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if any_case else 0)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _follows(context: re.Pattern[str], text: str, start: int) -> bool:
    """Whether words of the context stand before `start`, in the same sentence."""
    before = text[max(0, start - CONTEXT) : start]
    return context.search(re.split(r"[.!?;]\s|\n", before)[-1]) is not None


def luhn(digits: str) -> bool:
    """The check digit of cards (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


_SSN = _pattern(
    rf"{_BEGIN}([0-9]{{3}})([{_DASH} ]?)([0-9]{{2}})\2([0-9]{{4}}){_END}",
)
_SSN_CONTEXT = _pattern(r"(?<![a-z])(ssn|itin|social[\s_]+security)(?![a-z])")


def _ssn(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        area, sign, group, serial = match.groups()
        # 900 to 999 are taxpayer numbers of people without a social security number.
        if area in {"000", "666"} or group == "00" or serial == "0000":
            continue
        named = _follows(_SSN_CONTEXT, text, match.start())
        if named or sign not in {"", " "}:
            yield *match.span(), "context" if named else "form"


_CARD = _pattern(
    rf"{_BEGIN}(?:[0-9]{{4}}([{_DASH} ]?)[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}})?"
    rf"|[0-9]{{4}}([{_DASH} ]?)[0-9]{{6}}\2[0-9]{{4,5}}){_END}"
)
#: First digits and lengths of the cards of each network.
_NETWORKS = (
    (r"4", {16, 19}),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),
    (r"3[47]", {15}),
    (r"30[0-5]|3[689]", {14}),
    (r"6011|64[4-9]|65", {16, 19}),
    (r"35(2[89]|[3-8])", {16, 19}),
    (r"62", {16, 19}),
    (r"50[123]|5893|6304|6759|676[1-3]", {16, 19}),
)
_NETWORK = re.compile("|".join(rf"(?:{first})" for first, _ in _NETWORKS))
_OTHER_NUMBER = _pattern(
    r"\b(order|tracking|invoice|shipment|parcel|serial|part|article|batch|ticket|case|reference"
    r"|isbn|ean|upc|imei|sku)\b[\w\s#.:]{0,16}$"
)


def _credit_card(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = _digits(match[0])
        known = any(
            len(digits) in lengths and re.match(first, digits) for first, lengths in _NETWORKS
        )
        if known and luhn(digits) and not _follows(_OTHER_NUMBER, text, match.start()):
            yield *match.span(), "checksum"


_MEDICARE = _pattern(  # Medicare beneficiary identifier: no S, L, O, I, B, Z among its letters
    rf"{_BEGIN}[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9](-?)[AC-HJKMNP-RT-Y]"
    rf"[AC-HJKMNP-RT-Y0-9][0-9]\1[AC-HJKMNP-RT-Y]{{2}}[0-9]{{2}}{_END}",
    any_case=False,
)
_MEDICAL = _pattern(
    r"(?<![a-z])(?:mrn|medical[\s_]+record|patient|chart|medicare|medicaid|nhs|subscriber"
    r"|(?:health|medical|insurance)[\s_]+(?:insurance|plan|card|policy|member|id)"
    r"|insurance|krankenversicherung|versicherung)"
    r"(?:[\s_]{0,2}(?:id|ids|no\.?|nr\.?|num(?:ber)?|nummer|card|policy|member|code)){0,3}"
    r"['\"]?\s{0,2}(?:[:#=]|is\b|ist\b)?\s{0,2}['\"#]?\s{0,2}"
    rf"(?P<id>[a-z0-9](?:[{_DASH} ]?[a-z0-9]){{4,19}}){_END}"
)
_MEDICAL_WORD = _pattern(
    r"mrn|medical\s+record|medicare|medicaid|nhs|krankenvers|id\b|no\b|nr\b|num|nummer|[#:=]"
)
_NHS = _pattern(rf"{_BEGIN}[0-9]{{3}}([{_DASH} ]?)[0-9]{{3}}\1[0-9]{{4}}{_END}")
_NHS_CONTEXT = _pattern(r"\bnhs\b")
_KVNR = _pattern(rf"{_BEGIN}[A-Z][0-9]{{9}}{_END}", any_case=False)
_KVNR_CONTEXT = _pattern(r"versich|krankenkasse|gesundheitskarte|kvnr|insur|health")


def _nhs_number(digits: str) -> bool:
    rest = -sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return rest == int(digits[9])


def _kvnr(code: str) -> bool:
    digits = f"{ord(code[0]) - ord('A') + 1:02d}{code[1:]}"
    products = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits[:10])]
    return sum(p // 10 + p % 10 for p in products) % 10 == int(digits[10])


def _medical_id(text: str) -> Iterator[Span]:
    for match in _MEDICARE.finditer(text):
        yield *match.span(), "form"
    for match in _NHS.finditer(text):
        if _nhs_number(_digits(match[0])) and _follows(_NHS_CONTEXT, text, match.start()):
            yield *match.span(), "checksum"
    for match in _KVNR.finditer(text):
        if _kvnr(match[0]) and _follows(_KVNR_CONTEXT, text, match.start()):
            yield *match.span(), "checksum"
    for match in _MEDICAL.finditer(text):
        start, end = match.span("id")
        # The id is one word with digits, or words of digits: "patient 12 came at 4 pm" is neither.
        words = re.match(r"[0-9]+(?: [0-9]+)+(?!\w)|[^ ]+", text[start:end])
        if words is None or len(_digits(words[0])) < 5:
            continue
        if _MEDICAL_WORD.search(match[0][: start - match.start()]):
            yield start, start + words.end(), "context"


#: Length of an IBAN by country (SWIFT IBAN registry, release 99).
_IBAN_LENGTH = {
    code: length
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for code in codes.split()
}
_IBAN = _pattern(rf"{_BEGIN}([A-Z]{{2}}[0-9]{{2}})((?: ?[A-Z0-9]){{11,30}})", any_case=False)


def _iban(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTH.get(match[1][:2])
        if length is None:
            continue
        end = match.start()
        compact = ""
        while len(compact) < length and end < match.end():
            compact += text[end].strip()
            end += 1
        if len(compact) < length or re.match(r"\w", text[end : end + 1]):
            continue
        number = "".join(str(int(char, 36)) for char in compact[4:] + compact[:4])
        if int(number) % 97 == 1:
            yield match.start(), end, "checksum"


_EMAIL = _pattern(
    r"(?<![\w.%+@-])[a-z0-9_%+-]{1,64}(?:\.[a-z0-9_%+-]{1,64}){0,8}"
    r"@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}\.[a-z]{2,24}(?![\w@-])(?!\.\w)"
    r"(?!:[\w/])"  # git@github.com:name/repository
)


def _email(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        yield *match.span(), "form"


_BIRTH = _pattern(
    r"(?<![a-z])(?:dob|d\.o\.b|born|birth|birth[\s_]?da(?:y|te)|geboren|geburtsdatum|geb\."
    r"|née?|nacid[oa]|nacimiento|naissance)(?![a-zäöüé])[^.!?\n]{0,24}?(?<![\w/.-])"
    r"(?P<date>[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{2,4}"
    r"|[a-zäöüé]{3,10}\.?\s+[0-9]{1,2}(?:st|nd|rd|th)?,?\s+[0-9]{4}"
    r"|[0-9]{1,2}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?[a-zäöüé]{3,10}\.?,?\s+[0-9]{4})(?![\w/])"
)
_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar jänner janvier enero ene",
            "february feb februar février febrero",
            "march mar märz mars marzo",
            "april apr avril abril abr",
            "may mai mayo",
            "june jun juni juin junio",
            "july jul juli juillet julio",
            "august aug août agosto ago",
            "september sep sept septembre septiembre",
            "october oct oktober okt octobre octubre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre diciembre dic",
        ),
        1,
    )
    for name in names.split()
}
_FIRST_YEAR, _LAST_YEAR = 1880, 2199


def _real(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return _FIRST_YEAR <= year <= _LAST_YEAR


def _is_date(text: str) -> bool:
    """Whether the calendar has that day, in any order of its parts that people write."""
    numbers = [int(number) for number in re.findall(r"[0-9]+", text)]
    word = re.search(r"(?!st\b|nd\b|rd\b|th\b|of\b)[a-zäöüéû]{3,}", text.lower())
    if word is not None:
        month = _MONTHS.get(word[0])
        return month is not None and len(numbers) == 2 and _real(numbers[1], month, numbers[0])
    first, second, third = numbers
    if first > 31:
        return _real(first, second, third)
    year = third + 1900 if third < 100 else third
    return _real(year, first, second) or _real(year, second, first)


def _date_of_birth(text: str) -> Iterator[Span]:
    for match in _BIRTH.finditer(text):
        if _is_date(match["date"]):
            yield *match.span("date"), "context"


_INTERNATIONAL = _pattern(rf"(?<![\w+.])\+[1-9](?:[ ().{_DASH}/]{{0,2}}[0-9]){{6,14}}{_END}")
_AMERICAN = _pattern(
    rf"{_BEGIN}(?:1[{_DASH}. ])?(\()?[2-9][0-9]{{2}}(?(1)\)[{_DASH}. ]?|([{_DASH}. ]))"
    rf"[2-9][0-9]{{2}}[{_DASH}. ][0-9]{{4}}{_END}"
)
_NATIONAL = _pattern(
    rf"{_BEGIN}(?:\(0[0-9]{{1,5}}\)|[0-9]{{2,6}})(?:[ {_DASH}/.]{{0,3}}[0-9]{{2,8}}){{0,5}}{_END}"
)
_PHONE_CONTEXT = _pattern(
    r"(?<![a-z])(phone|tel|telephone|telefon|mobile|mobil|cell|cellphone|handy|fax|whatsapp|signal|sms"
    r"|call(?: me| her| him| them| us)?|text(?: me| her| him| them)|reach(?: me| her| him)|dial"
    r"|rufnummer|anrufen|numéro|teléfono|hotline)(?![a-zéü])"
    r"[^0-9]{0,24}$"
)


def _phone(text: str) -> Iterator[Span]:
    for match in _INTERNATIONAL.finditer(text):
        yield *match.span(), "form"
    for match in _AMERICAN.finditer(text):
        # Three groups of digits between blanks may be anything; with signs they are what they are.
        if re.search(rf"[()\.{_DASH}]", match[0]) or _follows(_PHONE_CONTEXT, text, match.start()):
            yield *match.span(), "form"
    for match in _NATIONAL.finditer(text):
        if 7 <= len(_digits(match[0])) <= 15 and _follows(_PHONE_CONTEXT, text, match.start()):
            yield *match.span(), "context"


_CAPITALISED = r"[A-ZÄÖÜ][\w'\u2019]{1,24}"
_STREET = _pattern(
    rf"(?<![\w$€£.,:/{_DASH}])[0-9]{{1,5}}[A-Za-z]?,?\s(?:[NSEW]\.?\s|North\s|South\s|East\s|West\s)?"
    rf"(?:(?:{_CAPITALISED}|[0-9]{{1,3}}(?:st|nd|rd|th))\s){{1,3}}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Court|Ct|Place|Pl|Square|Sq|Terrace"
    r"|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Dr(?:ive)?(?=\.?(?:,|$|\n|\s(?:Apt|Unit|#|in\b|near\b))))\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Unit|Suite|Ste|#)\.?\s?[\w-]{1,6})?",
    any_case=False,
)
_GERMAN_STREET = _pattern(
    r"\b(?:[A-ZÄÖÜ][\wäöüß-]{1,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer)"
    r"|(?:[A-ZÄÖÜ][\wäöüß]{1,24}\s){1,2}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse))"
    r"\s[0-9]{1,4}\s?[a-z]?\b",
    any_case=False,
)
_PO_BOX = _pattern(r"\b(?:P\.?\s?O\.?\s?Box|Postfach)\s#?[0-9]{1,8}\b")


def _street_address(text: str) -> Iterator[Span]:
    for pattern in (_STREET, _GERMAN_STREET, _PO_BOX):
        for match in pattern.finditer(text):
            yield *match.span(), "form"


_STATE_ZIP = _pattern(
    r",\s{0,2}(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI"
    rf"|S[CD]|T[NX]|UT|V[AT]|W[AIVY])\s{{1,2}}(?P<code>[0-9]{{5}}(?:-[0-9]{{4}})?){_END}",
    any_case=False,
)
_POSTAL = _pattern(
    r"(?<![a-z])(?:zip|zip[\s_]?code|postal[\s_]?code|post[\s_]?code|plz|postleitzahl|code\s+postal"
    r"|código\s+postal)(?![a-z_])['\"]?\s{0,2}(?:[:#=]|is\b|ist\b)?\s{0,2}['\"]?"
    r"(?P<code>[0-9]{5}-[0-9]{4}|[0-9]{4,6}|[a-z]{1,2}[0-9][a-z0-9]?\s?[0-9][a-z]{2}"
    rf"|[a-z][0-9][a-z]\s?[0-9][a-z][0-9]){_END}"
)


def _postal_code(text: str) -> Iterator[Span]:
    for pattern in (_STATE_ZIP, _POSTAL):
        for match in pattern.finditer(text):
            yield *match.span("code"), "context"


_IPV4 = _pattern(rf"{_BEGIN}[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?![\w.]\w)(?!\w)")
_IPV6 = _pattern(r"(?<![\w:.])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}(?![\w:])")
_VERSION = _pattern(r"\b(v|ver|version|release|firmware|build|section|chapter|§)\s*[:.]?\s*$")


def _ip_address(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if not _follows(_VERSION, text, match.start()):
                yield *match.span(), "form"


_NAME = rf"{_CAPITALISED}(?:[-\s]{_CAPITALISED}){{0,2}}"
_TITLED = _pattern(
    r"\b(?:Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Herr|Frau|Señora?|Mme|Pastor|Nurse|Doctor|Professor)\b\.?\s"
    rf"(?P<name>{_NAME})",
    any_case=False,
)
_INTRODUCED = _pattern(
    r"\b(?:[Nn]ame\s(?:is|was)|[Nn]ame:|[Ii]ch\sheiße|[Mm]ein\sName\sist|[Mm]e\sllamo)\s"
    rf"(?P<name>{_NAME})",
    any_case=False,
)


def _person_name(text: str) -> Iterator[Span]:
    for pattern in (_TITLED, _INTRODUCED):
        for match in pattern.finditer(text):
            yield *match.span("name"), "context"


#: Surest first.
_FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "iban": _iban,
    "credit_card": _credit_card,
    "ssn": _ssn,
    "email": _email,
    "medical_id": _medical_id,
    "ip_address": _ip_address,
    "date_of_birth": _date_of_birth,
    "phone": _phone,
    "street_address": _street_address,
    "postal_code": _postal_code,
    "person_name": _person_name,
}
