"""LlamaIndex on its Postgres vector store, hybrid_search=True.

`hybrid` is the store's own query mode, `fusion` the QueryFusionRetriever that its guide recommends.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters
from llama_index.vector_stores.postgres import PGVectorStore
from protocol import Vectors, serve
from pydantic import PrivateAttr


class GivenVectors(BaseEmbedding):
    """In place of an embedding model."""

    _vectors: Vectors = PrivateAttr()

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self._vectors = vectors

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vectors.embed(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vectors.embed(text)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vectors.embed(query)


class LlamaIndex:
    """An index over the store; a retriever for each user."""

    version = version("llama-index-vector-stores-postgres")
    mode = "hybrid"

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        self.vectors = vectors
        store = PGVectorStore.from_params(
            connection_string=dsn.replace("postgresql:", "postgresql+psycopg2:", 1),
            async_connection_string=dsn.replace("postgresql:", "postgresql+asyncpg:", 1),
            table_name="turns",
            embed_dim=dimensions,
            hybrid_search=True,
            text_search_config="english",
            hnsw_kwargs={
                "hnsw_m": 16,
                "hnsw_ef_construction": 64,
                "hnsw_ef_search": 40,
                "hnsw_dist_method": "vector_cosine_ops",
            },
        )
        self.index = VectorStoreIndex.from_vector_store(store, embed_model=GivenVectors(vectors))
        self.retrievers: dict[tuple[str, int], BaseRetriever] = {}

    def add(self, turns: list[dict[str, Any]]) -> None:
        self.index.insert_nodes(
            [
                TextNode(
                    text=turn["text"],
                    embedding=self.vectors.embed(turn["text"]),
                    metadata={name: turn[name] for name in ("user", "turn", "session", "said_at")},
                )
                for turn in turns
            ]
        )

    def search(self, user: str, text: str, limit: int) -> list[str]:
        retriever = self.retrievers.get((user, limit))
        if retriever is None:
            retriever = self.retrievers[user, limit] = self._retriever(user, limit)
        return [row.node.metadata["turn"] for row in retriever.retrieve(text)][:limit]

    def _retriever(self, user: str, limit: int) -> BaseRetriever:
        def retriever(mode: str) -> BaseRetriever:
            return self.index.as_retriever(
                vector_store_query_mode=mode,
                similarity_top_k=limit,
                sparse_top_k=limit,
                filters=MetadataFilters(filters=[ExactMatchFilter(key="user", value=user)]),
            )

        if self.mode == "hybrid":
            return retriever("hybrid")
        return QueryFusionRetriever(
            [retriever("default"), retriever("sparse")],
            llm=MockLLM(),
            similarity_top_k=limit,
            num_queries=1,  # none but the question itself: no model is asked for more
            mode="relative_score",
            use_async=False,
        )


if __name__ == "__main__":
    (LlamaIndex.mode,) = sys.argv[1:]
    serve(LlamaIndex)
