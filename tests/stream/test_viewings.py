"""Finish detection: what polls, sightings and clients say, in order, late and twice."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.settings import Settings
from graph.repositories.interactions import Viewing
from stream.events import API, FEED, Event, EventType
from stream.viewings import FinishRules, ViewingTracker

NOON = datetime(2026, 1, 1, 12)
Span = tuple[int, int, int, int | None]  # user, movie, start, finish (minutes after noon)


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def seen(at: int, movie: int, user: int = 1) -> Event:
    return Event(type=EventType.WATCHING, source=FEED, at=minute(at), user_id=user, movie_id=movie)


def polled(at: int) -> Event:
    return Event(type=EventType.POLLED, source=FEED, at=minute(at))


def told(kind: str, at: int, movie: int, user: int = 1) -> Event:
    """What a client tells, under an id of its own."""
    event_id = f"{kind} {user} {movie} {at}"
    return Event(
        type=EventType(kind),
        source=API,
        at=minute(at),
        user_id=user,
        movie_id=movie,
        event_id=event_id,
        rating=3 if kind == "rated" else None,
    )


def track(*events: Event, viewings: list[Viewing] | None = None, misses: int = 1, shortest: int = 0) -> ViewingTracker:
    """`shortest` in minutes."""
    tracker = ViewingTracker(viewings or [], FinishRules(misses, timedelta(minutes=shortest)))
    for event in events:
        tracker.apply(event)
    return tracker


def changed(tracker: ViewingTracker) -> list[Viewing]:
    return [*tracker.updated, *tracker.begun]


def spans(tracker: ViewingTracker) -> set[Span]:
    return {
        (
            v.user_id,
            v.movie_id,
            *((at - NOON) // timedelta(minutes=1) if at else None for at in (v.started_at, v.finished_at)),
        )
        for v in changed(tracker)
    }


def by_id(viewings: list[Viewing]) -> dict[str, Viewing]:
    return {viewing.event_id: viewing for viewing in viewings}


def test_who_is_seen_is_watching() -> None:
    tracker = track(seen(0, 7), seen(0, 8, user=2), polled(0))
    assert spans(tracker) == {(1, 7, 0, None), (2, 8, 0, None)}
    assert {viewing.source for viewing in changed(tracker)} == {FEED}


def test_absence_from_one_poll_finishes() -> None:
    events = [seen(0, 7), seen(0, 8, user=2), polled(0), seen(1, 8, user=2), polled(1)]
    assert spans(track(*events)) == {(1, 7, 0, 1), (2, 8, 0, None)}


@pytest.mark.parametrize("misses", [1, 2, 5])
def test_as_many_misses_finish_as_are_set(misses: int) -> None:
    polls = [seen(0, 7), *(polled(at) for at in range(misses + 1))]
    assert spans(track(*polls[:-1], misses=misses)) == {(1, 7, 0, None)}
    assert spans(track(*polls, misses=misses)) == {(1, 7, 0, misses)}
    assert spans(track(*polls, polled(misses + 1), misses=misses)) == {(1, 7, 0, misses)}


def test_only_misses_in_a_row_count() -> None:
    events = [seen(0, 7), polled(0), polled(1), seen(2, 7), polled(2), polled(3), seen(4, 7), polled(4)]
    assert spans(track(*events, misses=2)) == {(1, 7, 0, None)}
    assert spans(track(*events, polled(5), polled(6), misses=2)) == {(1, 7, 0, 6)}


def test_another_movie_finishes_at_once() -> None:
    assert spans(track(seen(0, 7), polled(0), seen(1, 8), misses=3)) == {(1, 7, 0, 1), (1, 8, 1, None)}
    assert spans(track(seen(0, 7), told("started", 1, 8))) == {(1, 7, 0, 1), (1, 8, 1, None)}


def test_what_others_watch_finishes_nothing() -> None:
    assert spans(track(seen(0, 7), seen(1, 8, user=2))) == {(1, 7, 0, None), (2, 8, 1, None)}


def test_the_same_movie_again_is_another_viewing() -> None:
    events = [seen(0, 7), polled(0), polled(1), seen(5, 7), polled(5)]
    assert spans(track(*events)) == {(1, 7, 0, 1), (1, 7, 5, None)}
    assert len(by_id(changed(track(*events)))) == 2


def test_a_client_finishes_what_it_started() -> None:
    tracker = track(told("started", 0, 7), told("progress", 3, 7), told("finished", 5, 7))
    assert spans(tracker) == {(1, 7, 0, 5)}
    assert [viewing.event_id for viewing in changed(tracker)] == ["started 1 7 0"]


def test_a_client_finishes_what_the_feed_shows() -> None:
    assert spans(track(seen(0, 7), polled(0), told("finished", 5, 7), polled(6))) == {(1, 7, 0, 5)}


def test_a_finish_is_kept_with_its_moment_and_its_id() -> None:
    [viewing] = track(seen(0, 7), told("finished", 3, 7)).begun
    assert (viewing.last_seen_at, viewing.finished_at, viewing.finish_id) == (minute(3), minute(3), "finished 1 7 3")


def test_a_viewing_may_end_the_moment_it_began() -> None:
    assert spans(track(told("started", 0, 7), told("finished", 0, 7))) == {(1, 7, 0, 0)}


def test_rules_are_those_of_the_settings() -> None:
    assert FinishRules.from_settings(Settings(finish_after_misses=3, shortest_viewing=60)) == FinishRules(
        3, timedelta(minutes=1)
    )


def test_a_finish_without_a_start_is_a_viewing_too() -> None:
    tracker = track(told("finished", 5, 7))
    assert spans(tracker) == {(1, 7, 5, 5)}
    assert tracker.told == {"finished 1 7 5"}


@pytest.mark.parametrize(
    ("events", "finished", "abandoned"),
    [
        ([seen(0, 7), polled(0), polled(3)], None, 3),
        ([seen(0, 7), polled(0), polled(5)], 5, None),
        ([seen(0, 7), seen(3, 8)], None, 3),
        ([told("started", 0, 7), told("started", 3, 8)], None, 3),
        ([seen(3, 8), seen(0, 7)], None, 3),
        ([told("started", 0, 7), told("finished", 1, 7)], 1, None),
        ([told("finished", 1, 7)], 1, None),
        # Once a client says so, it is finished after all.
        ([seen(0, 7), polled(0), polled(3), told("finished", 2, 7)], 2, None),
    ],
)
def test_a_viewing_too_short_to_count_is_kept_but_not_finished(
    events: list[Event], finished: int | None, abandoned: int | None
) -> None:
    tracker = track(*events, shortest=5)
    [viewing] = [viewing for viewing in changed(tracker) if viewing.movie_id == 7]
    assert viewing.finished_at == (None if finished is None else minute(finished))
    assert viewing.abandoned_at == (None if abandoned is None else minute(abandoned))
    assert viewing.event_id in tracker.told


def test_what_comes_after_an_abandoned_viewing_is_another_one() -> None:
    events = [seen(0, 7), polled(0), polled(3), seen(8, 7), polled(8), polled(20)]
    assert spans(track(*events, shortest=5)) == {(1, 7, 0, None), (1, 7, 8, 20)}


def test_polls_leave_what_clients_started() -> None:
    tracker = track(told("started", 0, 7), *(polled(at) for at in range(1, 9)))
    assert spans(tracker) == {(1, 7, 0, None)}
    [viewing] = changed(tracker)
    assert viewing.polls_since_seen == 0


def test_ratings_and_the_like_say_nothing_of_viewings() -> None:
    for kind in ("rated", "liked", "listed", "clicked"):
        assert changed(track(told("started", 0, 7), told(kind, 5, 8))) == changed(track(told("started", 0, 7)))


def test_a_feed_whose_clock_is_ahead_finishes_no_viewing_before_it_was_seen() -> None:
    assert spans(track(seen(60, 7), polled(0), polled(1))) == {(1, 7, 60, 60)}


def test_a_clock_of_ours_that_jumps_a_day_costs_only_the_moment_of_a_finish() -> None:
    """The feed tells when somebody was seen; our clock only tells when somebody was missing."""
    day = 24 * 60
    events = [seen(0, 7), polled(0), polled(1 + day), seen(3, 8), polled(3), polled(4), seen(5, 9), polled(5)]
    assert spans(track(*events)) == {(1, 7, 0, 1 + day), (1, 8, 3, 4), (1, 9, 5, None)}
    back = [seen(0, 7), polled(-day), polled(1 - day), seen(2, 8), polled(2 - day), polled(3)]
    assert spans(track(*back)) == {(1, 7, 0, 0), (1, 8, 2, 3)}
    # The same movie again within that day counts as the same viewing.
    assert spans(track(*events, seen(6, 7))) == spans(track(*events, polled(6)))


def test_late_sightings_belong_to_the_viewing_of_their_time() -> None:
    assert spans(track(told("started", 0, 7), told("finished", 9, 7), told("progress", 5, 7))) == {(1, 7, 0, 9)}
    assert spans(track(told("started", 5, 7), told("progress", 2, 7))) == {(1, 7, 2, None)}


def test_a_late_start_ended_when_the_next_movie_began() -> None:
    assert spans(track(told("started", 5, 8), told("started", 2, 7))) == {(1, 8, 5, None), (1, 7, 2, 5)}
    assert spans(track(told("started", 1, 8), told("progress", 5, 8), told("started", 2, 7))) == {
        (1, 8, 1, None),
        (1, 7, 2, 5),
    }


@pytest.mark.parametrize(("start", "end"), [(0, 2), (2, 5), (3, 5)])
def test_a_late_start_ended_when_its_user_was_next_seen_elsewhere(start: int, end: int) -> None:
    assert spans(track(seen(2, 8), seen(5, 8), told("started", start, 7))) == {(1, 8, 2, None), (1, 7, start, end)}


def test_a_start_that_comes_after_its_finish_does_not_stay_open() -> None:
    assert spans(track(told("finished", 5, 7), told("started", 2, 7))) == {(1, 7, 5, 5), (1, 7, 2, 5)}


def test_a_finish_from_before_does_not_end_what_began_later() -> None:
    assert spans(track(told("started", 5, 7), told("finished", 2, 7))) == {(1, 7, 5, None), (1, 7, 2, 2)}


def test_a_finish_is_never_before_the_last_sighting() -> None:
    assert spans(track(told("started", 0, 7), told("progress", 9, 7), told("finished", 5, 7))) == {(1, 7, 0, 9)}


def test_changed_is_what_must_be_written() -> None:
    before = changed(track(seen(0, 7), seen(0, 8, user=2), seen(0, 9, user=3), polled(0)))
    assert changed(track(viewings=before)) == []
    tracker = track(seen(0, 7), seen(1, 9, user=3), viewings=before)
    assert {viewing.user_id for viewing in changed(tracker)} == {1, 3}
    tracker = track(seen(1, 9, user=3), told("rated", 1, 7), polled(1), viewings=before)
    assert spans(tracker) == {(1, 7, 0, 1), (2, 8, 0, 1), (3, 9, 0, None)}
    finished = [viewing for viewing in changed(tracker) if viewing.finished_at]
    assert changed(track(seen(0, 7), polled(2), viewings=finished)) == []


def test_told_is_what_started_or_finished() -> None:
    tracker = track(seen(0, 7), seen(0, 8, user=2), polled(0))
    keys = {viewing.user_id: viewing.event_id for viewing in changed(tracker)}
    assert tracker.told == {keys[1], keys[2]}
    still = track(seen(1, 7), seen(1, 8, user=2), polled(1), viewings=changed(tracker))
    assert len(changed(still)) == 2
    assert still.told == set()
    finished = track(seen(2, 7), polled(2), polled(3), viewings=changed(still))
    assert finished.told == {keys[1], keys[2]}


def test_an_event_without_user_or_movie_is_an_error() -> None:
    with pytest.raises(ValueError, match="a started event has a user and a movie"):
        Event(type=EventType.STARTED, source=API, at=NOON, user_id=1)


users, movies, minutes = st.integers(1, 2), st.integers(1, 3), st.integers(0, 9)
client_events = st.builds(told, st.sampled_from(["started", "progress", "finished"]), minutes, movies, users)
sightings = st.builds(seen, minutes, movies, users)


@settings(deadline=None, max_examples=400)
@given(st.lists(client_events | sightings, max_size=10))
def test_all_events_again_in_any_order_change_nothing(events: list[Event]) -> None:
    once = track(*events)
    assert by_id(changed(track(*events, *events))) == by_id(changed(once))
    assert changed(track(*events, viewings=changed(once))) == []
    for viewing in changed(once):
        assert viewing.started_at <= viewing.last_seen_at <= (viewing.finished_at or viewing.last_seen_at)


@settings(deadline=None, max_examples=200)
@given(st.lists(client_events | sightings | st.builds(polled, minutes), max_size=12), st.integers(1, 3))
def test_each_event_twice_is_the_same_as_once(events: list[Event], misses: int) -> None:
    """As when the service applies an event at once and the writer once more."""
    events = sorted(events, key=lambda event: event.at)
    doubled = [same for event in events for same in [event] * (1 if event.type is EventType.POLLED else 2)]
    assert by_id(changed(track(*doubled, misses=misses))) == by_id(changed(track(*events, misses=misses)))


def apply_in_batches(batches: list[list[Event]], misses: int) -> tuple[dict[str, Viewing], list[str]]:
    """As the writer does, each batch reading what `read_viewings.cypher` reads; what is stored, and who was told."""
    stored: dict[str, Viewing] = {}
    followed: list[str] = []
    for batch in batches:
        users = {event.user_id for event in batch}
        since = min((event.at for event in batch), default=NOON)
        polls = any(event.type is EventType.POLLED for event in batch)
        read = [
            viewing
            for viewing in stored.values()
            if (viewing.user_id in users and (viewing.finished_at is None or viewing.finished_at >= since))
            or (polls and viewing.finished_at is None and viewing.source == FEED)
        ]
        tracker = track(*batch, viewings=read, misses=misses)
        # A finished viewing's polls are not stored.
        stored |= by_id([v if v.finished_at is None else replace(v, polls_since_seen=0) for v in changed(tracker)])
        followed += sorted(tracker.told)
    return stored, followed


@settings(deadline=None, max_examples=300)
@given(
    events=st.lists(client_events | sightings | st.builds(polled, minutes), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=6),
    misses=st.integers(1, 3),
)
def test_restarts_make_no_difference(events: list[Event], cuts: list[int], misses: int) -> None:
    events = sorted(events, key=lambda event: event.at)
    edges = sorted({0, *cuts, 20})
    batches = [events[start:end] for start, end in pairwise(edges)]
    whole, followed = apply_in_batches([events], misses)
    parts, followed_in_parts = apply_in_batches(batches, misses)
    assert parts == whole
    assert set(followed_in_parts) == set(followed)
    assert len(followed_in_parts) <= len(whole) + sum(viewing.finished_at is not None for viewing in whole.values())
