"""Files that are whole or not there."""

import os
from pathlib import Path


def write_durably(file: Path, text: str, mode: int = 0o666) -> None:
    """Write a whole file so that a reader, also after a crash, finds the old text or the new one.

    It has the mode (less the umask) before anything is in it.
    """
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.touch(mode, exist_ok=False)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
