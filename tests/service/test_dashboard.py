"""docs/grafana.json and docs/alerts.yml load, and ask for metrics that there are."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser
import pytest
import yaml
from conftest import RunningSystem, wait_until
from gunicorn_service import read_samples

from common.settings import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
# Grafana fills these in.
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
# Prometheus itself tells whether it could scrape.
NOT_OURS = {"up"}
WIDTH = 24


def metrics_of(query: str) -> Iterator[str]:
    """The names of the series that a query asks for. Fails if it is no PromQL."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    found: list[str] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(str(node.name))

    promql_parser.walk(promql_parser.parse(query), pre_visit=note)
    yield from found


@pytest.fixture(scope="module")
def told(system: RunningSystem) -> set[str]:
    """The names in a real answer of /metrics."""
    names: set[str] = set()

    def is_complete() -> bool:  # there is no hit rate before the first list
        names.update(name for name, _ in read_samples(system.get("/metrics").text))
        return "recommender_hit_rate" in names

    wait_until(is_complete, 90)
    return names


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_metrics_that_there_are(query: str, told: set[str]) -> None:
    names = set(metrics_of(query))
    assert names
    assert names - NOT_OURS <= told


def test_every_metric_is_on_the_dashboard_and_explained(told: set[str]) -> None:
    asked = {name for query in QUERIES for name in metrics_of(query)}
    families = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in told}
    assert families == {name.removesuffix("_bucket") for name in asked}
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [name for name in sorted(families) if f"`{name}`" not in operations] == []


def test_the_dashboard_has_what_grafana_wants() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["title"]
        assert panel["type"] in {"stat", "timeseries"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        place = panel["gridPos"]
        assert place["x"] >= 0 <= place["y"]
        assert place["x"] + place["w"] <= WIDTH
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "instance"}


def test_panels_do_not_overlap() -> None:
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_alerts_of_the_feed_ask_all_machines_together() -> None:
    """Only the leading worker polls, on one of them."""
    of_feed = {rule["alert"]: rule["expr"] for rule in RULES if "_feed_" in rule["expr"]}
    assert of_feed.keys() >= {"FeedFailing", "FeedSilent"}
    for query in of_feed.values():
        assert query.count("sum by (job) (increase(recommender_feed_") == query.count("recommender_feed_")


def test_alerts_have_what_prometheus_wants_and_say_what_is_wrong() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"| {rule['alert']} |" in operations
