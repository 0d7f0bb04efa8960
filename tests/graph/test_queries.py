"""Every query: that it is documented, that it plans, and that no served one scans users or ratings."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RunningSystem

from common.errors import RecommenderError
from graph.database import Database
from graph.queries import FOLDER, query, query_names

SERVED = query_names()
JOBS = query_names("jobs")
# What people look with runs beside what serves: it may scan no more than that, but for the first so many users.
LOOKED = [*query_names("browser"), *query_names("explore")]
SCANS = {"AllNodesScan", "NodeByLabelScan", "DirectedAllRelationshipsScan", "UndirectedAllRelationshipsScan"}
SCANS |= {"DirectedRelationshipTypeScan", "UndirectedRelationshipTypeScan"}
# Labels with a handful of nodes, the catalogue, whose size is bounded, or those who asked to be forgotten.
SMALL_LABELS = {"Model", "StarsModel", "Catalogue", "Sequence", "IngestOffset", "Movie", "Erased"}
SMALL_LABELS |= {"DeletedMovie", "RefusedMovie"}

# A match of edges by a property: the edge's name, its type, the property and the line after.
EDGE_BY_PROPERTY = re.compile(r"^ *MATCH .*\[(\w*):(\w+) \{(\w+): .*\n(.*)", re.MULTILINE)


@pytest.fixture(scope="module")
def sample(system: RunningSystem) -> Iterator[Database]:
    with Database.from_settings(system.settings) as database:
        yield database


def parameters_of(text: str) -> set[str]:
    code = "\n".join(line.split("//")[0] for line in text.splitlines())
    return set(re.findall(r"\$(\w+)", code))


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", []):
        yield from operators(child)


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """The scans of a plan that grow with the users or ratings."""
    for operator in operators(plan):
        for child in operator.get("children", []):
            kind = child["operatorType"].split("@")[0]
            label = child["args"].get("Details", "").split(":")[-1]
            small = kind == "NodeByLabelScan" and label in SMALL_LABELS
            limited = kind == "NodeByLabelScan" and operator["operatorType"].startswith("Limit")
            if kind in SCANS and not small and not limited:
                yield f"{kind} {child['args'].get('Details', '')}"


def test_there_are_queries() -> None:
    assert len(SERVED) > 20
    assert len(LOOKED) > 10
    assert len(JOBS) > 3


@pytest.mark.parametrize("name", [*SERVED, *JOBS, *LOOKED])
def test_a_query_states_its_parameters(name: str) -> None:
    text = query(name)
    assert text.startswith("// ")
    comment = "\n".join(line for line in text.splitlines() if line.startswith("//"))
    for parameter in parameters_of(text):
        assert re.search(rf"\b{parameter}\b", comment), f"cypher/{name}.cypher does not tell of ${parameter}"


def test_edges_are_found_by_index_seeks_that_the_query_asks_for(sample: Database) -> None:
    """A plan made while an index has hardly any entries reads all of it for each row, also when it has grown."""
    rows = sample.run_text(
        "SHOW INDEXES YIELD entityType, labelsOrTypes, properties "
        "WHERE entityType = 'RELATIONSHIP' AND properties IS NOT NULL"
    )
    indexed = {(row["labelsOrTypes"][0], row["properties"][0]) for row in rows}
    found = 0
    for name in SERVED:
        for edge, kind, key, rest in EDGE_BY_PROPERTY.findall(query(name)):
            if (kind, key) in indexed:
                found += 1
                assert f"USING INDEX SEEK {edge}:{kind}({key})" in rest, f"cypher/{name}.cypher: {kind}.{key}"
    assert found > 10


@pytest.mark.parametrize("name", [*SERVED, *JOBS, *LOOKED])
def test_a_query_plans_on_the_sample(sample: Database, name: str) -> None:
    plan = sample.explain(query(name), **dict.fromkeys(parameters_of(query(name))))
    assert plan["operatorType"].startswith("ProduceResults")
    if name not in JOBS:
        assert list(scans(plan)) == []


@pytest.mark.parametrize("name", ["find_popular_movies", "find_trending_movies"])
def test_a_list_for_all_walks_down_an_index_as_far_as_its_page_needs(sample: Database, name: str) -> None:
    """Rather than sort all movies."""
    plan = sample.explain(query(name), **dict.fromkeys(parameters_of(query(name))))
    kinds = {operator["operatorType"].split("@")[0] for operator in operators(plan)}
    assert {"NodeIndexSeekByRange", "PartialTop"} <= kinds
    assert not kinds & {"NodeIndexScan", "Sort", "Top"}
    assert list(scans(plan)) == []


def test_a_missing_query_names_its_path() -> None:
    with pytest.raises(RecommenderError, match=re.escape(str(FOLDER / "no_such_query.cypher"))):
        query("no_such_query")
