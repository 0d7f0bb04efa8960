"""Versions of the model: fitted, judged against the one in use, put to use, and gone back to."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from tqdm import tqdm

from engine.dataset import Dataset
from engine.evaluation import estimate_mean
from engine.forgetting import forget_users
from engine.models import SLIM, ItemModel
from engine.positives import Positives
from engine.training import NEIGHBOURS, FittedModel, fit_dataset, put_to_use
from graph.errors import RecommenderError
from graph.repositories.models import Model, Models
from graph.settings import Settings
from graph.times import utc_now

logger = logging.getLogger(__name__)

# Versions before the one in use that can be gone back to.
KEPT_VERSIONS = 3
MARGIN = 0.02


class QualityError(RecommenderError):
    """A new version is worse than the one in use."""


class VersionError(RecommenderError):
    """There is no such version to go back to."""


@dataclass(frozen=True)
class Archive:
    """Edges of versions, a Parquet file each, so that going back needs no fit."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings) -> "Archive":
        """The archive in the data folder."""
        return cls(settings.data / "models")

    def save(self, fitted: FittedModel) -> None:
        """Keep a version's edges."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._file(fitted.model.version).with_suffix(".part")
        fitted.edges.write_parquet(unfinished)
        unfinished.replace(self._file(fitted.model.version))

    def load(self, model: Model) -> FittedModel:
        """A version's edges. Raises VersionError if they are not here."""
        try:
            return FittedModel(model, pl.read_parquet(self._file(model.version)))
        except (OSError, pl.exceptions.PolarsError):
            raise VersionError(f"the edges of model {model.version} are not in {self.folder}: fit again") from None

    def keep_only(self, versions: set[str]) -> None:
        """Remove the edges of all other versions, and what a killed save left."""
        for file in self.folder.iterdir():
            if file.suffix != ".parquet" or file.stem not in versions:
                file.unlink()

    def _file(self, version: str) -> Path:
        return self.folder / f"{version}.parquet"


def refit(
    settings: Settings,
    models: Models,
    model: ItemModel = SLIM,
    margin: float = MARGIN,
    neighbours: int = NEIGHBOURS,
    *,
    quiet: bool = False,
) -> Model:
    """Fit the staged and the live ratings and put the new version to use while the service runs.

    Not if it finds the judges' newest likes worse than the version in use, by more than a share `margin` of that one's
    NDCG@20. Raises QualityError then, and changes nothing.
    """
    dataset = Dataset(settings.staging / models.get_dataset())
    forget_users(dataset, models.read_tombstones())
    with tqdm(total=100, unit="%", desc="Fitting", disable=quiet or None) as bar:
        live = models.read_live_positives(model.liked_from)
        fitted, positives = fit_dataset(
            dataset, utc_now(), live, model, neighbours, lambda share: bar.update(100 * share)
        )
    current = models.get_current_model()
    if current and current.parameters.get("liked_from") == model.liked_from:
        require_quality(fitted, current, models, positives, margin)
    elif current:
        logger.warning("not judged against model %s, which has learned from other stars", current.version)
    archive = Archive.of(settings)
    archive.save(fitted)
    _write(fitted, models, quiet=quiet)
    _forget_old(models, archive)
    return fitted.model


def require_quality(fitted: FittedModel, current: Model, models: Models, positives: Positives, margin: float) -> None:
    """Raise QualityError if a fit finds what was held out of it worse than the version in use does."""
    if len(positives.judges) == 0:
        return
    rows = models.read_similar(current.version)
    served = pl.DataFrame(rows, schema={"source": pl.Int64, "target": pl.Int64, "weight": pl.Float64}, orient="row")
    before, after = positives.judge(served), positives.judge(fitted.edges)
    change = estimate_mean(after - before)
    told = (
        f"NDCG@20 of {len(before):,} newest likes: {after.mean():.4f}, model {current.version} in use "
        f"{before.mean():.4f}, difference {change}"
    )
    # What may be chance is no reason.
    if change.mean < -margin * before.mean() and change.mean + change.half_width < 0:
        raise QualityError(
            f"the new version is worse by more than {margin:.0%} and was not put to use ({told}): "
            "look at what was loaded, or give --margin"
        )
    logger.info("%s", told)


def roll_back(settings: Settings, models: Models, version: str | None = None, *, quiet: bool = False) -> Model:
    """Put an earlier version to use again: the last before the one in use that was not gone back from, if None.

    Raises VersionError.
    """
    current, known = models.get_current_model(), models.list_models()
    if version is None:
        earlier = [one for one in known if current and one.fitted_at < current.fitted_at and not one.withdrawn]
        if not earlier:
            raise VersionError("there is no earlier version to go back to")
        wanted = earlier[0]
    else:
        named = [model for model in known if model.version == version]
        if not named:
            have = ", ".join(model.version for model in known) or "none"
            raise VersionError(f"there is no model {version}; there are: {have}")
        wanted = named[0]
    if current and wanted.version == current.version:
        raise VersionError(f"model {wanted.version} is in use already")
    _write(Archive.of(settings).load(wanted), models, quiet=quiet)
    if current and current.fitted_at > wanted.fitted_at:
        models.withdraw_model(current.version)
    return replace(wanted, withdrawn=False)


def _write(fitted: FittedModel, models: Models, *, quiet: bool) -> None:
    with tqdm(total=len(fitted.edges), unit="edge", desc="Writing", disable=quiet or None) as bar:
        put_to_use(fitted, models, bar.update)


def _forget_old(models: Models, archive: Archive) -> None:
    """Keep the version in use and the last ones before it."""
    current = models.get_current_model()
    others = [model.version for model in models.list_models() if current and model.version != current.version]
    models.remove_models(others[KEPT_VERSIONS:])
    archive.keep_only({*others[:KEPT_VERSIONS], *([current.version] if current else [])})
