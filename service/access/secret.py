"""What all processes of a service sign and scramble with, and nobody else knows."""

import secrets
from pathlib import Path

from common.files import exclusive, write_durably
from service.access.keys import KeysError

LENGTH = 64


def read_secret(file: Path) -> str:
    """The secret of a file, which whoever comes first makes. Raises KeysError if it cannot be had."""
    try:
        with exclusive(file.with_suffix(".lock")):
            if not file.exists():
                write_durably(file, secrets.token_hex(LENGTH // 2))
            secret = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise KeysError(f"the service's secret cannot be read: {error}") from error
    if len(secret) < LENGTH:
        raise KeysError(f"{file} is broken: remove it; a new one is made")
    return secret
