"""The fit against dense float64 solves of the same regressions, written here from DESIGN, "The engine"."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads
from scipy.sparse import csr_array

import engine.similarity
from engine.similarity import Similarities, SimilarityParameters, fit_similarities, gram_matrix, most_rated

CUT = SimilarityParameters(
    neighbours=4,
    candidates=7,
    ridge=3.0,
    popularity_ridge=0.4,
    candidate_exponent=0.5,
    user_exponent=0.5,
    popularity_discount=0.1,
)


def random_positives(seed: int, users: int = 90, movies: int = 31) -> np.ndarray:
    """A dense 0/1 matrix with long and short users, popular and rare movies, and groups with common taste."""
    generator = np.random.default_rng(seed)
    activity = generator.uniform(0.3, 2.0, users)
    popularity = generator.uniform(0.02, 0.5, movies)
    taste = np.where(generator.integers(0, 3, users)[:, None] == generator.integers(0, 3, movies), 1.6, 0.6)
    return (generator.random((users, movies)) < activity[:, None] * popularity * taste).astype(np.float64)


def solve_by_brute_force(x: np.ndarray, p: SimilarityParameters) -> np.ndarray:
    """Weights, source x target, zero where there is no edge."""
    length = x.sum(axis=1)
    gram = x.T @ np.diag(np.where(length > 0, np.maximum(length, 1) ** -p.user_exponent, 0)) @ x
    strength = gram.diagonal()
    movies = len(gram)
    system = gram + np.diag(p.ridge * strength.sum() / x.sum() + p.popularity_ridge * strength)
    first = np.zeros((movies, movies))
    for j in range(movies):
        able = [i for i in range(movies) if i != j and gram[i, j] > 0]
        able = sorted(able, key=lambda i: (-gram[i, j] / strength[i] ** p.candidate_exponent, i))[: p.candidates]
        if able:
            first[able, j] = np.linalg.solve(system[np.ix_(able, able)], gram[able, j])
            first[able, j] *= strength[j] ** -p.popularity_discount
    final = np.zeros((movies, movies))
    kept = [set(np.argsort(-np.abs(row), kind="stable")[: p.neighbours]) & set(np.flatnonzero(row)) for row in first]
    for j in range(movies):
        own = [i for i in range(movies) if j in kept[i]]
        if own:
            final[own, j] = np.linalg.solve(system[np.ix_(own, own)], gram[own, j])
            final[own, j] *= strength[j] ** -p.popularity_discount
    return final


def to_dense(found: Similarities, movies: int) -> np.ndarray:
    dense = np.zeros((movies, movies))
    dense[found.source, found.target] = found.weight
    return dense


def assert_equal_bits(one: Similarities, other: Similarities) -> None:
    for name in ("source", "target", "weight", "rank"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"user_exponent": 0.0, "candidate_exponent": 0.0, "popularity_discount": 0.0},
        {"user_exponent": 1.0, "candidate_exponent": 1.0, "popularity_ridge": 0.0},
        {"candidates": 1000, "neighbours": 3},
        {"candidates": 1000, "neighbours": 1000},
    ],
)
def test_equals_brute_force(seed: int, change: dict[str, float]) -> None:
    x = random_positives(seed)
    parameters = replace(CUT, **change)
    found = to_dense(fit_similarities(csr_array(x), parameters), x.shape[1])
    expected = solve_by_brute_force(x, parameters)
    assert set(zip(*np.nonzero(found), strict=True)) == set(zip(*np.nonzero(expected), strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_matrix_the_wrong_way_round_is_noticed() -> None:
    x = random_positives(1)
    found = to_dense(fit_similarities(csr_array(x), CUT), x.shape[1])
    expected = solve_by_brute_force(x, CUT)
    assert np.abs(found - expected.T).max() > 0.01
    transposed = fit_similarities(csr_array(x.T), CUT)
    assert transposed.source.max() >= x.shape[1]


def test_cuts_really_cut() -> None:
    x = random_positives(2)
    full = fit_similarities(csr_array(x), replace(CUT, candidates=1000, neighbours=1000))
    few_candidates = fit_similarities(csr_array(x), replace(CUT, neighbours=1000))
    cut = fit_similarities(csr_array(x), CUT)
    assert len(full.source) > len(few_candidates.source) > len(cut.source)
    assert np.bincount(few_candidates.target).max() == CUT.candidates
    assert np.bincount(cut.source).max() == CUT.neighbours


def test_refit_changes_the_weights_of_kept_edges() -> None:
    x = random_positives(3)
    before = to_dense(fit_similarities(csr_array(x), replace(CUT, neighbours=1000)), x.shape[1])
    after = fit_similarities(csr_array(x), CUT)
    assert np.abs(before[after.source, after.target] - after.weight).max() > 0.005


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    users=st.integers(1, 40),
    movies=st.integers(1, 25),
    neighbours=st.integers(1, 30),
    candidates=st.integers(1, 30),
)
def test_edges_keep_their_promises(seed: int, users: int, movies: int, neighbours: int, candidates: int) -> None:
    x = random_positives(seed, users, movies)
    found = fit_similarities(csr_array(x), replace(CUT, neighbours=neighbours, candidates=candidates))
    assert [a.dtype for a in (found.source, found.target, found.weight, found.rank)] == ["i4", "i4", "f4", "i4"]
    assert np.array_equal(np.lexsort((found.rank, found.source)), np.arange(len(found.source)))
    assert np.isfinite(found.weight).all()
    gram = x.T @ x
    assert (gram[found.source, found.target] > 0).all()
    assert (found.source != found.target).all()
    assert len(set(zip(found.source, found.target, strict=True))) == len(found.source)
    for movie in np.unique(found.source):
        own = found.source == movie
        assert own.sum() <= neighbours
        assert found.rank[own].tolist() == list(range(1, own.sum() + 1))
        assert (np.diff(np.abs(found.weight[own])) <= 0).all()


def test_keeps_negative_weights() -> None:
    parameters = replace(CUT, neighbours=12, candidates=1000, ridge=0.5, popularity_ridge=0.0)
    found = fit_similarities(csr_array(random_positives(4)), parameters)
    assert (found.weight < 0).sum() > 20
    assert (found.weight > 0).sum() > 20


def test_same_input_gives_same_bits_whatever_the_threads() -> None:
    x = csr_array(random_positives(5, users=400, movies=150))
    parameters = replace(CUT, candidates=60, neighbours=20)
    first = fit_similarities(x, parameters)
    threads = get_num_threads()
    try:
        set_num_threads(1)
        alone = fit_similarities(x, parameters)
    finally:
        set_num_threads(threads)
    assert_equal_bits(first, alone)
    for _ in range(3):
        assert_equal_bits(first, fit_similarities(x, parameters))


def test_order_of_entries_and_index_type_do_not_matter() -> None:
    x = csr_array(random_positives(6))
    shuffled = x.copy()
    for row in range(x.shape[0]):
        own = slice(x.indptr[row], x.indptr[row + 1])
        shuffled.indices[own] = x.indices[own][::-1]
    shuffled.has_sorted_indices = False
    wide = csr_array((x.data, x.indices.astype(np.int64), x.indptr.astype(np.int64)), shape=x.shape)
    assert_equal_bits(fit_similarities(x, CUT), fit_similarities(shuffled, CUT))
    assert_equal_bits(fit_similarities(x, CUT), fit_similarities(wide, CUT))


def test_leaves_its_input_alone() -> None:
    x = csr_array(random_positives(7))
    before = x.copy()
    fit_similarities(x, CUT)
    assert x.indices.tobytes() == before.indices.tobytes()
    assert x.data.tobytes() == before.data.tobytes()


def test_movies_without_positives_take_no_part() -> None:
    x = random_positives(8)
    gaps = np.insert(x, [0, 5, 5, 31], 0, axis=1)
    places = np.flatnonzero(gaps.any(axis=0))
    places = places[np.argsort(places)]
    found = fit_similarities(csr_array(x[:, x.any(axis=0)]), CUT)
    spread = fit_similarities(csr_array(gaps), CUT)
    assert np.array_equal(spread.source, places[found.source])
    assert np.array_equal(spread.target, places[found.target])
    assert spread.weight.tobytes() == found.weight.tobytes()


@pytest.mark.parametrize("shape", [(0, 0), (5, 0), (0, 5), (5, 7)])
def test_nothing_gives_nothing(shape: tuple[int, int]) -> None:
    found = fit_similarities(csr_array(shape))
    assert [len(a) for a in (found.source, found.target, found.weight, found.rank)] == [0, 0, 0, 0]


def test_one_user_and_lone_movies() -> None:
    one_user = fit_similarities(csr_array(np.array([[1.0, 0.0, 1.0, 1.0]])))
    assert set(zip(one_user.source.tolist(), one_user.target.tolist(), strict=True)) == {
        (0, 2), (0, 3), (2, 0), (2, 3), (3, 0), (3, 2),
    }  # fmt: skip
    assert len(fit_similarities(csr_array(np.eye(4))).source) == 0
    assert len(fit_similarities(csr_array(np.ones((3, 1)))).source) == 0


def test_most_rated_movies_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    x = csr_array(random_positives(9))
    counts = np.bincount(x.indices, minlength=x.shape[1])
    chosen = most_rated(x, 10)
    assert len(chosen) == 10
    assert (np.diff(chosen) > 0).all()
    assert counts[chosen].min() >= np.sort(counts)[-10]
    monkeypatch.setattr(engine.similarity, "MOST_MOVIES", 10)
    found = fit_similarities(x, CUT)
    assert set(found.source.tolist()) | set(found.target.tolist()) <= set(chosen.tolist())


@pytest.mark.parametrize("users", [1, 3, 64, 200])
def test_gram_matrix_equals_numpy(users: int) -> None:
    x = random_positives(10, users=users, movies=77)
    weights = np.maximum(x.sum(axis=1), 1) ** -0.3
    np.testing.assert_allclose(gram_matrix(csr_array(x), 0.3), x.T @ np.diag(weights) @ x, rtol=1e-5, atol=1e-6)
    assert np.array_equal(gram_matrix(csr_array(x), 0), x.T @ x)


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"candidates": 0}, {"ridge": 0.0}, {"popularity_ridge": -0.1}])
def test_refuses_parameters_that_fit_nothing(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SimilarityParameters(**wrong)
