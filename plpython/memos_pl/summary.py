"""Summaries by extraction: the sentences of a few texts that say most of what all of them say.

LexRank (Erkan and Radev 2004): sentences that are like many others are central. What is taken is
verbatim, so that nothing is said that no source says. A sentence like one taken before is left out
when it has the same numbers, names and negations: else it is not a repetition, however alike.
"""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from memos_pl.hashing import words
from memos_pl.notes import STOP_WORDS, sentences

MOST_SENTENCES = 200
LONGEST_SENTENCE = 500
DAMPING = 0.85
ITERATIONS = 50
TOO_ALIKE = 0.7
# Whatever has a digit, a capital inside of a sentence, or says no.
_CRITICAL = re.compile(
    r"\S*\d\S*|(?<=\s)[^\W\d_a-z]\w*|\b\w+n['\u2019]t\b"
    r"|\b(?i:no|not|never|none|nobody|nothing|neither|nor|without|cannot|stopp?e?d?|quit|nicht|kein\w*"
    r"|nie|ohne|ne|pas|non|jamais|sans|nunca|sin|não|sem|mai|senza|niet|geen)\b"
)


def _vectors(texts: Sequence[str]) -> list[dict[str, float]]:
    """Unit vectors of the words of sentences, rare ones counting more."""
    counts = [Counter(word for word in words(text) if word not in STOP_WORDS) for text in texts]
    documents = Counter(word for count in counts for word in count)
    vectors = []
    for count in counts:
        vector = {
            word: times * math.log(1 + len(texts) / documents[word])
            for word, times in count.items()
        }
        norm = math.sqrt(sum(weight * weight for weight in vector.values()))
        vectors.append({word: weight / norm for word, weight in vector.items()} if norm else {})
    return vectors


def _centrality(
    vectors: Sequence[dict[str, float]],
) -> tuple[list[float], dict[tuple[int, int], float]]:
    """How central each sentence is, and the similarity of each two."""
    count = len(vectors)
    similarity = {}
    neighbours: list[list[tuple[int, float]]] = [[] for _ in vectors]
    for a, b in combinations(range(count), 2):
        if alike := sum(weight * vectors[b].get(word, 0.0) for word, weight in vectors[a].items()):
            similarity[a, b] = alike
            neighbours[a].append((b, alike))
            neighbours[b].append((a, alike))
    degree = [sum(alike for _, alike in near) for near in neighbours]
    rank = [1 / count] * count
    for _ in range(ITERATIONS):
        rank = [
            (1 - DAMPING) / count
            + DAMPING * sum(rank[b] * alike / degree[b] for b, alike in neighbours[a])
            for a in range(count)
        ]
    return rank, similarity


def summarize(texts: Sequence[str], longest: int = 600) -> str:
    """At most `longest` characters of the most central sentences, in the order of the texts, one
    a line.
    """
    found: list[str] = []
    for text in texts:
        for sentence in sentences(unicodedata.normalize("NFC", text)):
            shortened = " ".join(sentence.split())
            if len(shortened) > LONGEST_SENTENCE:
                shortened = shortened[:LONGEST_SENTENCE].rsplit(" ", 1)[0] + " …"
            if shortened not in found and len(found) < MOST_SENTENCES:
                found.append(shortened)
    if not found:
        return ""
    rank, similarity = _centrality(_vectors(found))
    critical = [sorted(_CRITICAL.findall(sentence)) for sentence in found]
    taken: list[int] = []
    length = 0
    for index in sorted(range(len(found)), key=lambda i: (-rank[i], i)):
        repeats = any(
            similarity.get((min(index, other), max(index, other)), 0.0) > TOO_ALIKE
            and critical[index] == critical[other]
            for other in taken
        )
        if repeats or (taken and length + len(found[index]) + 1 > longest):
            continue
        taken.append(index)
        length += len(found[index]) + 1
    return "\n".join(found[index] for index in sorted(taken))


def summarize_json(texts: str, longest: int) -> str:
    """For SQL: texts as a JSON array, oldest first."""
    return summarize(json.loads(texts), longest)
