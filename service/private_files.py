"""Files that only we may read, replaced as a whole."""

import os
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write a file with mode 0600; who reads it meanwhile sees the old content or the new one."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
