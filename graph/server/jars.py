"""Fetching the servers' jars with Maven, once per `pom.xml`."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from common.settings import ROOT
from graph.errors import ServerError
from graph.server.java import find_java

POM = ROOT / "pom.xml"


def ensure_jars(cache: Path, pom: Path = POM) -> Path:
    """Folder with all jars of a POM; fetched if this one was never resolved before.

    Raises ServerError with Maven's own words, or with how to install Maven.
    """
    folder = cache / "jars" / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    if not folder.is_dir():
        partial = folder.with_suffix(f".{os.getpid()}")
        _copy_jars(pom, partial)
        try:
            partial.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return folder


def class_archive(jars: Path) -> Path:
    """Where the archive of the classes of these jars is, if it was made (`graph.server.class_archive`)."""
    return jars.with_suffix(".jsa")


def _copy_jars(pom: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *[_find_maven(), "-q", "-B", "-f", str(pom)],
        *["dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
    ]
    java_home = find_java().resolve().parent.parent
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "JAVA_HOME": str(java_home)}
    )
    if answer.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise ServerError(
            f"Maven could not fetch the jars of {pom.name}:\n{_last_errors(answer.stdout + answer.stderr)}"
        )


def _last_errors(output: str) -> str:
    errors = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    return "\n".join((errors or output.splitlines())[:3])


def _find_maven() -> str:
    if not shutil.which("mvn") and shutil.which("apt-get") and os.geteuid() == 0:
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "maven"]):
            subprocess.run(["apt-get", *arguments], capture_output=True, check=False)  # noqa: S607
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError(
            "Maven is needed once, to fetch Neo4j: `apt-get install maven` (Debian, Ubuntu), "
            "`dnf install maven` (Fedora) or `brew install maven` (macOS)"
        )
    return maven
