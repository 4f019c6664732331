"""The few scores of a run that fit a screen."""

from collections.abc import Mapping
from typing import Any

from avemotion.formats.targets import TARGETS

# Keys of metrics/<role>.json: 15 at most, so that `dvc metrics diff` fits a screen.
HEADLINE_KEYS: dict[str, dict[str, Any]] = {
    "emotion": {
        "test": dict.fromkeys(("accuracy", "uar", "uar_low", "uar_high", "macro_f1")),
        "audio": {"uar": None},
        "video": {"uar": None},
        **dict.fromkeys(("chance", "clips", "speakers", "synthetic", "speaker_overlap", "seed")),
    },
    "affect": {
        **{f"ccc_{target}{bound}": None for target in TARGETS for bound in ("", "_low", "_high")},
        **dict.fromkeys(("turns", "dialogues", "speakers", "silent", "synthetic", "speaker_overlap", "seed")),
    },
}
# The scores that runs are compared by, with their usual names.
HEADLINES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1"}
HEADLINES |= {f"ccc_{target}": f"CCC {target}" for target in TARGETS}


def headlines(role: str, scores: dict[str, Any]) -> dict[str, Any]:
    """The few numbers of a role that fit a screen; {} where it has no scores."""
    return _chosen(scores, HEADLINE_KEYS[role]) if scores else {}


def _chosen(scores: dict[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _chosen(scores[name], inner) if inner else scores[name] for name, inner in keys.items()}
