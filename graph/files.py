"""Files that are whole or not there."""

import os
from pathlib import Path


def write_durably(file: Path, text: str) -> None:
    """Write a whole file so that a reader, also after a crash, finds the old text or the new one."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
