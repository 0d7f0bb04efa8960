"""Neo4j's classes as Java maps them into memory (class data sharing): a start need not read each from its jar."""

import contextlib
import tempfile
from pathlib import Path

from graph.server.home import MEGABYTE, Home, Memory
from graph.server.jars import class_archive, ensure_jars
from graph.server.process import EmbeddedServer


def archive_classes(cache: Path) -> Path:
    """File of the classes that a Neo4j loads, made once per jars by starting and stopping one in a folder of its own.

    Another Java than the one that made it does not use it, and starts as it would without. Raises ServerError.
    """
    archive = class_archive(ensure_jars(cache))
    if not archive.is_file():
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            made = Path(folder) / archive.name
            server = EmbeddedServer(Home(Path(folder) / "home"), cache, f"-XX:ArchiveClassesAtExit={made}")
            with server.temporarily_up(Memory(512 * MEGABYTE, 128 * MEGABYTE)):
                pass
            with contextlib.suppress(FileNotFoundError):  # a Java that cannot make it does without
                made.replace(archive)
    return archive
