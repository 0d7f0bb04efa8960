"""Every REST path over real HTTP, on the running system; every answer is checked against the OpenAPI document."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
from conftest import RunningSystem, wait_until
from contract import Contract

from graph.database import Database
from service.push.change_feed import FRESH_SECONDS

Get = Callable[..., Any]
UNKNOWN_USER = 888_888


@pytest.fixture
def get(contract: Contract) -> Get:
    def call(template: str, query: str = "", *, status: int = 200, **path: int) -> Any:
        return contract.call("get", template.format(**path) + query, status)

    return call


@pytest.fixture
def post(contract: Contract) -> Get:
    def call(path: str, body: Any, *, status: int = 200) -> Any:
        return contract.call("post", path, status, json=body)

    return call


RECOMMENDATIONS = "/v1/users/{userId}/recommendations"


def is_stored(system: RunningSystem, event_id: str) -> bool:
    """Whether the list that a finish led to is in the graph: it is answered first, stored soon after."""
    with Database.from_settings(system.settings) as database:
        return bool(database.run_text("MATCH ()-[edge:RECOMMENDED {batchId: $id}]->() RETURN 1 LIMIT 1", id=event_id))


def test_the_documentation_page_and_its_assets_come_from_us(system: RunningSystem) -> None:
    page = system.get("/docs")
    assert page.ok
    assert "swagger-ui" in page.text
    assert "https://" not in page.text
    assert system.get("/docs/swagger/js/swagger-ui-bundle.js").ok


def test_health(get: Get, system: RunningSystem) -> None:
    assert get("/health/live") == {"live": True}
    wait_until(lambda: system.get("/health/ready").ok)  # one late answer makes it unready for a moment
    ready = get("/health/ready")
    parts = {"neo4j", "model", "eventLog", "worker", "background", "disk"}
    assert (ready["ready"], set(ready["parts"])) == (True, parts)


def test_recommendations_from_the_history(get: Get) -> None:
    answer = get(RECOMMENDATIONS, userId=2)
    assert (answer["userId"], answer["basis"], len(answer["recommendations"])) == (2, "history", 10)
    assert any(movie["because"] for movie in answer["recommendations"])
    scores = [movie["score"] for movie in answer["recommendations"]]
    assert scores == sorted(scores, reverse=True)
    history = get("/v1/users/{userId}/history", "?limit=200", userId=2)["history"]
    rated = {entry["movieId"] for entry in history}
    for movie in answer["recommendations"]:
        assert movie["movieId"] not in rated
        assert {reason["movieId"] for reason in movie["because"]} <= rated
        told = movie["current"] + sum(reason["contribution"] for reason in movie["because"])
        assert movie["because"] or told == pytest.approx(movie["score"], rel=1e-9)


def test_pages_of_recommendations_fit_together(get: Get) -> None:
    """While others watch, too: by the history alone what they do changes no order."""
    whole = get(RECOMMENDATIONS, "?limit=20&current=0", userId=3)["recommendations"]
    queries = (f"?limit=10&offset={offset}&current=0" for offset in (0, 10))
    parts = [movie for query in queries for movie in get(RECOMMENDATIONS, query, userId=3)["recommendations"]]
    assert [movie["movieId"] for movie in parts] == [movie["movieId"] for movie in whole]


def test_filters(get: Get) -> None:
    whole = get(RECOMMENDATIONS, "?limit=20&current=0", userId=4)["recommendations"]
    first = whole[0]["movieId"]
    without = get(RECOMMENDATIONS, f"?limit=19&exclude={first},999999&current=0", userId=4)["recommendations"]
    assert [movie["movieId"] for movie in without] == [movie["movieId"] for movie in whole[1:]]
    years = get(RECOMMENDATIONS, "?yearFrom=1990&yearTo=1994", userId=4)["recommendations"]
    assert years
    assert all(1990 <= movie["year"] <= 1994 for movie in years)
    comedies = get(RECOMMENDATIONS, "?genre=Comedy&limit=5", userId=4)["recommendations"]
    assert len(comedies) == 5
    for movie in comedies:
        assert "Comedy" in get("/v1/movies/{movieId}", movieId=movie["movieId"])["genres"]


def test_an_explanation_adds_up_to_the_score(get: Get) -> None:
    path = "/v1/users/{userId}/recommendations/{movieId}/explanation"
    listed = get(RECOMMENDATIONS, "?limit=50", userId=5)["recommendations"]
    first = next(movie for movie in listed if movie["because"])
    explained = get(path, userId=5, movieId=first["movieId"])
    told = explained["current"] + sum(reason["contribution"] for reason in explained["because"])
    assert told == pytest.approx(explained["score"], rel=1e-9)
    reasons = [reason["movieId"] for reason in explained["because"]]
    assert reasons[:3] == [reason["movieId"] for reason in first["because"]]
    seen = reasons[0]
    assert "seen" in get(path, userId=5, movieId=seen, status=404)["detail"]


def test_the_cypher_of_an_explanation_draws_paths(system: RunningSystem, get: Get) -> None:
    listed = get(RECOMMENDATIONS, "?limit=50", userId=5)["recommendations"]
    first = next(movie for movie in listed if movie["because"])
    path = "/v1/users/{userId}/recommendations/{movieId}/explanation"
    explained = get(path, userId=5, movieId=first["movieId"])
    with Database.from_settings(system.settings) as database:
        drawn = {record["path"].nodes[1]["movieId"] for record in database.run_text(explained["cypher"])}
    assert drawn >= {reason["movieId"] for reason in first["because"]}


def test_an_unknown_user_gets_an_answer(get: Get) -> None:
    answer = get(RECOMMENDATIONS, userId=UNKNOWN_USER)
    assert answer["basis"] in {"trending", "popular"}
    assert answer["recommendations"]
    assert get("/v1/users/{userId}/history", userId=UNKNOWN_USER)["history"] == []


def test_a_session_without_a_name(post: Get, get: Get) -> None:
    answer = post("/v1/sessions/recommendations", {"movieIds": [260, 1196], "limit": 3})
    assert (answer["userId"], answer["basis"], len(answer["recommendations"])) == (None, "history", 3)
    assert {reason["movieId"] for movie in answer["recommendations"] for reason in movie["because"]} <= {260, 1196}
    assert answer["unknownMovies"] == []


def test_movies_that_are_not_known_are_named_and_the_others_count(post: Get) -> None:
    path = "/v1/sessions/recommendations"
    some = post(path, {"movieIds": [999_999, 260, 2_147_483_647, 1196, 999_999], "limit": 3, "current": 0})
    assert some["unknownMovies"] == [999_999, 2_147_483_647]
    known = post(path, {"movieIds": [260, 1196], "limit": 3, "current": 0})
    assert some["recommendations"] == known["recommendations"]
    none = post(path, {"movieIds": [999_999]})
    assert none["unknownMovies"] == [999_999]
    assert none["basis"] in {"trending", "popular"}
    assert none["recommendations"]


def test_movies(get: Get) -> None:
    assert get("/v1/movies", "?query=terminatr")["movies"][0]["title"] == "The Terminator"
    assert get("/v1/movies", "?query=am%C3%A9lie")["movies"][0]["movieId"] == 4973
    assert get("/v1/movies", "?query=qqqqqq")["movies"] == []
    movie = get("/v1/movies/{movieId}", movieId=6)
    assert (movie["title"], movie["year"], movie["genres"]) == ("Heat", 1995, ["Action", "Crime", "Thriller"])
    similar = get("/v1/movies/{movieId}/similar", "?limit=5", movieId=6)["movies"]
    assert len(similar) == 5
    assert 6 not in {movie["movieId"] for movie in similar}
    assert len(get("/v1/movies/popular")["movies"]) == 10
    get("/v1/movies/trending")


@pytest.mark.parametrize("path", ["/v1/movies/{movieId}", "/v1/movies/{movieId}/similar"])
def test_an_unknown_movie_is_not_found(get: Get, path: str) -> None:
    assert "424242" in get(path, movieId=424_242, status=404)["detail"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=ten", "limit"),
        ("?offset=-1", "offset"),
        ("?exclude=1,x", "exclude"),
        ("?exclude=99999999999999999999", "exclude"),
        ("?yearFrom=0", "yearFrom"),
        ("?genre=", "genre"),
        ("?current=1.01", "current"),
        ("?current=-0.1", "current"),
        ("?current=all", "current"),
        ("?limitt=5", "limitt"),
    ],
)
def test_a_bad_parameter_is_named(get: Get, query: str, name: str) -> None:
    problem = get(RECOMMENDATIONS, query, userId=1, status=422)
    assert [error["name"] for error in problem["errors"]] == [name]
    assert name in problem["detail"]


@pytest.mark.parametrize("user_id", [0, 2**31, 10**30])
def test_an_id_out_of_range_is_named(get: Get, user_id: int) -> None:
    problem = get(RECOMMENDATIONS, userId=user_id, status=422)
    assert [error["name"] for error in problem["errors"]] == ["userId"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PATCH", "/v1/events", 405)])
def test_unknown_paths_and_methods_are_problems(system: RunningSystem, method: str, path: str, status: int) -> None:
    answer = requests.request(method, system.url + path, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"userId": 1, "movieId": 1, "type": "rated"}, "body"),
        ({"userId": 1, "movieId": 1, "type": "rated", "rating": 4.3}, "rating"),
        ({"userId": 1, "movieId": 1, "type": "finished", "rating": 4}, "body"),
        ({"userId": 1, "movieId": 1, "type": "liked", "value": 2}, "value"),
        ({"userId": 1, "type": "finished"}, "movieId"),
        ({"userId": 1, "movieId": 1, "type": "eaten"}, "type"),
        ({"userId": 1, "movieId": 1, "type": "finished", "at": "yesterday"}, "at"),
        ({"userId": 1, "movieId": 1, "type": "finished", "at": "2199-01-01T00:00:00Z"}, "at"),
        ([{"userId": 1, "movieId": 1, "type": "clicked"}, {"userId": "x"}], "[1].userId"),
        ([{"userId": 1, "movieId": 1, "type": "rated"}], "[0]"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_a_bad_event_is_named_and_nothing_is_stored(post: Get, body: Any, name: str) -> None:
    problem = post("/v1/events", body, status=422)
    assert name in {error["name"] for error in problem["errors"]}


def test_a_finished_movie_changes_the_next_answer_at_once(get: Get, post: Get) -> None:
    before = get(RECOMMENDATIONS, "?limit=200", userId=7)["recommendations"]
    finished = before[0]["movieId"]
    [result] = post("/v1/events", {"userId": 7, "movieId": finished, "type": "finished"})["results"]
    assert (result["applied"], result["received"], result["recommendationsUrl"]) == (True, True, None)
    fresh = result["recommendations"]["recommendations"]
    assert finished not in {movie["movieId"] for movie in fresh}
    assert finished in {reason["movieId"] for movie in fresh for reason in movie["because"]}
    after = get(RECOMMENDATIONS, userId=7)["recommendations"]
    assert [movie["movieId"] for movie in after] == [movie["movieId"] for movie in fresh]
    newest = get("/v1/users/{userId}/history", "?limit=1", userId=7)["history"][0]
    assert (newest["movieId"], newest["type"], newest["eventId"]) == (finished, "finished", result["eventId"])


def test_the_same_event_twice_is_one_event(get: Get, post: Get) -> None:
    event = {"userId": 8, "movieId": 2028, "type": "finished", "eventId": "twice-8"}
    first, second = (post("/v1/events", event)["results"][0] for _ in range(2))
    assert first["eventId"] == second["eventId"] == "twice-8"
    history = get("/v1/users/{userId}/history", "?limit=200", userId=8)["history"]
    assert [entry["eventId"] for entry in history].count("twice-8") == 1


EVENTS_OF_ONE_ID = [
    {"userId": 700_101, "movieId": 260, "type": "finished"},
    {"userId": 700_102, "movieId": 260, "type": "finished"},
    {"userId": 700_101, "movieId": 1, "type": "finished"},
    {"userId": 700_101, "movieId": 260, "type": "started"},
    {"userId": 700_101, "movieId": 260, "type": "rated", "rating": 4},
    {"userId": 700_101, "movieId": 260, "type": "rated", "rating": 4.5},
    {"userId": 700_101, "movieId": 260, "type": "liked"},
    {"userId": 700_101, "movieId": 260, "type": "liked", "value": -1},
    {"userId": 700_101, "movieId": 260, "type": "listed"},
    {"userId": 700_101, "movieId": 260, "type": "clicked"},
]


@pytest.mark.parametrize("first", range(len(EVENTS_OF_ONE_ID)))
def test_an_id_that_is_another_events_is_refused_and_nothing_is_taken(get: Get, post: Get, first: int) -> None:
    """Whatever else differs: user, movie, type, stars or value."""
    events = [event | {"eventId": f"one id {first}".replace(" ", "-")} for event in EVENTS_OF_ONE_ID]
    known, others = events[first], events[:first] + events[first + 1 :]
    [result] = post("/v1/events", known)["results"]
    assert result["applied"]
    bystander = {"userId": 700_102, "movieId": 318, "type": "finished"}
    for other in others:
        for body, name in ((other, "eventId"), ([other], "[0].eventId"), ([bystander, other], "[1].eventId")):
            problem = post("/v1/events", body, status=409)
            assert [error["name"] for error in problem["errors"]] == [name]
            assert known["eventId"] in problem["detail"]
            assert "recommendations" not in problem
    assert 318 not in {entry["movieId"] for entry in get("/v1/users/{userId}/history", userId=700_102)["history"]}
    [again] = post("/v1/events", known)["results"]
    assert (again["applied"], again["outcome"]) == (True, "repeated")
    if again["recommendations"]:
        assert again["recommendations"]["userId"] == known["userId"]


def test_two_events_of_one_id_in_a_request_are_refused(get: Get, post: Get) -> None:
    events = [{"userId": user, "movieId": 260, "type": "finished", "eventId": "both"} for user in (700_103, 700_104)]
    problem = post("/v1/events", events, status=409)
    assert [error["name"] for error in problem["errors"]] == ["[1].eventId"]
    assert get("/v1/users/{userId}/history", userId=700_103)["history"] == []


def test_each_event_says_what_became_of_it(contract: Contract, post: Get) -> None:
    def outcomes(*events: dict[str, Any]) -> list[tuple[str, bool]]:
        of_one = [{"userId": 700_105, "movieId": 260} | event for event in events]
        return [(result["outcome"], result["applied"]) for result in post("/v1/events", of_one)["results"]]

    late, early = ({"type": "rated", "rating": stars, "at": f"2026-0{stars}-01T00:00:00Z"} for stars in (5, 4))
    finish = {"type": "finished", "eventId": "finish-105"}
    assert outcomes(late, finish, finish) == [("applied", True), ("applied", True), ("repeated", True)]
    assert outcomes(early, finish | {"at": "2026-11-01T20:00:00Z"}) == [("outdated", False), ("repeated", True)]
    assert outcomes({"type": "clicked"}, {"type": "clicked", "at": "2026-01-01T00:00:00Z"}) == [
        ("applied", True),
        ("outdated", False),
    ]
    contract.call("delete", "/v1/events/in-advance")
    assert outcomes({"type": "liked", "eventId": "in-advance"}) == [("undone", False)]
    contract.call("delete", "/v1/users/700105")
    assert outcomes({"type": "liked"}) == [("erased", False)]


def test_not_interested_takes_effect_at_once(get: Get, post: Get) -> None:
    first = get(RECOMMENDATIONS, "?limit=1", userId=9)["recommendations"][0]["movieId"]
    post("/v1/events", {"userId": 9, "movieId": first, "type": "liked", "value": -1})
    after = get(RECOMMENDATIONS, "?limit=200", userId=9)["recommendations"]
    assert first not in {movie["movieId"] for movie in after}


def test_after_a_finish_every_process_answers_with_its_list(system: RunningSystem, get: Get, post: Get) -> None:
    path = f"{system.url}{RECOMMENDATIONS.format(userId=13)}"
    for _ in range(10):  # each time a new connection: both processes follow the graph
        first = requests.get(path, timeout=10).json()["recommendations"][0]
    [result] = post("/v1/events", {"userId": 13, "movieId": first["movieId"], "type": "finished"})["results"]
    told = result["recommendations"]
    wait_until(lambda: is_stored(system, result["eventId"]))
    answers = [requests.get(path, timeout=10).json() for _ in range(10)]
    assert [answer["recommendations"] for answer in answers] == [told["recommendations"]] * 10
    assert {answer["generatedAt"] for answer in answers} == {told["generatedAt"]}, "computed once"
    assert get(RECOMMENDATIONS, "?limit=3", userId=13)["recommendations"] == told["recommendations"][:3]
    assert get(RECOMMENDATIONS, "?limit=11", userId=13)["generatedAt"] != told["generatedAt"]
    with Database.from_settings(system.settings) as database:  # as if the list were just being stored
        database.run_text("MATCH ()-[o:RECOMMENDED {batchId: $id}]->() WHERE o.rank > 4 DELETE o", id=result["eventId"])
    assert len(get(RECOMMENDATIONS, "?limit=9", userId=13)["recommendations"]) == 9


def test_predicted_stars(get: Get, post: Get) -> None:
    predictions = "/v1/users/{userId}/predictions"
    answer = get(predictions, "?movies=318,50,1", userId=15)
    assert [entry["movieId"] for entry in answer["predictions"]] == [318, 50, 1]
    for entry in answer["predictions"]:
        assert entry["basis"] == "ratings"
        assert 0.5 <= entry["low"] < entry["stars"] < entry["high"] <= 5
        assert entry["because"]
    before = answer["predictions"][0]["stars"]
    movies = [entry["movieId"] for entry in get("/v1/movies/popular", "?limit=40")["movies"]]
    post("/v1/events", [{"userId": 15, "movieId": movie, "type": "rated", "rating": 0.5} for movie in movies])
    assert get(predictions, "?movies=318", userId=15)["predictions"][0]["stars"] < before - 0.3, "the bias follows"

    [nobody] = get(predictions, "?movies=318", userId=UNKNOWN_USER)["predictions"]
    assert (nobody["basis"], nobody["stars"]) == ("movie", pytest.approx(get("/v1/movies/318")["ratingMean"]))
    assert nobody["high"] - nobody["low"] > answer["predictions"][0]["high"] - answer["predictions"][0]["low"]
    some = get(predictions, "?movies=999999,318,0,50,4294967296,999999", userId=15)
    assert [entry["movieId"] for entry in some["predictions"]] == [318, 50]
    assert some["unknownMovies"] == [999_999, 0, 4_294_967_296]
    none = get(predictions, "?movies=999999", userId=15)
    assert (none["predictions"], none["unknownMovies"]) == ([], [999_999])
    assert answer["unknownMovies"] == []
    for wrong in ("", "?movies=", "?movies=1,", "?movies=" + ",".join(["1"] * 201)):
        assert "movies" in get(predictions, wrong, userId=15, status=422)["detail"]
    assert len(get(predictions, "?movies=" + ",".join(["1"] * 200), userId=15)["predictions"]) == 200


def test_recommendations_with_predicted_stars(get: Get) -> None:
    plain, told = (get(RECOMMENDATIONS, query, userId=16)["recommendations"] for query in ("", "?stars=true"))
    assert {movie["predictedRating"] for movie in plain} == {None}
    assert [movie["movieId"] for movie in told] == [movie["movieId"] for movie in plain]
    ids = ",".join(str(movie["movieId"]) for movie in told)
    predicted = get("/v1/users/{userId}/predictions", f"?movies={ids}", userId=16)["predictions"]
    assert [movie["predictedRating"] for movie in told] == [entry["stars"] for entry in predicted]


def test_an_event_taken_back_is_as_if_it_had_never_happened(contract: Contract, get: Get, post: Get) -> None:
    def listed() -> list[int]:  # by the history alone: others are watching, too
        answer = get(RECOMMENDATIONS, "?limit=20&current=0", userId=10)
        return [movie["movieId"] for movie in answer["recommendations"]]

    before = listed()
    event = {"userId": 10, "movieId": before[0], "type": "finished", "eventId": "/a//strange%20id?"}
    post("/v1/events", event)
    assert listed() != before
    for _ in range(2):
        undone = contract.call("delete", f"/v1/events/{quote(event['eventId'], safe='')}")
        assert undone == {"eventId": event["eventId"], "applied": True, "effects": 1}
        assert listed() == before
        post("/v1/events", event)
    assert listed() == before


def test_an_erased_user_is_gone_and_nothing_is_kept_of_them(contract: Contract, get: Get, post: Get) -> None:
    history = get("/v1/users/{userId}/history", "?limit=200", userId=12)["history"]
    rated = sum(entry["type"] == "rated" for entry in history)
    post("/v1/events", {"userId": 12, "movieId": 2028, "type": "liked"})
    for ratings, likes in ((rated, 1), (0, 0)):
        erased = contract.call("delete", "/v1/users/12")
        assert (erased["applied"], erased["removed"]["ratings"], erased["removed"]["likes"]) == (True, ratings, likes)
        event = {"userId": 12, "movieId": 2028, "type": "finished"}
        [result] = post("/v1/events", event)["results"]
        assert (result["applied"], result["recommendations"]) == (False, None)
        assert get("/v1/users/{userId}/history", userId=12)["history"] == []
        assert get(RECOMMENDATIONS, userId=12)["basis"] in {"trending", "popular"}


def test_a_viewing_of_what_was_recommended_is_told_as_a_hit(system: RunningSystem, get: Get, post: Get) -> None:
    [result] = post("/v1/events", {"userId": 11, "movieId": 2028, "type": "finished"})["results"]
    wait_until(lambda: is_stored(system, result["eventId"]))
    time.sleep(FRESH_SECONDS)  # until then, an answer of before holds
    third = result["recommendations"]["recommendations"][2]["movieId"]
    before = get("/v1/stats/feedback")
    post("/v1/events", {"userId": 11, "movieId": third, "type": "started"})
    after = get("/v1/stats/feedback", "?days=1")
    hits = [figures["ranks"][2]["hits"] for figures in (before, after)]
    assert hits[1] >= hits[0] + 1
    assert after["hits"] > before["hits"]
    assert after["listsWithHit"] > 0
    assert 0 < after["hitRate"] <= 1
    assert after["medianSecondsToHit"] <= after["slowSecondsToHit"]


def test_many_events_each_get_their_result(get: Get, post: Get) -> None:
    users = range(700_001, 700_026)
    events = [{"userId": user, "movieId": 318, "type": "finished"} for user in users]
    events.append({"userId": 700_001, "movieId": 1, "type": "rated", "rating": 4.5})
    results = post("/v1/events", events)["results"]
    assert len(results) == 26
    assert sum(result["recommendations"] is not None for result in results) == 20
    assert results[24]["recommendationsUrl"] == "/v1/users/700025/recommendations"
    assert results[25] == {**results[25], "recommendations": None, "recommendationsUrl": None, "applied": True}
    # One finished movie already steers the answer of somebody new.
    assert get(RECOMMENDATIONS, userId=700_025)["basis"] == "history"
