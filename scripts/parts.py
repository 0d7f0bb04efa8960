"""The processes of a run: started, started again, and ended."""

import json
import os
import subprocess
from pathlib import Path

import psutil

from common.settings import ROOT


class Part:
    """One process of the system, its output in a log file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], logs: Path) -> None:
        self.name = name
        self._command = command
        self._environment = {**os.environ, **environment}
        self.log = logs / f"{name}.log"
        self.process = self._start()

    def _start(self) -> psutil.Popen:
        with self.log.open("ab") as log:
            return psutil.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this program alone, which stops the parts in order
            )

    def revive(self) -> bool:
        """Start the process again if it has ended; returns whether it had."""
        if self.process.poll() is None:
            return False
        self.process = self._start()
        return True


def end_leftovers(file: Path, seconds: float) -> None:
    """End what an earlier run, killed itself, left running; by force after so many seconds."""
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return
    left = []
    for pid, created in known:
        if psutil.pid_exists(pid) and abs((process := psutil.Process(pid)).create_time() - created) < 1:
            left.append(process)
    end_processes(left, seconds)
    file.unlink()


def end_processes(processes: list[psutil.Process], seconds: float) -> None:
    """End processes and their children; by force after so many seconds."""
    family = []
    for process in processes:
        try:
            family += [process, *process.children(recursive=True)]
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(family, seconds)
    for process in alive:
        process.kill()
