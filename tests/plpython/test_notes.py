"""notes, chat and summary: what is said about texts, by rules or by a server that misbehaves."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memos_pl import chat, notes
from memos_pl.errors import ArgumentError, ProviderError
from memos_pl.notes import extract_note
from memos_pl.summary import summarize
from misbehaving_server import MisbehavingServer

TEXT = (
    "Hello again! Anna's doctor raised her Lisinopril to 40 mg on 2023-05-08. She will measure her "
    "blood pressure every morning. It was sunny."
)


def test_keywords_are_what_a_text_is_about() -> None:
    note = extract_note(TEXT)
    words = {word for keyword in note.keywords for word in keyword.casefold().split()}
    assert {"lisinopril", "blood", "pressure", "anna"} <= words
    assert not words & {"the", "was", "she", "her", "hello", "it"}
    assert len(note.keywords) <= notes.MOST_KEYWORDS


def test_what_is_rare_among_the_users_memories_comes_first() -> None:
    text = "The dentist found a cavity. The meeting was long."
    common = {"meeting": 90, "long": 80}
    rare_first = extract_note(text, frequencies=common, documents=100).keywords
    assert rare_first.index("dentist found") < rare_first.index("meeting")
    assert rare_first[-1] in {"long", "meeting"}


def test_tags_are_what_rules_see() -> None:
    assert {"date", "amount", "plan", "health"} <= set(extract_note(TEXT).tags)
    assert extract_note("Are you coming?").tags == ["question"]
    assert extract_note("My favourite tea is green").tags == ["preference"]
    assert extract_note("Mail me: a.b@example.org or see https://example.org").tags == [
        "contact",
        "link",
    ]
    assert extract_note("Nothing of the sort").tags == []


def test_the_context_says_when_where_who_and_what() -> None:
    context = extract_note(
        TEXT, occurred_at="2023-05-09T10:00:00", session_id="s7", provenance="tool"
    ).context
    assert context.startswith("2023-05-09, session s7, by tool: ")
    assert "Lisinopril" in context
    assert "sunny" not in context


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Mein Bruder wohnt seit drei Jahren in Hamburg.", "Hamburg"),
        ("Ma sœur habite à Lyon depuis longtemps.", "Lyon"),
        ("私は東京に住んでいます。", "東京"),
        ("我住在北京，喜欢喝茶。", "北京"),  # noqa: RUF001
        ("Я живу в Москве уже пять лет.", "Москве"),
        ("मुझे चाय पसंद है", "चाय"),
        ("ผมชอบกินข้าวผัด", "ผมชอบกินข้าวผัด"),
        ("SRVO-062 alarm", "srvo-062"),
    ],
)
def test_other_languages_and_codes_have_keywords(text: str, keyword: str) -> None:
    found = " | ".join(extract_note(text).keywords).casefold()
    assert keyword.casefold() in found


@pytest.mark.parametrize("text", ["", " ", "!!!", "😀", "a" * 100_000, "\n\n", "1 2 3", "'", "-"])
def test_texts_without_words_have_a_note_all_the_same(text: str) -> None:
    note = extract_note(text)
    assert note.keywords == []
    assert len(note.context) <= 250


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_bounded_note(text: str) -> None:
    note = extract_note(text, frequencies={"a": 3}, documents=5)
    assert len(note.keywords) <= notes.MOST_KEYWORDS
    assert len({keyword.casefold() for keyword in note.keywords}) == len(note.keywords)
    assert all(keyword.strip() and len(keyword) <= 150 for keyword in note.keywords)
    assert set(note.tags) <= set(notes.TAG_RULES)
    assert extract_note(text, frequencies={"a": 3}, documents=5) == note
    json.dumps(note.keywords).encode()


# Summaries ----------------------------------------------------------------------------------------


def test_a_summary_is_made_of_sentences_of_the_sources() -> None:
    texts = [
        "Anna walks in the park every day. The weather was bad.",
        "Anna likes to walk in the park with her dog.",
        "The dog is called Pilchard. Anna and the dog walk in the park.",
    ]
    summary = summarize(texts, 120)
    assert len(summary) <= 120
    assert all(any(line in text for text in texts) for line in summary.split("\n"))
    assert "park" in summary


def test_a_repetition_is_left_out_but_never_a_contradiction() -> None:
    once = summarize(["Anna takes her tablets daily.", "anna takes her tablets daily!"])
    assert once.count("tablets") == 1
    for other in (
        "Anna never takes her tablets daily.",
        "Anna takes her 2 tablets daily.",
        "Anna doesn't take her tablets daily.",
    ):
        both = summarize(["Anna takes her tablets daily.", other])
        assert both.count("tablets") == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_texts_have_a_summary_of_bounded_length(texts: list[str]) -> None:
    assert len(summarize(texts, 200)) <= 600


# Language models ----------------------------------------------------------------------------------

GOOD = {"keywords": ["tea", "tea"], "tags": ["drink"], "context": "About  tea."}
MEMORY = json.dumps({"content": "my secret diagnosis", "memory_id": "m"})
APIS = pytest.mark.parametrize("api", ["ollama", "openai"])


def options(server: MisbehavingServer, **more: Any) -> str:
    return json.dumps({"url": server.url, "model": "llama", "timeout_seconds": 5, **more})


def nothing() -> None:
    """No check for a cancelled statement."""


@APIS
def test_a_model_makes_a_note(api: str) -> None:
    with MisbehavingServer("good", reply=json.dumps(GOOD)) as server:
        note = json.loads(notes.ask_note(MEMORY, options(server, api=api), nothing))
        (request,) = server.requests
    assert note == {"keywords": ["tea"], "tags": ["drink"], "context": "About tea."}
    assert request.path == {"ollama": "/api/generate", "openai": "/v1/chat/completions"}[api]
    assert "my secret diagnosis" in json.dumps(request.body)


BAD_NOTES = {
    "no JSON": "Sure! Here is the note: keywords are tea",
    "cut off": json.dumps(GOOD)[:-5],
    "a list": "[]",
    "a number": "7",
    "a key too few": json.dumps({"keywords": [], "tags": []}),
    "a key too many": json.dumps(GOOD | {"sql": "drop table memory"}),
    "keywords as text": json.dumps(GOOD | {"keywords": "tea"}),
    "keywords of numbers": json.dumps(GOOD | {"keywords": [1, None]}),
    "a blank keyword": json.dumps(GOOD | {"keywords": [" "]}),
    "too many keywords": json.dumps(GOOD | {"keywords": [str(n) for n in range(33)]}),
    "a long keyword": json.dumps(GOOD | {"keywords": ["x" * 201]}),
    "no context": json.dumps(GOOD | {"context": None}),
    "a blank context": json.dumps(GOOD | {"context": ""}),
    "a zero byte": json.dumps(GOOD | {"context": "a\0b"}),
    "half a character": '{"keywords": [], "tags": [], "context": "\\ud800"}',
    "deep": "[" * 100_000,
}


@APIS
@pytest.mark.parametrize("case", sorted(BAD_NOTES))
def test_what_is_no_note_is_an_error(case: str, api: str) -> None:
    with (
        MisbehavingServer("good", reply=BAD_NOTES[case]) as server,
        pytest.raises(ProviderError) as caught,
    ):
        notes.ask_note(MEMORY, options(server, api=api), nothing)
    assert "answered with" in caught.value.message
    assert "secret" not in f"{caught.value} {caught.value.hint}"


MISBEHAVIOUR = [
    "slow", "slow_drip", "server_error", "overloaded", "not_found", "error_with_the_texts",
    "page_with_the_texts", "dropped", "dropped_chunks", "dropped_at_once", "no_http", "not_json",
    "deep_json", "other_json", "redirect", "huge", "huge_without_length", "compressed",
]  # fmt: skip


@APIS
@pytest.mark.parametrize("mode", MISBEHAVIOUR)
def test_misbehaviour_of_a_model_is_a_clear_error(mode: str, api: str) -> None:
    timeout = 0.4 if mode.startswith("slow") else 20
    with (
        MisbehavingServer(mode, reply=json.dumps(GOOD)) as server,
        pytest.raises(ProviderError) as caught,
    ):
        notes.ask_note(MEMORY, options(server, api=api, timeout_seconds=timeout), nothing)
    everything = f"{caught.value.message} {caught.value.detail} {caught.value.hint}"
    assert server.url in caught.value.detail
    assert "secret" not in everything
    assert "diagnosis" not in everything


def test_bad_options_of_a_text_provider() -> None:
    good = {"url": "http://nowhere.invalid", "model": "m"}
    assert chat.provider(good).url.path == "/api/generate"
    assert chat.provider(good | {"api": "openai"}).url.path == "/v1/chat/completions"
    for bad in ({}, good | {"batch": 3}, good | {"api": "soap"}, good | {"timeout_seconds": 0}):
        with pytest.raises(ArgumentError):
            chat.provider(bad)


NEIGHBOURS = json.dumps([{"memory_id": "a", "content": "x"}, {"memory_id": "b", "content": "y"}])
DECISION: dict[str, Any] = {
    "reason": "same tea",
    "neighbours": [{"memory_id": "a", "tags": ["tea"], "context": "More about tea"}],
    "links": [{"to": "b", "type": "supports", "weight": 0.8}],
}


def decide(reply: str) -> Any:
    with MisbehavingServer("good", reply=reply) as server:
        return json.loads(notes.ask_evolution(MEMORY, NEIGHBOURS, options(server), nothing))


def test_a_model_decides_about_neighbours_by_id() -> None:
    assert decide(json.dumps(DECISION)) == DECISION | {
        "neighbours": [{"memory_id": "a", "note": {"tags": ["tea"], "context": "More about tea"}}]
    }


SPOILED: dict[str, Callable[[Any], object]] = {
    "an unknown neighbour": lambda d: d["neighbours"][0].update(memory_id="z"),
    "a neighbour by position": lambda d: d["neighbours"][0].update(memory_id=0),
    "a link to nowhere": lambda d: d["links"][0].update(to="z"),
    "a weight over one": lambda d: d["links"][0].update(weight=2),
    "no number": lambda d: d["links"][0].update(weight=True),
    "no type": lambda d: d["links"][0].update(type="Is A"),
    "new content": lambda d: d["neighbours"][0].update(content="rewritten"),
    "no list": lambda d: d.update(links=None),
    "a list of texts": lambda d: d.update(neighbours=["a"]),
    "no reason": lambda d: d.pop("reason"),
}


@pytest.mark.parametrize("case", sorted(SPOILED))
def test_a_spoiled_decision_is_an_error(case: str) -> None:
    decision = json.loads(json.dumps(DECISION))
    SPOILED[case](decision)
    with pytest.raises(ProviderError):
        decide(json.dumps(decision))
