"""Encryption at rest: files and cached vectors sealed with AES-256-GCM under a ring of keys.

A sealed value is `MAGIC | key id (8 bytes) | nonce (12) | ciphertext | tag (16)`. What it belongs to
(the file's name, the cache's key) is authenticated with it, so a sealed value is no use
in another's place. A ring holds every key that anything may still be sealed under, and names the
one for new values; a file that is not sealed is read as it is.

The ring is `keys.json` in the home, mode 0600, or a link to where it is kept: beside the data it
protects copies and backups of the data alone. Nonces are random, so a key may seal 2**32 values
(NIST SP 800-38D, 8.3), which is 50 days at 1,000 vectors a second: rotate by then.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"\x93WRSEAL1"
RING_FILE = "keys.json"
KEY_BYTES, NONCE_BYTES, ID_BYTES, TAG_BYTES = 32, 12, 8, 16
OVERHEAD = len(MAGIC) + ID_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes by which a sealed value is longer."""


class SealError(Exception):
    """A sealed value that cannot be opened, or a ring that cannot be used."""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key: its secret in base64, and since when it is in the ring."""

    secret: str
    since: str


class KeyRing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys by id (16 hexadecimal digits). `current` seals what is new; "" seals nothing more."""

    current: str
    keys: dict[str, Key]

    def seal(self, value: bytes, belongs_to: str) -> bytes:
        """Return a value sealed under the current key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        header = MAGIC + bytes.fromhex(self.current)
        sealed = _cipher(self.keys[self.current].secret).encrypt(
            nonce, value, header + belongs_to.encode()
        )
        return header + nonce + sealed

    def open(self, sealed: bytes, belongs_to: str) -> bytes:
        """Return the value; raises SealError where a key is missing or a byte was changed."""
        end = len(MAGIC) + ID_BYTES
        header, nonce = sealed[:end], sealed[end : end + NONCE_BYTES]
        key = self.keys.get(header[len(MAGIC) :].hex())
        if not is_sealed(sealed) or key is None:
            raise SealError(f"sealed under key {key_of(sealed)}, which the ring does not hold")
        try:
            return _cipher(key.secret).decrypt(
                nonce, sealed[end + NONCE_BYTES :], header + belongs_to.encode()
            )
        except InvalidTag:
            raise SealError("its seal is broken: a byte was changed, or it lay elsewhere") from None

    def with_new_key(self) -> KeyRing:
        """Return the ring with one more key, which seals from now on."""
        key = Key(
            base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        name = secrets.token_hex(ID_BYTES)
        return KeyRing(name, {**self.keys, name: key})

    def without(self, name: str) -> KeyRing:
        """Return the ring without a key; raises SealError where it is the current one."""
        if name == self.current:
            raise SealError(f"key {name} seals what is new; rotate first")
        return KeyRing(self.current, {k: v for k, v in self.keys.items() if k != name})


@functools.lru_cache(maxsize=32)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(base64.b64decode(secret))


def is_sealed(value: bytes) -> bool:
    """Tell whether a value, or the beginning of one, is sealed."""
    return value.startswith(MAGIC) and len(value) >= len(MAGIC) + ID_BYTES


def key_of(value: bytes) -> str:
    """Return the id of the key that a value is sealed under."""
    return value[len(MAGIC) : len(MAGIC) + ID_BYTES].hex()


def find_ring(home: Path) -> KeyRing | None:
    """Return the ring of a home, None where it has none: nothing is sealed there.

    Raises SealError where it is no ring or others may read it.
    """
    file = home / RING_FILE
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return _load(file, status.st_mtime_ns, status.st_mode)


@functools.lru_cache(maxsize=8)
def _load(file: Path, _changed: int, mode: int) -> KeyRing:
    if stat.S_IMODE(mode) & 0o077:
        raise SealError(f"{file}: mode is {stat.S_IMODE(mode):04o}, others may read it; chmod 600")
    try:
        ring = msgspec.json.decode(file.read_bytes(), type=KeyRing)
        sizes = {len(base64.b64decode(key.secret, validate=True)) for key in ring.keys.values()}
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise SealError(f"{file}: not a key ring ({error})") from error
    if not sizes <= {KEY_BYTES} or (ring.current and ring.current not in ring.keys):
        raise SealError(f"{file}: not a key ring (keys of {KEY_BYTES} bytes, one of them current)")
    return ring


def save_ring(home: Path, ring: KeyRing) -> None:
    """Replace the ring of a home, where the link leads if it is one; readable by its owner alone."""
    file = (home / RING_FILE).resolve()
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(msgspec.to_builtins(ring), stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def home_of(file: Path) -> Path | None:
    """Return the nearest folder above a file that has a ring."""
    return next((folder for folder in file.parents if (folder / RING_FILE).exists()), None)


def read(file: Path) -> bytes:
    """Return what a file holds, opened where it is sealed; raises SealError, OSError."""
    value = file.read_bytes()
    if not is_sealed(value):
        return value
    home = home_of(file)
    ring = find_ring(home) if home else None
    if home is None or ring is None:
        raise SealError(f"{file} is sealed under key {key_of(value)}, and there is no {RING_FILE}")
    try:
        return ring.open(value, file.name)
    except SealError as error:
        raise SealError(f"{file}: {error}") from None


def sealed_for(target: Path, value: bytes) -> bytes:
    """Return the bytes to write at `target`: sealed where its home has a ring that seals."""
    home = home_of(target)
    ring = find_ring(home) if home else None
    if home is None or ring is None or not ring.current:
        return value
    return ring.seal(value, target.name)


def is_file_sealed(file: Path) -> bool:
    """Tell whether a file is sealed, from its beginning."""
    with file.open("rb") as stream:
        return is_sealed(stream.read(len(MAGIC) + ID_BYTES))


def seal_file(file: Path) -> None:
    """Seal a plain file where its home has a ring that seals; links to it elsewhere stay plain."""
    if is_file_sealed(file):
        return
    value = file.read_bytes()
    sealed = sealed_for(file, value)
    if sealed is not value:
        replace(file, sealed)


def replace(file: Path, content: bytes) -> None:
    """Replace a file's content atomically; its mode stays.

    The draft lies beside the folder: within it, a check of the artifact would find it too many.
    """
    draft = file.parent.parent / f".sealing-{os.getpid()}-{file.name}"
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(stat.S_IMODE(file.stat().st_mode))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
