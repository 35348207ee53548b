"""The format of what is encrypted, written down a second time with Python's own ciphers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from key_support import SEALED, keyed, opened, stored, tell
from memory_support import Connection, rows, value
from support.people import sqlstate_of
from support.postgres import Database

ADD = "select memos.add_memory(%s, %s, p_metadata => %s, p_privacy_level => 'restricted')"


def mac(secret: bytes, *parts: bytes) -> bytes:
    return hmac.digest(secret, b"".join(parts), hashlib.sha256)


def decrypt(secret: bytes, sealed: bytes, context: str) -> bytes:
    """IV, AES-256-CBC with PKCS#7, HMAC-SHA-256 over context, NUL, IV and ciphertext."""
    body, tag = sealed[:-32], sealed[-32:]
    assert mac(mac(secret, b"memos authentication"), context.encode(), b"\0", body) == tag
    cipher = Cipher(algorithms.AES256(mac(secret, b"memos encryption")), modes.CBC(body[:16]))
    decryptor, unpadder = cipher.decryptor(), padding.PKCS7(128).unpadder()
    padded = decryptor.update(body[16:]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def encrypt(secret: bytes, plain: bytes, context: str, iv: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES256(mac(secret, b"memos encryption")), modes.CBC(iv)).encryptor()
    body = iv + cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
    return body + mac(mac(secret, b"memos authentication"), context.encode(), b"\0", body)


@pytest.fixture(scope="module")
def superuser(module_database: Database) -> Any:
    with module_database.connect() as connection:
        yield connection


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.text(max_size=30))
def test_both_read_what_the_other_wrote(
    superuser: Connection, secret: bytes, plain: bytes, context: str
) -> None:
    context = context.replace("\0", "").encode("utf-8", "ignore").decode()
    sealed = superuser.execute(
        "select memos_private.encrypt(%s, %s, %s)", (secret, plain, context)
    ).fetchone()[0]
    assert decrypt(secret, sealed, context) == plain
    read = "select memos_private.decrypt(%s, %s, %s)"
    ours = encrypt(secret, plain, context, bytes(range(16)))
    assert superuser.execute(read, (secret, ours, context)).fetchone()[0] == plain
    for wrong in (
        (secret[::-1] if secret != secret[::-1] else b"x" * 32, ours, context),
        (secret, ours, context + "."),
        (secret, ours[:-1], context),
        (secret, b"", context),
        (secret, bytes([ours[0] ^ 1]) + ours[1:], context),
        (secret, ours[:20] + bytes([ours[20] ^ 1]) + ours[21:], context),
        (secret, ours[:-1] + bytes([ours[-1] ^ 1]), context),
    ):
        assert superuser.execute(read, wrong).fetchone()[0] is None


def test_a_fixed_vector(superuser: Connection) -> None:
    secret, iv = bytes(range(32)), bytes(range(100, 116))
    sealed = encrypt(secret, b"the same for ever", "memory 1 a b 1", iv)
    assert (
        hashlib.sha256(sealed).hexdigest()
        == "880cfccaecf4e5fe2844f00e767950958daf043063bf406adbf409f0bae1bacd"
    )
    read = superuser.execute(
        "select memos_private.decrypt(%s, %s, 'memory 1 a b 1')", (secret, sealed)
    ).fetchone()[0]
    assert read == b"the same for ever"


def test_a_memory_is_read_by_the_description_of_its_format(
    module_database: Database, app: Connection, user: UUID
) -> None:
    wrapping = keyed(app, user)
    with opened(app, user, wrapping):
        memory = tell(app, user, "Takes n\u0303o pills", p_metadata={"dose": 0.1})
    content, content_hash, metadata = stored(module_database, memory)
    with module_database.connect() as superuser:
        key_id, wrapped = superuser.execute(
            "select key_id, wrapped from memos_private.user_key where user_id = %s", (user,)
        ).fetchone()
    secret = decrypt(wrapping, wrapped, f"user key 1 {user} {key_id}")
    assert content.startswith(f"{SEALED}{key_id}:")
    sealed = base64.b64decode(content.rpartition(":")[2], validate=True)
    plain = json.loads(decrypt(secret, sealed, f"memory 1 {user} {memory} {key_id}"))
    assert plain == {"content": "Takes n\u0303o pills", "metadata": {"dose": 0.1}}
    assert metadata == {}
    normal = unicodedata.normalize("NFC", plain["content"]).encode()
    assert content_hash == mac(mac(secret, b"memos identity"), hashlib.sha256(normal).digest())


@settings(max_examples=60, deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300
    ).filter(lambda text: text.strip(" \t\n\r\f\v\x1c\x1d\x1e\x1f\x85\u3000").strip() != ""),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text("abc"),
        max_size=3,
    ),
)
def test_any_text_comes_back(module_database: Database, content: str, metadata: dict) -> None:
    with module_database.connect("memos_app") as app:
        user = value(app, "memos.user_id", "anybody")
        status = rows(app, "memos.key_status", user)[0]
        if status[0] is None:
            value(app, "memos.create_user_key", user, bytes(range(32)))
        with opened(app, user, bytes(range(32))):
            refused = sqlstate_of(app, ADD, user, content, json.dumps(metadata))
            if refused is not None:  # what looks like an identifier, as ever
                assert refused == "MO451"
                return
            memory = tell(app, user, content, p_metadata=metadata)
            row = rows(app, "memos.get_memory", user, memory)[0]
            again = tell(app, user, content)
        assert unicodedata.normalize("NFC", row[2]) == unicodedata.normalize("NFC", content)
        assert again == memory
        assert stored(module_database, memory)[0].startswith(SEALED)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 49_990, 60_000, 1_048_576])
def test_sizes(module_database: Database, app: Connection, user: UUID, size: int) -> None:
    wrapping = keyed(app, user)
    text = ("word " * (size // 5 + 1))[: size - 1] + "."
    with opened(app, user, wrapping):
        memory = tell(app, user, text)
        assert rows(app, "memos.get_memory", user, memory)[0][2] == text
    with module_database.connect() as superuser:
        posted = superuser.execute(
            "select count(*) from memos_private.posting where user_id = %s", (user,)
        ).fetchone()
    assert posted == (0,)
