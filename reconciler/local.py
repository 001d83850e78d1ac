"""What an applier keeps on its own machine: the key that secrets are sealed with, and journals.

Nothing is decided by either: without the journals an approved plan is resumed all the same, and with another
key the next plan shows every secret as changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Final

from reconciler.journal import Unwritable
from reconciler.secrets import SecretError

_KEY_BYTES: Final = 32


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the user for what programs keep; RuntimeError where there is no home."""
    said = Path(environment.get("XDG_STATE_HOME", ""))
    return (said if said.is_absolute() else Path.home() / ".local" / "state") / "intentc"


def journals(root: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder of the journals of a repository; Unwritable where the user has no place for them."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    try:
        return state_folder(environment) / name / "journals"
    except RuntimeError:
        raise Unwritable("no place for the journal: this user has no home; set XDG_STATE_HOME") from None


def applier_key(environment: Mapping[str, str]) -> bytes:
    """Return the key of this applier, made on first need; SecretError where it is open to others."""
    try:
        path = _key_file(environment)
    except RuntimeError:
        raise SecretError("no place for the key: this user has no home; set INTENTC_KEY_FILE") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make_key(path)
        with path.open(encoding="ascii") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(4 * _KEY_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"cannot use the key file {path}: {error}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SecretError(f"others may read the key file {path}; run: chmod 600 {path}")
    if not re.fullmatch(f"[0-9a-f]{{{2 * _KEY_BYTES}}}", text):
        raise SecretError(f"the key file {path} holds no key; remove it, and plan again")
    return bytes.fromhex(text)


def _key_file(environment: Mapping[str, str]) -> Path:
    named = environment.get("INTENTC_KEY_FILE")
    return Path(named) if named else state_folder(environment) / "key"


def _make_key(path: Path) -> None:
    """Write a new key, as a whole or not at all; where two do it at once, the first one counts."""
    beside = path.with_name(f"{path.name}.{token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(token_hex(_KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        beside.unlink()
