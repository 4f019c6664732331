"""The members of an ensemble: saved predictions of runs and models, and of the baseline."""

from collections.abc import Sequence
from pathlib import Path

from avemotion.comparison import compared_models, paired, revisions
from avemotion.comparison.compared_models import BASELINE, RATED
from avemotion.comparison.paired import Judged
from avemotion.scoring import results
from avemotion.scoring.results import On


def of_revisions(names: Sequence[str], models: Sequence[str], on: On, scratch: Path) -> list[Judged]:
    """Each model of each revision (workspace, branch, commit or experiment).

    Args:
        scratch: an empty folder for their predictions.

    Raises:
        ValueError: there is no such revision, or its predictions are missing.
    """
    members = []
    for i, name in enumerate(names):
        for model in models:
            rated, root = model in RATED, scratch / str(i)
            try:
                found = revisions.fetch(name, root, compared_models.stages(model, affect=rated))
            except revisions.NotRunError:  # no affect corpus, or an experiment with the target evaluate@emotion
                rated = False
                found = revisions.fetch(name, root, compared_models.stages(model, affect=False))
            members.append(_read(found, _name(name, model, models), model, on, rated=rated))
    return members


def of_folders(folders: Sequence[Path], models: Sequence[str], on: On) -> list[Judged]:
    """Each model of each project folder, which holds data/manifest and data/models."""
    return [
        _read(folder, _name(str(folder), model, models), model, on, rated=model in RATED)
        for folder in folders
        for model in models
    ]


def _read(root: Path, name: str, model: str, on: On, *, rated: bool) -> Judged:
    """With valence and arousal if rated, and if the folder has them."""
    if rated:
        valence_arousal = compared_models.stages(model, affect=True)[1]
        rated = any((root / results.MODELS / valence_arousal).rglob("predictions.csv"))
    return paired.read(root, name, model, affect=rated, on=on)


def _name(run: str, model: str, models: Sequence[str]) -> str:
    if model == BASELINE:
        return f"{BASELINE} of {run}"
    return run if len(models) == 1 else f"{model} of {run}"
