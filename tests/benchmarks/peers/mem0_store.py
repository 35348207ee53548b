"""mem0's Memory on its pgvector store, turns stored as they are (infer=False)."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from typing import Any

os.environ["MEM0_TELEMETRY"] = "False"  # it would look for the network at every call
os.environ["MEM0_DIR"] = tempfile.mkdtemp(prefix="mem0-")
os.environ["OPENAI_API_KEY"] = "never used: no model is called"

from mem0 import Memory
from mem0.embeddings.base import EmbeddingBase
from protocol import Vectors, serve


class GivenVectors(EmbeddingBase):
    """In place of an embedding model."""

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self.vectors = vectors

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return self.vectors.embed(text)


class Mem0:
    """Memory.add and Memory.search."""

    version = version("mem0ai")

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        store = {"connection_string": dsn, "embedding_model_dims": dimensions}
        self.memory = Memory.from_config(
            {"vector_store": {"provider": "pgvector", "config": store}}
        )
        self.memory.embedding_model = GivenVectors(vectors)

    def add(self, turns: list[dict[str, Any]]) -> None:
        for turn in turns:
            about = {"turn": turn["turn"], "session": turn["session"], "said_at": turn["said_at"]}
            self.memory.add(turn["text"], user_id=turn["user"], metadata=about, infer=False)

    def search(self, user: str, text: str, limit: int) -> list[str]:
        found = self.memory.search(text, filters={"user_id": user}, top_k=limit)
        return [row["metadata"]["turn"] for row in found["results"]]


if __name__ == "__main__":
    serve(Mem0)
