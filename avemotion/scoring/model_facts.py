"""Facts that the training stages leave in model.json beside the weights."""

import json
from pathlib import Path
from typing import Any

from avemotion.scoring import results


def read(stage: str, folds: list[int], name: str, root: Path = Path()) -> dict[str, Any]:
    """One fact of a stage's models: fold ("" without folds) -> value.

    Raises:
        ValueError: a model.json is missing, damaged or without this fact.
    """
    facts = {}
    for fold, folder in results.stage_folders(stage, folds, root).items():
        file = folder / "model.json"
        try:
            facts[fold] = json.loads(file.read_text(encoding="utf-8"))[name]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}: no {name} ({error!r}); {results.REMEDY}") from error
    return facts


def speaker_inputs(folds: list[int], root: Path = Path()) -> bool:
    """Whether the VA models take inputs that are standardised by each speaker's own turns."""
    chosen = read("va", folds, "normalise", root)
    return any("speaker" in of.values() for of in chosen.values())
