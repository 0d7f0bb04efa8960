"""How much room the disks have that the service depends on. A folder is named by its setting: anybody may ask."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.disk import free_bytes
from common.settings import Settings
from graph.server.process import LEAST_ROOM as NEO4J_ROOM
from service.schemas import PartState
from stream.event_log.sqlite import LEAST_ROOM as EVENT_LOG_ROOM


@dataclass(frozen=True)
class Disk:
    """A folder, how it is named to people, and the bytes below which it counts as full."""

    folder: Path
    label: str
    least: int


def disks_of(settings: Settings) -> dict[str, Disk]:
    """The folders on whose room the service depends, by name."""
    disks = {"data": Disk(settings.data, "the data folder (RECOMMENDER_DATA)", EVENT_LOG_ROOM)}
    if settings.event_log.startswith("sqlite:"):
        folder = settings.event_log_path.parent
        disks["eventLog"] = Disk(folder, "the folder of the event log (RECOMMENDER_EVENT_LOG)", EVENT_LOG_ROOM)
    if settings.neo4j_uri is None:
        disks["neo4j"] = Disk(settings.neo4j_home, "Neo4j's folder (NEO4J_HOME)", NEO4J_ROOM)
    return disks


def measure(disks: Mapping[str, Disk]) -> dict[str, int]:
    """The free bytes of each."""
    return {name: free_bytes(disk.folder) for name, disk in disks.items()}


def disk_state(disks: Mapping[str, Disk], free: Mapping[str, int]) -> PartState:
    """Which disks are full."""
    full = [
        f"{disk.label} has {free[name]:,} bytes free, of {disk.least:,} needed: free some room"
        for name, disk in disks.items()
        if free[name] < disk.least
    ]
    return PartState(ready=not full, detail="; ".join(full) or "there is room")
