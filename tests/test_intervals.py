"""Cluster bootstrap against scipy, by arithmetic and by simulation."""

import math
import time

import numpy as np
import pytest
from scipy import stats

from stages.lib.scoring import metrics, reported
from stages.lib.scoring.intervals import bootstrap


def ratings(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.9, rows)
    return truth, 0.6 * truth + rng.normal(1, 0.5, rows)


@pytest.mark.parametrize("score", [metrics.ccc, reported.rmse])
def test_equals_scipy_when_every_row_is_its_own_cluster(score):
    truth, prediction = ratings(41)
    ours = bootstrap({"score": score}, truth, prediction, np.arange(41), draws=500, seed=3)["score"]
    theirs = stats.bootstrap(
        (truth, prediction), score, n_resamples=500, paired=True, vectorized=False, method="percentile", rng=3
    )
    assert ours == pytest.approx(tuple(theirs.confidence_interval))


def test_repeated_rows_add_nothing_when_clustered():
    # Ten copies of each row are no new evidence: the interval of the originals must come back.
    truth, prediction = ratings(30)
    scores, settings = {"rmse": reported.rmse}, {"draws": 400, "seed": 1}
    once = bootstrap(scores, truth, prediction, np.arange(30), **settings)["rmse"]
    tenfold = bootstrap(scores, truth.repeat(10), prediction.repeat(10), np.arange(30).repeat(10), **settings)["rmse"]
    blind = bootstrap(scores, truth.repeat(10), prediction.repeat(10), np.arange(300), **settings)["rmse"]
    assert tenfold == pytest.approx(once)
    assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_order_of_rows_and_names_of_clusters_do_not_matter():
    truth, prediction = ratings(60)
    speakers = np.arange(60) % 6
    order = np.random.default_rng(5).permutation(60)
    settings = {"draws": 200, "seed": 2}
    first = bootstrap({"ccc": metrics.ccc}, truth, prediction, speakers, **settings)["ccc"]
    names = np.array([f"actor_{s}" for s in speakers])
    second = bootstrap({"ccc": metrics.ccc}, truth[order], prediction[order], names[order], **settings)["ccc"]
    assert first == pytest.approx(second)


def test_seed_decides_and_scores_share_draws():
    truth, prediction = ratings(40)
    clusters = np.arange(40) // 4
    alone = bootstrap({"ccc": metrics.ccc}, truth, prediction, clusters, draws=100, seed=0)
    both = bootstrap({"rmse": reported.rmse, "ccc": metrics.ccc}, truth, prediction, clusters, draws=100, seed=0)
    assert alone["ccc"] == both["ccc"]
    assert alone["ccc"] != bootstrap({"ccc": metrics.ccc}, truth, prediction, clusters, draws=100, seed=1)["ccc"]


def test_covers_the_true_value():
    # A fair coin in 40 clusters of 3: about 95 % of the intervals hold 1/2 (binomial sd over 200 runs: 1.5 %).
    rng, hits = np.random.default_rng(0), 0
    for run in range(200):
        right = rng.integers(0, 2, 120)
        clusters = np.arange(120) // 3
        low, high = bootstrap(
            {"x": lambda t, p: float((t == p).mean())}, np.ones(120, int), right, clusters, draws=200, seed=run
        )["x"]
        hits += low <= 0.5 <= high
    assert 0.90 <= hits / 200 <= 0.99


def test_one_cluster_and_undefined_draws_give_nan():
    truth, prediction = ratings(10)
    assert all(map(math.isnan, bootstrap({"x": metrics.ccc}, truth, prediction, ["s"] * 10, draws=9, seed=0)["x"]))
    never = bootstrap({"x": reported.pearson}, truth, np.ones(10), np.arange(10), draws=9, seed=0)["x"]
    assert all(map(math.isnan, never))


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="3, 3 and 2 rows"):
        bootstrap({"x": metrics.ccc}, [1, 2, 3], [1, 2, 3], ["a", "b"], draws=9, seed=0)


def test_a_whole_corpus_takes_seconds():
    truth, prediction = ratings(10_000)
    start = time.process_time()
    bootstrap({"ccc": metrics.ccc}, truth, prediction, np.arange(10_000) // 66, draws=1000, seed=0)
    assert time.process_time() - start < 5  # about 0.6 s; generous for a busy machine
