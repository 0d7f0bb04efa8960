"""One Neo4j database: all queries run here."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

from neo4j import GraphDatabase, ManagedTransaction, Query, Record, RoutingControl, unit_of_work
from neo4j.auth_management import AuthManagers
from neo4j.exceptions import AuthError, DriverError, Neo4jError, TransientError
from neo4j.time import DateTime

from common.budget import Budget
from common.settings import Settings
from graph.credentials import read_password
from graph.errors import (
    ContentRefusedError,
    DatabaseReadOnlyError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
)
from graph.queries import query

# What goes wrong is told by our errors; by the driver, too, where logging is set up.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

Result = TypeVar("Result")

CONNECT_SECONDS = 1.0
# Where nobody waits for an answer.
RETRY_SECONDS = 15.0

# How a transaction ends that ran out of time: at its next step, or while it waited for a lock.
TIMED_OUT = (
    "Neo.ClientError.Transaction.TransactionTimedOut",
    "Neo.ClientError.Transaction.LockClientStopped",
    "Neo.ClientError.Transaction.Terminated",
)

# It stops, its disk is full, or too many wrong passwords came lately.
TEMPORARY = ("Neo.DatabaseError.", "Neo.ClientError.Security.AuthenticationRateLimit")
READ_ONLY = "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase"

REFUSED_CONTENT = {
    "Neo.ClientError.Schema.ConstraintValidationFailed",
    "Neo.ClientError.Statement.ArgumentError",
    "Neo.ClientError.Statement.ArithmeticError",
    "Neo.ClientError.Statement.TypeError",
}


class Transaction:
    """An open write transaction: the same queries by name, on one transaction."""

    def __init__(self, transaction: ManagedTransaction) -> None:
        self._transaction = transaction

    def run(self, name: str, /, **parameters: Any) -> list[Record]:
        """Run one query of `cypher/` and return its records."""
        return list(self._transaction.run(query(name), parameters))


class Database:
    """A driver and a database name. Cheap to make; connects at the first query. Not to be shared across a fork.

    A `read` or `write` waits until every transaction is applied that an earlier one may have seen a part of: the driver
    hands its bookmarks on.
    """

    def __init__(
        self,
        uri: str,
        user: str,
        password: str | Callable[[], str],
        name: str = "neo4j",
        budget: Budget | None = None,
    ) -> None:
        """`password`: or what returns it, asked until it does. `budget`: of who waits for what is done here."""
        self.name = name
        self._read_seconds = budget.read if budget else None
        self._write_seconds = budget.write if budget else None
        self._unknown = None if isinstance(password, str) else password
        connect = budget.connect if budget else CONNECT_SECONDS
        self._driver = GraphDatabase.driver(
            uri,
            auth=AuthManagers.basic(lambda: (user, password if isinstance(password, str) else password())),
            connection_timeout=connect,
            connection_acquisition_timeout=connect,
            max_transaction_retry_time=budget.retry if budget else RETRY_SECONDS,
            liveness_check_timeout=10.0,
            keep_alive=True,
            notifications_min_severity="OFF",
        )

    @classmethod
    def from_settings(cls, settings: Settings, *, interactive: bool = False) -> Self:
        """Open the configured database, or the embedded one with the password its home keeps.

        `interactive`: somebody waits for each answer, so that reads and writes keep to the budget of time.
        """
        return cls(
            settings.bolt_uri,
            settings.neo4j_user,
            partial(read_password, settings) if interactive else read_password(settings),
            settings.neo4j_database,
            settings.budget if interactive else None,
        )

    def read(self, name: str, /, **parameters: Any) -> list[Record]:
        """Run one reading query of `cypher/`."""
        return self._execute(query(name), parameters, RoutingControl.READ, self._read_seconds)

    def write(self, name: str, /, **parameters: Any) -> list[Record]:
        """Run one writing query of `cypher/` in a transaction of its own."""
        return self._execute(query(name), parameters, RoutingControl.WRITE)

    def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in one write transaction; it is called again if Neo4j asks for a retry."""

        @unit_of_work(timeout=self._write_seconds)
        def run(transaction: ManagedTransaction) -> Result:
            return work(Transaction(transaction))

        self._require_password()
        with _translated_errors(), self._driver.session(database=self.name) as session:
            return session.execute_write(run)

    def explain(self, text: str, **parameters: Any) -> dict[str, Any]:
        """The plan Neo4j would run for a query's text, without running it."""
        with _translated_errors(), self._driver.session(database=self.name) as session:
            plan = session.run(Query("EXPLAIN " + text), parameters).consume().plan
        return plan or {}

    def run_text(self, text: str, seconds: float | None = None, **parameters: Any) -> list[Record]:
        """Run one statement given by its text: the schema's statements, a tool's question. Never a request's.

        `seconds`: raise DatabaseUnavailableError if it takes longer.
        """
        return self._execute(text, parameters, RoutingControl.WRITE, seconds)

    def run_alone(self, text: str, **parameters: Any) -> None:
        """Run one statement that makes its own transactions (`CALL … IN TRANSACTIONS`). Never a request's."""
        with _translated_errors(), self._driver.session(database=self.name) as session:
            session.run(Query(text), parameters).consume()

    def is_reachable(self) -> bool:
        """Whether Neo4j answers right now."""
        try:
            with _translated_errors():
                self._driver.verify_connectivity()
        except DatabaseUnavailableError:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._driver.close()

    def _require_password(self) -> None:
        """Raise at once what there is to say of an unknown password: the driver asks for it once it has connected."""
        if self._unknown is not None:
            self._unknown()
            self._unknown = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(
        self, text: str, parameters: dict[str, Any], routing: RoutingControl, seconds: float | None = None
    ) -> list[Record]:
        self._require_password()
        with _translated_errors():
            return self._driver.execute_query(
                Query(text, timeout=seconds),
                parameters,
                routing_=routing,
                database_=self.name,
            ).records


def native(moment: DateTime | None) -> datetime | None:
    """A moment as Python's own type, of one that the driver read."""
    return moment.to_native() if moment is not None else None


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except AuthError as error:
        raise DatabaseRefusedError(f"Neo4j refused the user name or password ({error.message})") from error
    except TransientError as error:
        raise DatabaseUnavailableError(f"Neo4j cannot serve this now: {error.message}") from error
    except Neo4jError as error:
        code = error.code or ""
        if code.startswith(TIMED_OUT):
            raise DatabaseUnavailableError("Neo4j took longer than an answer may take") from error
        if code == READ_ONLY:
            raise DatabaseReadOnlyError(f"Neo4j writes no more since its disk was full: {error.message}") from error
        if code.startswith(TEMPORARY):
            raise DatabaseUnavailableError(f"Neo4j cannot serve this now: {error.message}") from error
        refusal = ContentRefusedError if code in REFUSED_CONTENT else DatabaseRefusedError
        raise refusal(f"Neo4j refused a query: {error.message}") from error
    except (DriverError, OSError) as error:
        raise DatabaseUnavailableError(f"Neo4j does not answer: {error}") from error
