"""All limits of time that depend on each other, derived from RECOMMENDER_DEADLINE, the seconds an answer may take."""

from dataclasses import dataclass
from typing import Self

from common.errors import SettingsError

# Within so many seconds a request must have come in: from the first byte that is waited for to the last one.
ARRIVAL = 5.0
# Load balancers and `docker compose` give health checks little time, however long an answer may take.
LONGEST_READINESS = 1.5
LONGEST_CONNECT = 1.0
SPARE = 1.0


@dataclass(frozen=True)
class Budget:
    """How the deadline is shared out, and what must last longer than an answer; all in seconds."""

    deadline: float  # of an answer
    # Shares of it.
    admission: float  # waiting to be let in where many ask at a time
    freshness: float  # waiting to hear from Neo4j what has changed
    connect: float  # to Neo4j
    read: float  # one query
    retry: float  # repeating a query that Neo4j asks to repeat
    backlog: float  # finding out whether there is room on the event log
    apply: float  # events of a POST
    lists: float  # the lists of a POST
    batch: float  # beginning lists of many users; the others are left out
    erase: float  # a user's edges; the worker removes what is left
    title: float  # finding a movie for its page
    readiness: float  # asking all parts
    # What outlasts it.
    write: float  # a transaction: it may wait for another's lock
    settle: float  # from a switch of models until no answer uses the old edges
    stop: float  # of a process that is told to stop
    kill: float  # until it is ended by force

    @classmethod
    def of(cls, deadline: float) -> Self:
        """The limits for a deadline."""
        return cls(
            deadline=deadline,
            admission=0.05 * deadline,
            freshness=0.5 * deadline,
            connect=min(LONGEST_CONNECT, 0.5 * deadline),
            read=0.9 * deadline,
            retry=0.25 * deadline,
            backlog=0.1 * deadline,
            apply=0.5 * deadline,
            lists=0.3 * deadline,
            batch=0.9 * deadline,
            erase=0.5 * deadline,
            title=0.5 * deadline,
            readiness=min(LONGEST_READINESS, 0.75 * deadline),
            write=2.5 * deadline,
            settle=deadline + SPARE,
            stop=ARRIVAL + deadline + SPARE,
            kill=ARRIVAL + deadline + 3 * SPARE,
        )

    def __post_init__(self) -> None:
        """Raises SettingsError if the limits contradict each other."""
        within = max(
            self.admission, self.freshness, self.connect, self.read, self.batch, self.erase, self.title, self.readiness
        )
        for holds, contradiction in (
            (within < self.deadline, "a part takes longer than the answer"),
            (self.backlog + self.apply + self.lists < self.deadline, "a POST's parts take longer than its answer"),
            (self.write > self.apply, "a write is given up before its answer is"),
            (self.settle > self.deadline, "old edges go while an answer may use them"),
            (self.stop > ARRIVAL + self.deadline, "a process stops before its last answer is given"),
            (self.kill > self.stop, "a process is ended by force before it may stop"),
        ):
            if not holds:
                raise SettingsError(
                    f"limits for a deadline of {self.deadline:g} s contradict each other: {contradiction}"
                )
