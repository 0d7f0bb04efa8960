"""The Cypher queries: one file each under `cypher/`, loaded by name."""

from functools import cache

from common.errors import RecommenderError
from common.settings import ROOT

FOLDER = ROOT / "cypher"


@cache
def query(name: str) -> str:
    """Text of `cypher/<name>.cypher`; `name` may carry a folder, as in `jobs/count_graph`."""
    path = FOLDER / f"{name}.cypher"
    if not path.is_file():
        raise RecommenderError(f"query {name!r} is missing: {path} does not exist")
    return path.read_text(encoding="utf-8")


def query_names(folder: str = "") -> list[str]:
    """Names of all queries in one folder of `cypher/`, not below it."""
    return sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in (FOLDER / folder).glob("*.cypher"))
