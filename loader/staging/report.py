"""What is reported of a staged input, and how many rejected lines are tolerated."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from common.errors import RecommenderError
from common.settings import Settings
from common.times import utc_now
from engine.dataset import Dataset
from loader.formats.accounts import KEPT_REJECTS, Account, Reject, read_rejects
from loader.formats.recognition import is_ratings_file
from loader.runs import timed
from loader.staging.stage import stage


class TooManyRejectsError(RecommenderError):
    """More lines were rejected than tolerated."""


@dataclass(frozen=True)
class Report:
    """Where every line of an input went, by kind of file (ratings, movies, probe, qualifying).

    `rejects` are the first rejected lines, `rejects_file` has all.
    """

    accounts: dict[str, Account]
    rejects: list[Reject]
    rejects_file: Path

    @classmethod
    def of(cls, dataset: Dataset) -> "Report":
        """What was found when a data set was staged."""
        accounts = {kind: Account(**counts) for kind, counts in dataset.manifest().accounts.items()}
        return cls(accounts, list(islice(read_rejects(dataset.rejects_file), KEPT_REJECTS)), dataset.rejects_file)

    def check_tolerance(self, share: float) -> None:
        """Raise TooManyRejectsError if more than this share of the ratings' lines was rejected."""
        ratings = self.accounts["ratings"]
        if ratings.rejected > share * ratings.lines:
            rejects = read_rejects(self.rejects_file)
            first = next(reject for reject in rejects if is_ratings_file(Path(reject.file).name))
            raise TooManyRejectsError(
                f"{ratings.rejected:,} of {ratings.lines:,} lines rejected, more than {share:.2%}; the first is {first}"
            )


# Takes the report as soon as there is one, before anything is changed.
Teller = Callable[[Report], object]


def stage_checked(path: Path, settings: Settings, tolerance: float, tell: Teller, *, quiet: bool) -> Dataset:
    """Stage an input, tell where its lines went, and hold it to the tolerance."""
    with timed("staged"):
        dataset = stage(path, settings.staging, latest=utc_now() + settings.future, quiet=quiet)
    report = Report.of(dataset)
    tell(report)
    report.check_tolerance(tolerance)
    return dataset
