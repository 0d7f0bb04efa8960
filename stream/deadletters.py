"""What could not be read: tried again, for instance with a newer version of this code, or dropped."""

from datetime import datetime, timedelta

from pydantic import ValidationError

from common.errors import RecommenderError
from common.settings import Settings
from graph.server.home import MEGABYTE
from stream.decoding import FeedAnswer, FeedError, decode_answer
from stream.event_log.base import DeadLetter, EventLog
from stream.events import Event
from stream.mentions import tells_of


class LetterError(RecommenderError):
    """There is no such dead letter."""


def select_letters(log: EventLog, letter_ids: tuple[int, ...]) -> list[DeadLetter]:
    """The dead letters with these ids, all if none are given. Raises LetterError if one is not there."""
    letters = {letter.letter_id: letter for letter in log.dead_letters()}
    if missing := [str(letter_id) for letter_id in letter_ids if letter_id not in letters]:
        raise LetterError(f"no dead letter {', '.join(missing)}; see `python -m stream deadletters list`")
    return [letters[letter_id] for letter_id in letter_ids] if letter_ids else list(letters.values())


def replay_letters(log: EventLog, letters: list[DeadLetter], future: timedelta) -> tuple[int, int]:
    """Put what can be read by now on the log; the rest stays. Returns how many events that gave and how many stay.

    `future`: how far a sighting may be ahead of the time when its letter came.
    """
    replayed = staying = 0
    for letter in letters:
        answer = read_letter(letter, future)
        log.append(answer.sightings, again=True)
        for text, reason in answer.unreadable:
            log.bury(text, reason)
        replayed += len(answer.sightings)
        if (letter.body, letter.reason) in answer.unreadable:
            staying += 1
        else:
            log.drop_letters([letter.letter_id])
    return replayed, staying


def read_letter(letter: DeadLetter, future: timedelta) -> FeedAnswer:
    """A letter as an answer of the feed, also if it is a record of the log; unreadable as it was if it is neither."""
    try:
        return FeedAnswer([Event.model_validate_json(letter.body)])
    except ValidationError:
        pass
    try:
        return decode_answer(letter.body.encode(), letter.at, future)
    except FeedError:
        return FeedAnswer(unreadable=[(letter.body, letter.reason)])


def drop_letters_of(log: EventLog, user_ids: set[int]) -> int:
    """Remove the dead letters that tell of some users, as far as that can be read; returns how many."""
    found = [letter.letter_id for letter in log.dead_letters() if tells_of(letter.body, user_ids)]
    return log.drop_letters(found) if found else 0


def drop_old_letters(log: EventLog, now: datetime, settings: Settings) -> int:
    """Remove dead letters that are too old, and the oldest while all are too large; returns how many."""
    room = settings.dead_letter_megabytes * MEGABYTE
    old = []
    for letter in reversed(log.dead_letters()):
        room -= len(letter.body.encode(errors="replace"))
        if room < 0 or letter.at < now - timedelta(days=settings.dead_letter_days):
            old.append(letter.letter_id)
    return log.drop_letters(old) if old else 0
