"""The estimators of the baseline, and the choice of one of them on validation rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVR

Floats = NDArray[np.float64]
ITERATIONS = 10_000  # of the solvers that are not exact

# Classes weigh the same in training, as they do in UAR. break_ties: the prediction is the largest decision value.
CLASSIFIERS: dict[str, Callable[[float], Any]] = {
    "linear_svm": lambda c: SVC(kernel="linear", C=c, class_weight="balanced", break_ties=True),
    "rbf_svm": lambda c: SVC(kernel="rbf", C=c, class_weight="balanced", break_ties=True),
    "logistic": lambda c: LogisticRegression(C=c, class_weight="balanced", max_iter=ITERATIONS),
}
REGRESSORS: dict[str, Callable[[float], Any]] = {
    "linear_svr": lambda c: LinearSVR(C=c, loss="squared_epsilon_insensitive", dual=False, max_iter=ITERATIONS),
    "rbf_svr": lambda c: SVR(kernel="rbf", C=c),
    "ridge": lambda c: Ridge(alpha=1 / (2 * c)),  # C weighs the errors as in an SVR
}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The estimator with the best score on validation rows; of equal ones the first."""

    name: str
    c: float
    score: float
    model: Pipeline


def choose(
    makers: dict[str, Callable[[float], Any]],
    candidates: Iterable[tuple[str, float]],
    training: tuple[Floats, NDArray],
    score: Callable[[Pipeline], float],
) -> Chosen:
    """Fit every candidate on the training rows, standardised by their own mean and deviation.

    Args:
        makers: name -> C -> estimator. candidates: (name, C), in the order of preference.
        training: rows [R, F] and targets [R].
        score: of a fitted candidate on the validation rows; NaN counts as the worst.
    """
    best: Chosen | None = None
    for name, c in candidates:
        model = make_pipeline(StandardScaler(), makers[name](c)).fit(*training)
        value = score(model)
        if best is None or np.nan_to_num(value, nan=-np.inf) > np.nan_to_num(best.score, nan=-np.inf):
            best = Chosen(name=name, c=c, score=float(value), model=model)
    assert best is not None, "no candidate"
    return best


def shares(model: Pipeline, rows: Floats, classes: int) -> Floats:
    """One share per class [R, classes] that sums to 1; a class without training rows has 0.

    The largest share is the prediction. The shares of an SVM are the softmax of its decision values: no probabilities.
    """
    known = model.classes_
    if hasattr(model, "predict_proba"):
        values = model.predict_proba(rows)
    else:
        decision = model.decision_function(rows)
        values = softmax(decision if decision.ndim == 2 else np.stack([-decision, decision], 1), axis=1)
    result = np.zeros((len(rows), classes))
    result[:, known] = values
    return result
