"""Embeddings without a model: feature hashing of words, word pairs and pieces of words.

Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (ICML 2009): every feature
is hashed to one coordinate and a sign, so that a vector needs no vocabulary and collisions cancel
on average. Two texts are near each other when they share words or spelling. It knows nothing of
meaning: "car" and "automobile" are strangers.

A vector depends on the text and the number of dimensions only, not on the process or the machine
(a character younger than the Unicode tables of a server's Python is taken for a symbol). Changing
anything below changes the vectors: register a new model then, and let it be backfilled.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

from memos_pl.errors import ArgumentError

MAX_DIMENSIONS = 16_000  # of a halfvec

# Pieces of words carry most of the weight: spread over many coordinates they collide gently, and
# they match other forms and misspellings of a word.
PIECE_LENGTHS = range(2, 6)
PIECE_SHARE = 0.8
PAIR_WEIGHT = 0.25
# Longer words say more. Beyond this many characters they do not: links and codes must not drown
# the words.
LONG_WORD = 12
# A run without spaces (Thai, base64) is cut into words of this length, so that a word's cost is
# bounded.
LONGEST_WORD = 64
# English words that occur in any text. They count little, but they count: "to be or not to be"
# has a vector.
COMMON_WEIGHT = 0.2
COMMON_WORDS = frozenset(
    """
    a about after again all also am an and any are as at be because been before being both but
    by can could d did do does doing don down during each few for from further had has have
    having he her here hers herself him himself his how i if in into is it its itself just ll m
    may me might more most must my myself no nor not now o of off on once only or other our ours
    ourselves out over own re s same shall she should so some such t than that the their theirs
    them themselves then there these they this those through to too under until up ve very was
    we were what when where which while who whom whose why will with would you your yours
    yourself yourselves
    """.split()  # noqa: SIM905
)
# Odd 64-bit constants that mix the hashes of two words into the hash of the pair, in which order
# matters.
FIRST_OF_PAIR = 0x9E3779B97F4A7C15
SECOND_OF_PAIR = 0xC2B2AE3D27D4EB4F
MASK = 0xFFFFFFFFFFFFFFFF


class _WordTable(dict[int, str | None]):
    """For str.translate: separates words by spaces. Filled as characters are met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        replacement: str | None
        if category == "Cf" or 0xFE00 <= code <= 0xFE0F:  # invisible: joiners, variation selectors
            replacement = None
        elif category[0] == "P" or category[0] == "Z" or category in ("Cc", "Cs"):
            replacement = " "
        elif category[0] == "S" or category in ("Cn", "Co") or _is_ideograph(code):
            replacement = f" {character} "  # a word of its own: emoji, currency, Han, kana
        else:  # letters, digits and the marks that belong to letters (a vowel sign is no separator)
            replacement = character
        self[code] = replacement
        return replacement


def _is_ideograph(code: int) -> bool:
    """Han and kana: scripts without spaces, in which one character says as much as a word."""
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0x20000 <= code <= 0x3FFFF


_WORD_TABLE = _WordTable()


def words(text: str) -> list[str]:
    """The words of a text. Punctuation counts only in a text that has nothing else."""
    # Twice: folding undoes normal forms, and normalising brings capitals (mathematical bold A).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = folded.translate(_WORD_TABLE).split()
    if not found:
        found = [character for character in folded if unicodedata.category(character)[0] == "P"]
    if any(len(word) > LONGEST_WORD for word in found):
        found = [
            word[start : start + LONGEST_WORD]
            for word in found
            for start in range(0, len(word), LONGEST_WORD)
        ]
    return found


def _hash(feature: str) -> int:
    return int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")


# A session embeds the same few thousand words again and again. About 8 MB when full.
@lru_cache(maxsize=8192)
def _word_features(
    word: str, dimensions: int
) -> tuple[int, float, int, float, float, tuple[int, ...], tuple[int, ...]]:
    """What a word adds to a vector.

    (hash, weight, coordinate, amount; amount of a piece, coordinates with +, those with -)
    """
    code = _hash(word)
    weight = math.sqrt(min(len(word), LONG_WORD)) * (COMMON_WEIGHT if word in COMMON_WORDS else 1.0)
    marked = f"<{word}>"  # what begins or ends a word differs from the same letters inside
    plus: list[int] = []
    minus: list[int] = []
    for length in PIECE_LENGTHS:
        for start in range(len(marked) - length + 1):
            piece = _hash(f"<>{marked[start : start + length]}")  # no word begins like this
            (plus if piece & 1 else minus).append((piece >> 1) % dimensions)
    amount = math.sqrt(1 - PIECE_SHARE) * weight
    piece_amount = math.sqrt(PIECE_SHARE / (len(plus) + len(minus))) * weight
    signed = amount if code & 1 else -amount
    return code, weight, (code >> 1) % dimensions, signed, piece_amount, tuple(plus), tuple(minus)


def embed_text(text: str, dimensions: int, position: int = 1) -> list[float]:
    """One text as a vector of unit length. `position` names the text in an error."""
    found = words(text)
    vector = [0.0] * dimensions
    features = {word: _word_features(word, dimensions) for word in found}
    for word, count in Counter(found).items():
        _, _, coordinate, amount, piece_amount, plus, minus = features[word]
        scale = 1.0 + math.log(count)
        vector[coordinate] += scale * amount
        piece_amount *= scale
        for index in plus:
            vector[index] += piece_amount
        for index in minus:
            vector[index] -= piece_amount
    for (first, second), count in Counter(pairwise(found)).items():
        code, weight = features[first][:2]
        next_code, next_weight = features[second][:2]
        pair = (code * FIRST_OF_PAIR + next_code * SECOND_OF_PAIR) & MASK
        amount = PAIR_WEIGHT * min(weight, next_weight) * (1.0 + math.log(count))
        # The high bits of a product are the well mixed ones.
        vector[(pair >> 21) % dimensions] += amount if pair >> 63 else -amount
    norm = math.hypot(*vector)
    if norm < 1e-9:  # no words, or (in a handful of dimensions) words that cancel each other
        raise ArgumentError(
            "text without anything to embed",
            f"Text {position} has {len(text)} characters and {len(found)} words.",
            "Embed only texts that have a letter, a digit or another visible character.",
        )
    return [value / norm for value in vector]


def embed_texts(texts: Sequence[str | None], dimensions: int) -> list[str]:
    """Texts as halfvec literals ('[0.1,0,...]') of unit length, in the same order."""
    if not isinstance(dimensions, int) or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ArgumentError(
            "number of dimensions out of range",
            f"dimensions: {dimensions!r}",
            f"Pass 1 to {MAX_DIMENSIONS} dimensions; 384 is a good choice.",
        )
    check_texts(texts)
    # Half precision holds 3.3 decimal digits. One format for all is the fastest way to text.
    literal = "[" + ",".join(["%.4g"] * dimensions) + "]"
    return [
        literal % tuple(embed_text(str(text), dimensions, position))
        for position, text in enumerate(texts, start=1)
    ]


def check_texts(texts: Sequence[str | None]) -> None:
    """Refuse what no provider can embed: no array, nulls, nested arrays, blank texts."""
    hint = "Pass a one-dimensional array of texts that are neither null nor blank."
    if texts is None:
        raise ArgumentError("no texts to embed", "p_texts is null.", hint)
    for position, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            kind = "null" if text is None else "an array"
            raise ArgumentError("no text to embed", f"Text {position} is {kind}.", hint)
        if not text or text.isspace():
            raise ArgumentError("blank text", f"Text {position} is empty or blank.", hint)
