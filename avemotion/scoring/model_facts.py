"""Facts that the training stages leave in model.json beside the weights."""

import json
from pathlib import Path
from typing import Any

from avemotion.scoring import results

OF_SPEAKERS = {"pretrain_audio": "by_speaker", "fusion": "by_speaker", "va": "fusion_by_speaker"}  # if it applies


def read(stage: str, folds: list[int], name: str, root: Path = Path()) -> dict[str, Any]:
    """One fact of a stage's models: fold ("" without folds) -> value.

    Raises:
        ValueError: a model.json is missing, damaged or without this fact.
    """
    return {fold: _fact(file, name) for fold, file in _files(stage, folds, root).items()}


def speaker_inputs(role: str, folds: list[int], root: Path = Path()) -> bool:
    """Whether the models of a role take inputs that are standardised by each speaker's own clips.

    Those of va include the fusion model behind the fused embedding.

    Raises:
        ValueError: as for read.
    """
    stages = ("va",) if role == "affect" else ("pretrain_audio", "fusion")
    chosen = read("va", folds, "normalise", root) if role == "affect" else {}
    named = [_fact(file, OF_SPEAKERS[of], []) for of in stages for file in _files(of, folds, root).values()]
    return any(named) or any("speaker" in of.values() for of in chosen.values())


def _files(stage: str, folds: list[int], root: Path) -> dict[str, Path]:
    return {fold: folder / "model.json" for fold, folder in results.stage_folders(stage, folds, root).items()}


def _fact(file: Path, name: str, *default: Any) -> Any:
    """A value of a JSON file; default: what it is where the file does not name it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return content.get(name, *default) if default else content[name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: no {name} ({error!r}); {results.REMEDY}") from error
