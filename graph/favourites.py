"""What Neo4j Browser imports: queries worth having at hand (`cypher/browser/`), and how nodes and edges look."""

import zipfile
from pathlib import Path

from graph.queries import FOLDER, query, query_names

STYLE = FOLDER / "browser" / "style.grass"
# Where Browser puts them: a folder in its list of favourites.
BROWSER_FOLDER = "Recommender"


def title(name: str) -> str:
    """A favourite's title: its first line, as Browser shows it."""
    return query(name).splitlines()[0].removeprefix("//").strip()


NAMES = sorted(query_names("browser"), key=title)


def draw_recommendation(user_id: int, movie_id: int) -> str:
    """The favourite that draws why a movie is recommended, for one user and movie, ready to be pasted into Browser."""
    lines = query("browser/explain_a_recommendation").splitlines()
    code = "\n".join(line for line in lines if not line.startswith("//"))
    return code.replace("$userId", str(int(user_id))).replace("$movieId", str(int(movie_id)))


def write_favourites(file: Path) -> int:
    """Write a zip file of all favourites, in the order of their titles, and return how many there are.

    Dropped on Neo4j Browser's page, it adds a folder of favourites (Browser takes a folder from a zip file alone).
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(f"{BROWSER_FOLDER}/{Path(name).name}.cypher", query(name))
    return len(NAMES)
