"""Cluster bootstrap and p values against scipy, by arithmetic and by simulation."""

import math
import time

import numpy as np
import pytest
from scipy import stats

from avemotion.scoring import cluster_sums, intervals, metrics, reported_metrics
from avemotion.scoring.intervals import bootstrap

CLASSES = 4
AGREEMENT = {"ccc": metrics.ccc, "pearson": reported_metrics.pearson, "rmse": reported_metrics.rmse}
CLASSIFIED = {"accuracy": metrics.accuracy, "uar": metrics.uar, "macro_f1": metrics.macro_f1}


def ratings(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.9, rows)
    return truth, 0.6 * truth + rng.normal(1, 0.5, rows)


def answers(rows: int, seed: int = 0, skill: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, rows)
    return truth, np.where(rng.random(rows) < skill, truth, rng.integers(0, CLASSES, rows))


def test_draws_of_single_rows_have_the_quantiles_of_the_binomial():
    """Accuracy over n independent rows; and the interval of clusters of one row, up to the noise of the draws."""
    truth, prediction = answers(400)
    sums = cluster_sums.classified(truth, prediction, np.zeros(400), CLASSES)
    found = intervals.over_rows(sums, draws=20_000, seed=1)
    right = (truth == prediction).mean()
    assert found["accuracy"] == pytest.approx(stats.binom(400, right).ppf([0.025, 0.975]) / 400, abs=0.003)
    single = bootstrap(cluster_sums.classified(truth, prediction, np.arange(400), CLASSES), draws=20_000, seed=2)
    for name in CLASSIFIED:
        assert found[name] == pytest.approx(single[name], abs=0.006), name
    assert found == intervals.over_rows(sums, draws=20_000, seed=1)


def rated(truth, prediction, clusters) -> cluster_sums.Sums:
    return cluster_sums.agreement(truth, prediction, clusters)


def classified(truth, prediction, clusters) -> cluster_sums.Sums:
    return cluster_sums.classified(truth, prediction, clusters, CLASSES)


@pytest.mark.parametrize("rows", [1, 2, 37])
def test_scores_from_sums_equal_the_definitions(rows):
    clusters = np.arange(rows) % 5
    for make, data, scores in ((rated, ratings(rows), AGREEMENT), (classified, answers(rows), CLASSIFIED)):
        found = make(*data, clusters).estimate()
        for name, score in scores.items():
            assert found[name] == pytest.approx(score(*data), nan_ok=True), name


@pytest.mark.parametrize("prediction", [[3.0] * 4, [2.5] * 4, [1.0, 2.0, 3.0, 4.0], [1e6, 1e6 + 1, 1e6, 1e6]], ids=str)
def test_constants_and_far_values(prediction):
    for truth in ([1.0, 2.0, 3.0, 4.0], [3.0] * 4):
        found = rated(truth, prediction, np.arange(4)).estimate()
        for name, score in AGREEMENT.items():
            assert found[name] == pytest.approx(score(truth, prediction), rel=1e-6, nan_ok=True), (name, truth)


def test_every_draw_is_scored_as_its_rows_would_be():
    data, clusters = answers(50), np.arange(50) % 7
    times = intervals.times_drawn(7, 20, seed=4)
    drawn = intervals.resample([classified(*data, clusters)], times)
    assert (times.sum(1) == 7).all()
    for draw in range(20):
        rows = np.concatenate([np.flatnonzero(clusters == c) for c in range(7) for _ in range(int(times[draw, c]))])
        for name, score in CLASSIFIED.items():
            assert drawn[name][draw] == pytest.approx(score(data[0][rows], data[1][rows]))


@pytest.mark.parametrize("name", AGREEMENT)
def test_equals_scipy_when_every_row_is_its_own_cluster(name):
    truth, prediction = ratings(41)
    ours = bootstrap(rated(truth, prediction, np.arange(41)), draws=500, seed=3)[name]
    theirs = stats.bootstrap(
        (truth, prediction), AGREEMENT[name], n_resamples=500, paired=True, vectorized=False, method="percentile", rng=3
    )
    assert ours == pytest.approx(tuple(theirs.confidence_interval))


def test_difference_equals_scipy_on_independent_rows():
    truth, first = answers(60, seed=1)
    second = np.where(np.random.default_rng(2).random(60) < 0.3, truth, first)
    times = intervals.times_drawn(60, 400, seed=5)
    drawn = [intervals.resample([classified(truth, p, np.arange(60))], times)["accuracy"] for p in (first, second)]
    theirs = stats.bootstrap(
        (truth, first, second),
        lambda t, a, b: metrics.accuracy(t, b) - metrics.accuracy(t, a),
        n_resamples=400,
        paired=True,
        vectorized=False,
        method="percentile",
        rng=5,
    )
    assert intervals.bounds(drawn[1] - drawn[0]) == pytest.approx(tuple(theirs.confidence_interval))


def test_repeated_rows_add_nothing_when_clustered():
    # Ten copies of each row are no new evidence: the interval of the originals must come back.
    truth, prediction = ratings(30)
    once = bootstrap(rated(truth, prediction, np.arange(30)), draws=400, seed=1)["rmse"]
    copies = truth.repeat(10), prediction.repeat(10)
    tenfold = bootstrap(rated(*copies, np.arange(30).repeat(10)), draws=400, seed=1)["rmse"]
    blind = bootstrap(rated(*copies, np.arange(300)), draws=400, seed=1)["rmse"]
    assert tenfold == pytest.approx(once)
    assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_order_of_rows_and_names_of_clusters_do_not_matter():
    truth, prediction = ratings(60)
    speakers = np.arange(60) % 6
    order = np.random.default_rng(5).permutation(60)
    names = np.array([f"actor_{s}" for s in speakers])
    first = bootstrap(rated(truth, prediction, speakers), draws=200, seed=2)["ccc"]
    second = bootstrap(rated(truth[order], prediction[order], names[order]), draws=200, seed=2)["ccc"]
    assert first == pytest.approx(second)
    assert first != pytest.approx(bootstrap(rated(truth, prediction, speakers), draws=200, seed=3)["ccc"])


@pytest.mark.parametrize("kind", ["accuracy", "uar", "ccc"])
def test_intervals_cover_the_true_value(kind):
    # 500 samples of 120 clusters of 4, rows of a cluster alike; binomial sd of the coverage: 1 %.
    rng, hits, runs, clusters = np.random.default_rng(0), 0, 500, np.arange(480) // 4
    for run in range(runs):
        shared = rng.normal(size=120).repeat(4)
        if kind == "ccc":
            # var(t) = 2, p = t + noise of variance 1: 2 * 2 / (2 + 3).
            truth = shared + rng.normal(size=480)
            model, true = rated(truth, truth + rng.normal(size=480), clusters), 0.8
        else:
            # Right where two normals of correlation one half sum up to more than 0: for half of all rows.
            truth = rng.integers(0, CLASSES, 480)
            right = shared + rng.normal(size=480) > 0
            model, true = classified(truth, np.where(right, truth, (truth + 1) % CLASSES), clusters), 0.5
        low, high = bootstrap(model, draws=400, seed=run)[kind]
        hits += low <= true <= high
    assert 0.93 <= hits / runs <= 0.97


def p_values(gain: float, runs: int) -> dict[str, np.ndarray]:
    """p of CCC and accuracy differences between two models of equal skill, the second better by gain, per replicate."""
    rng, clusters = np.random.default_rng(1), np.arange(400) // 8
    found = {"ccc": [], "accuracy": []}
    for run in range(runs):
        times = intervals.times_drawn(50, 400, seed=run)
        shared = rng.normal(size=50).repeat(8)
        truth = shared + rng.normal(size=400)
        drawn = []
        for extra in (0.0, gain):
            noise = rng.normal(size=50).repeat(8) * 0.7 + rng.normal(size=400)  # each model errs by cluster, too
            right = noise < extra
            labels = np.arange(400) % CLASSES
            drawn.append(
                intervals.resample([rated(truth, truth + noise / (1 + extra), clusters)], times)
                | intervals.resample([classified(labels, np.where(right, labels, (labels + 1) % 4), clusters)], times)
            )
        for name, values in found.items():
            values.append(intervals.p_value(drawn[1][name] - drawn[0][name], 50))
    return {name: np.array(values) for name, values in found.items()}


def test_p_is_uniform_for_models_that_differ_by_noise():
    for name, values in p_values(gain=0.0, runs=300).items():
        assert stats.kstest(values, "uniform").pvalue > 0.01, name
        assert 0.02 <= (values < 0.05).mean() <= 0.09, name  # binomial sd: 1.3 %


def test_p_is_small_for_a_real_difference():
    for name, values in p_values(gain=0.5, runs=40).items():
        assert np.median(values) < 0.01, name
        assert (values < 0.05).mean() > 0.8, name


def test_p_by_arithmetic():
    many = np.r_[np.full(95, 1.0), np.full(4, -1.0)]
    assert intervals.p_value(many, 30) == intervals.p_value(-many, 30) == pytest.approx(2 * 5 / 100)
    assert intervals.p_value(np.ones(99), 30) == pytest.approx(0.02)
    assert intervals.p_value(np.zeros(99), 30) == 1  # the same predictions
    assert intervals.p_value(np.ones(9999), 4) == 0.125  # four speakers cannot show more
    assert math.isnan(intervals.p_value(np.full(99, np.nan), 30))


def test_the_mean_over_seeds_is_resampled():
    clusters = np.arange(60) // 3
    models = [rated(*ratings(60, seed), clusters) for seed in (1, 2)]
    times = intervals.times_drawn(20, 50, seed=0)
    alone = [intervals.resample([model], times)["ccc"] for model in models]
    assert intervals.resample(models, times)["ccc"] == pytest.approx((alone[0] + alone[1]) / 2)


def test_one_cluster_and_undefined_draws_give_nan():
    truth, prediction = ratings(10)
    assert all(map(math.isnan, bootstrap(rated(truth, prediction, ["s"] * 10), draws=9, seed=0)["ccc"]))
    never = bootstrap(rated(truth, np.ones(10), np.arange(10)), draws=9, seed=0)["pearson"]
    assert all(map(math.isnan, never))


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="3, 3 and 2 rows"):
        rated([1, 2, 3], [1, 2, 3], ["a", "b"])


def test_a_whole_corpus_takes_seconds():
    truth, prediction = ratings(10_000)
    start = time.process_time()
    bootstrap(rated(truth, prediction, np.arange(10_000) // 66), draws=10_000, seed=0)
    assert time.process_time() - start < 5  # about 0.1 s; generous for a busy machine
