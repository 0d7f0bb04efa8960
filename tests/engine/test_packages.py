"""What serves comparison only is imported when it is asked for; without it a message says what to install."""

import importlib.util
import logging
import subprocess
import sys

import pytest

import engine.models
from common.settings import ROOT, Settings
from engine.comparison import MODELS, choose_models
from engine.models import BM25, COSINE, SASREC, ItemModel, MissingPackagesError
from engine.stars import StarsParameters
from engine.stars_evaluation import evaluate_stars, split_folds
from engine.versions import refit
from graph.database import Database
from graph.repositories.models import Models
from tests.engine.test_stars_evaluation import draw_ratings

REMEDY = r"pip install -r requirements-evaluation\.txt"


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.models, "find_spec", lambda name: None)


def test_nothing_of_it_is_imported_before_it_is_asked_for() -> None:
    asked = "import sys, engine.__main__, loader.__main__; print(*{'implicit', 'surprise', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.usefixtures("without_packages")
def test_models_without_their_packages_are_left_out_unless_named(caplog: pytest.LogCaptureFixture) -> None:
    assert [model.key for model in choose_models()] == ["popularity", "lately", "ease", "slist", "ours"]
    assert [message for message in caplog.messages if "requirements-evaluation.txt" in message] == caplog.messages
    assert len(caplog.messages) == len(MODELS) - 5
    assert [model.key for model in choose_models(["ease", "popularity"])] == ["ease", "popularity"]
    for key in ("sasrec", "ials", "bm25"):
        with pytest.raises(MissingPackagesError, match=REMEDY):
            choose_models(["ease", key])


def test_with_their_packages_all_models_are_compared(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine.models, "find_spec", lambda name: importlib.util.find_spec("json"))
    caplog.set_level(logging.INFO)
    assert choose_models() == list(MODELS.values())
    assert choose_models(["sasrec"]) == [SASREC]
    assert not caplog.records


@pytest.mark.usefixtures("without_packages")
def test_stars_are_evaluated_only_without_the_factorisations() -> None:
    with pytest.raises(MissingPackagesError, match=REMEDY):
        evaluate_stars(list(split_folds(draw_ratings(), 3)), StarsParameters())


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize("model", [COSINE, BM25], ids=["cosine", "bm25"])
def test_a_fit_of_such_a_model_says_what_to_install(model: ItemModel, database: Database, settings: Settings) -> None:
    with pytest.raises(MissingPackagesError, match=REMEDY):
        refit(settings, Models(database), model, quiet=True)
