"""Versions of the model: fitted, judged against the one in use, put to use, and gone back to."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from tqdm import tqdm

from common.errors import RecommenderError
from common.files import make_private_folder
from common.settings import Settings
from common.times import utc_now
from engine.backtest import Judge
from engine.dataset import Dataset
from engine.forgetting import forget_users
from engine.interactions import FINISHED
from engine.models import SLIM, STORABLE, ItemModel, require_packages
from engine.training import FittedModel, Trial, fit_dataset, fit_weights, put_to_use
from graph.repositories.models import Model, Models
from graph.serving_rule import NEIGHBOURS

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
        make_private_folder(self.folder)
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

    Not if it finds what people watched next worse than the version in use does, by more than a share `margin` of that
    one's NDCG@10. Raises QualityError then, and changes nothing.
    """
    require_packages(model.name, model.packages)
    dataset = Dataset(settings.staging / models.get_dataset())
    forget_users(dataset, models.read_tombstones())
    with tqdm(total=100, unit="%", desc="Fitting", disable=quiet or None) as bar:
        live = models.read_live_positives(FINISHED)
        fitted, trial = fit_dataset(dataset, utc_now(), live, model, neighbours, lambda share: bar.update(100 * share))
    if current := models.get_current_model():
        require_quality(fitted.model, current, trial, margin)
    archive = Archive.of(settings)
    archive.save(fitted)
    _write(fitted, models, settings.budget.settle, quiet=quiet)
    _forget_old(models, archive)
    return fitted.model


def require_quality(fitted: Model, current: Model, trial: Trial, margin: float) -> None:
    """Raise QualityError if a fit finds what people watched after the last cut worse than the version in use does.

    Both are learned from what was before the cut, and served by their own rules.
    """
    judge = _judge_like(current, fitted, trial)
    if judge is None or not judge.asked:
        logger.warning("not judged against model %s: there is nobody to ask", current.version)
        return
    before, after = judge.measure(current.rule), trial.judge.measure(fitted.rule)
    change = judge.estimate(after - before)
    told = (
        f"NDCG@10 of the next movie of {len(before):,} users: {after.mean():.4f}, model {current.version} in use "
        f"{before.mean():.4f}, difference {change}"
    )
    # What may be chance is no reason.
    if change.mean < -margin * before.mean() and change.mean + change.half_width < 0:
        raise QualityError(
            f"the new version is worse by more than {margin:.0%} and was not put to use ({told}): "
            "look at what was loaded, or give --margin"
        )
    logger.info("%s", told)


def _judge_like(current: Model, fitted: Model, trial: Trial) -> Judge | None:
    """What judges the version in use: weights by its own parameters; None for a model that is not known any more."""
    if current.parameters == fitted.parameters:
        return trial.judge
    known = dict(current.parameters)
    model = STORABLE.get(str(known.pop("model", "")))
    if model is None:
        return None
    liked_from, neighbours = float(known.pop("liked_from", model.liked_from)), int(known.pop("neighbours", NEIGHBOURS))
    model = replace(model, liked_from=liked_from, parameters={**model.parameters, **known})
    return trial.backtest.judge(fit_weights(model, trial.backtest.judging.training, neighbours))


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
    _write(Archive.of(settings).load(wanted), models, settings.budget.settle, quiet=quiet)
    if current and current.fitted_at > wanted.fitted_at:
        models.withdraw_model(current.version)
    return replace(wanted, withdrawn=False)


def _write(fitted: FittedModel, models: Models, settle: float, *, quiet: bool) -> None:
    with tqdm(total=len(fitted.edges), unit="edge", desc="Writing", disable=quiet or None) as bar:
        put_to_use(fitted, models, settle, bar.update)


def _forget_old(models: Models, archive: Archive) -> None:
    """Keep the version in use and the last ones before it."""
    current = models.get_current_model()
    others = [model.version for model in models.list_models() if current and model.version != current.version]
    models.remove_models(others[KEPT_VERSIONS:])
    archive.keep_only({*others[:KEPT_VERSIONS], *([current.version] if current else [])})
