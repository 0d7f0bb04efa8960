"""A disk of a few megabytes that a test fills: a tmpfs in a mount namespace of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from common.settings import ROOT

AS_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class SmallDisk:
    """The disk. Processes see it at `folder` if they are started by `entered` and a command; others at `seen`."""

    folder: Path
    holder: int

    @property
    def entered(self) -> list[str]:
        """What begins a command that is to have this disk."""
        user = [] if AS_ROOT else ["--user", "--preserve-credentials"]
        begin = ["sh", "-c", 'cd "$0" && exec "$@"', str(ROOT)]  # nsenter leads to /
        return ["nsenter", *user, "--mount", f"--target={self.holder}", *begin]

    @property
    def seen(self) -> Path:
        """The same folder, for processes that do not have the disk."""
        return Path(f"/proc/{self.holder}/root{self.folder}")

    def fill(self) -> None:
        """Leave no byte."""
        with (self.seen / "filler").open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while filler.write(bytes(size)):
                        pass
        assert shutil.disk_usage(self.seen).free == 0

    def use_up_names(self) -> None:
        """Leave no room for another file."""
        (self.seen / "names").mkdir(exist_ok=True)
        with suppress(OSError):
            for number in count():
                (self.seen / "names" / str(number)).touch()

    def empty(self) -> None:
        """Give back what was filled."""
        (self.seen / "filler").unlink(missing_ok=True)
        for file in (self.seen / "names").glob("*"):
            file.unlink()


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[SmallDisk]:
    """A disk with a tmpfs's mount options, `size=80m`, until the end of the block."""
    folder.mkdir()
    alone = [] if AS_ROOT else ["--user", "--map-root-user"]
    steps = f"mount -t tmpfs -o {options} tmpfs {folder} && echo && exec cat"
    command = ["unshare", *alone, "--mount", "sh", "-c", steps]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        yield SmallDisk(folder, holder.pid)
    finally:
        holder.communicate(timeout=10)
