"""Answers of a language model, as JSON, from Ollama or anything that speaks OpenAI's protocol.

Runs in jobs, never inside a user's transaction. What comes back is not trusted: it is an object
that passed every check of its caller, or a ProviderError; see memos_pl.http.
"""

import json
from collections.abc import Mapping
from typing import Any

from memos_pl.errors import ArgumentError
from memos_pl.http import Check, Provider, exchange, misbehaviour

PATHS = {"ollama": "/api/generate", "openai": "/v1/chat/completions"}
KNOWN_OPTIONS = frozenset({"url", "api", "model", "api_key_env", "timeout_seconds"})
LONGEST_ANSWER = 1_000_000
# What a model is given of one memory.
LONGEST_TEXT = 8_000


def provider(options: Mapping[str, Any]) -> Provider:
    """Check the options of a text provider; raises ArgumentError on the first that is wrong."""
    if isinstance(options, Mapping) and (unknown := sorted(options.keys() - KNOWN_OPTIONS)):
        raise ArgumentError(
            "bad option of a text provider",
            unknown[0],
            f"Known are: {', '.join(sorted(KNOWN_OPTIONS))}.",
        )
    return Provider.from_options({"timeout_seconds": 120, **(options or {})}, PATHS)


def ask(server: Provider, instruction: str, text: str, check: Check) -> Mapping[str, Any]:
    """The JSON object that the model answers. `text` is data: no error message quotes it."""
    body: dict[str, Any]
    if server.api == "ollama":
        body = {"model": server.model, "system": instruction, "prompt": text}
        body |= {"format": "json", "stream": False, "options": {"temperature": 0}}
    else:
        messages = [
            {"role": "system", "content": instruction},
            {"role": "user", "content": text},
        ]
        body = {"model": server.model, "messages": messages, "temperature": 0}
        body |= {"response_format": {"type": "json_object"}}
    answer = exchange(server, body, LONGEST_ANSWER, [text], check)
    try:
        if server.api == "ollama":
            content = answer["response"]
        else:
            content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = None
    if not isinstance(content, str):
        raise misbehaviour(server, f"JSON that is not an answer of api {server.api}", "no text")
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise misbehaviour(
            server, "a text that is not JSON", f"{len(content)} characters"
        ) from None
    if not isinstance(parsed, dict):
        raise misbehaviour(server, "JSON that is no object", type(parsed).__name__)
    return parsed


def require_keys(
    server: Provider, answer: Mapping[str, Any], needed: set[str], optional: set[str]
) -> None:
    """Refuse an answer that lacks a key or has another one."""
    missing = sorted(needed - answer.keys())
    unknown = sorted(answer.keys() - needed - optional)
    if missing or unknown:
        # A key that the model made up may quote the text: its number is enough.
        detail = f"without {', '.join(missing)}" if missing else f"{len(unknown)} unknown keys"
        raise misbehaviour(server, "an object with the wrong keys", detail)


def require_text(server: Provider, name: str, value: Any, longest: int) -> str:
    """A text of the answer that can be stored."""
    if not isinstance(value, str) or not value.strip() or "\0" in value or len(value) > longest:
        raise misbehaviour(server, f"an unusable {name}", f"no text of 1 to {longest} characters")
    try:
        value.encode()  # half of a surrogate pair is no text
    except UnicodeEncodeError:
        raise misbehaviour(server, f"an unusable {name}", "it is not Unicode") from None
    return " ".join(value.split())


def require_texts(server: Provider, name: str, value: Any, most: int, longest: int) -> list[str]:
    """A list of texts of the answer, each once."""
    if not isinstance(value, list) or len(value) > most:
        raise misbehaviour(server, f"unusable {name}", f"no list of at most {most}")
    return list(dict.fromkeys(require_text(server, name, item, longest) for item in value))
