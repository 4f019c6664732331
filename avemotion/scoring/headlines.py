"""The headline scores of a run."""

from collections.abc import Mapping
from typing import Any

from avemotion.formats.targets import RATED

CCC: dict[str, None] = {f"ccc_{target}": None for target in RATED}  # of which a run has those of va.targets
# Keys of metrics/<role>.json. They are few, so that `dvc metrics diff` fits on a screen and `dvc exp show
# --only-changed` into 120 columns. metrics/detail/<role>.json has their intervals.
HEADLINE_KEYS: dict[str, dict[str, Any]] = {
    "emotion": {
        "val": dict.fromkeys(("uar", "macro_f1")),
        "test": dict.fromkeys(("accuracy", "uar", "macro_f1")),
        "audio": {"uar": None},
        "video": {"uar": None},
        "baseline": dict.fromkeys(("uar", "speaker_statistics")),
        **dict.fromkeys(("chance", "clips", "speakers", "synthetic", "speaker_overlap", "seed")),
    },
    "affect": {
        "val": CCC,
        **CCC,
        "baseline": {**CCC, "speaker_statistics": None},
        **dict.fromkeys(
            ("turns", "dialogues", "speakers", "silent", "synthetic", "speaker_overlap", "speaker_statistics", "seed")
        ),
    },
}
# Scores for comparisons of runs -> their usual names.
HEADLINES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1"}
HEADLINES |= {name: name.replace("ccc_", "CCC ") for name in CCC}


def headlines(role: str, scores: dict[str, Any]) -> dict[str, Any]:
    """The headline scores of a role, with the device where it is not the CPU; {} where it has no scores.

    Those of emotion have speaker_statistics where the models use them, and the face encoder's scores where there are
    stills.

    A GPU gives other last digits than the CPU, so a comparison of runs must show it.
    """
    if not scores:
        return {}
    elsewhere = {} if scores["device"] == "cpu" else {"device": scores["device"]}
    if role == "emotion" and "speaker_statistics" in scores:
        elsewhere["speaker_statistics"] = True
    if "faces" in scores:
        elsewhere["faces"] = _select(scores["faces"], {"test": dict.fromkeys(("accuracy", "uar", "macro_f1"))}, set())
    return _select(scores, HEADLINE_KEYS[role], set(CCC) - set(scores)) | elsewhere


def _select(scores: dict[str, Any], keys: Mapping[str, Any], without: set[str]) -> dict[str, Any]:
    return {
        name: _select(scores[name], inner, without) if inner else scores[name]
        for name, inner in keys.items()
        if name not in without
    }
