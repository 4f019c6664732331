"""What the training stages left for evaluation, read back and compared with the labels.

Every test clip must be there once, with the label that the manifest gives it now: a score over other
rows than those of the labels is refused.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib.data import labels, tables
from stages.lib.data.labels import CorpusFacts

MODELS = Path("data/models")
REMEDY = "run `dvc repro`"
TARGETS = ("valence", "arousal")
HISTORY = ("phase", "epoch", "train_loss", "val_loss", "val_score", "learning_rate")
BRANCHES = ("valence_own", "valence_rest", "arousal_own", "arousal_rest")


@dataclass(frozen=True, kw_only=True)
class Emotion:
    """Test rows of the categorical models, sorted by id, all tables over the same clips."""

    facts: CorpusFacts
    known: pd.DataFrame  # labels.csv, all splits
    fusion: pd.DataFrame  # id, label, predicted, p_<class> ..., speaker, emotion
    audio: pd.DataFrame
    video: pd.DataFrame
    gates: pd.DataFrame  # id, gate: share of audio, emotion; no rows where the mode has no gate


@dataclass(frozen=True, kw_only=True)
class Affect:
    """Test turns of all folds, sorted by fold, then id."""

    facts: CorpusFacts
    known: pd.DataFrame  # labels.csv, all folds
    turns: pd.DataFrame  # fold, id, dialogue, valence, arousal (NaN = unlabelled), <target>_predicted
    branches: pd.DataFrame  # fold, id and BRANCHES; no rows where the model has no branches


def read_emotion() -> Emotion:
    """Predictions of pretrain_audio, pretrain_video and fusion.

    Raises:
        ValueError: a file is missing or does not fit labels.csv; names the file and the clips.
    """
    facts, known = labels.read_facts("emotion"), labels.read("emotion")
    tests = {stage: _classified(stage, facts, known) for stage in ("fusion", "pretrain_audio", "pretrain_video")}
    file = MODELS / "fusion" / "gates.csv"
    gates = tables.read_csv(file, ("id", "split", "gate"), ("gate",), REMEDY).query("split == 'test'")
    if len(gates):
        gates = _joined(file, gates, known[known.split == "test"])
    return Emotion(
        facts=facts,
        known=known,
        fusion=tests["fusion"],
        audio=tests["pretrain_audio"],
        video=tests["pretrain_video"],
        gates=gates,
    )


def read_affect() -> Affect:
    """Predictions of every fold of va for its test turns.

    Raises:
        ValueError: as for read_emotion.
    """
    facts, known = labels.read_facts("affect"), labels.read("affect")
    turns, branches = [], []
    for fold in facts.folds:
        test = known[known.split == str(fold)]
        file = fold_folder(fold) / "predictions.csv"
        predicted = tuple(f"{target}_predicted" for target in TARGETS)
        columns = ("id", "split", *TARGETS, *predicted)
        table = tables.read_csv(file, columns, columns[2:], REMEDY).query("split == 'test'")
        table = _joined(file, table, test)
        _check_finite(file, table, predicted)
        for target in TARGETS:
            _check_same(file, table, target, ~np.isclose(table[target], table[f"{target}_known"], equal_nan=True))
        turns.append(table.assign(fold=fold))
        file = fold_folder(fold) / "branches.csv"
        table = tables.read_csv(file, ("id", *BRANCHES), BRANCHES, REMEDY)
        if len(table):
            branches.append(_joined(file, table, test).assign(fold=fold))
    empty = pd.DataFrame(columns=["fold", "id", *BRANCHES])
    return Affect(
        facts=facts,
        known=known,
        turns=pd.concat(turns, ignore_index=True),
        branches=pd.concat(branches, ignore_index=True) if branches else empty,
    )


def fold_folder(fold: int) -> Path:
    """Where va left the model tested on this fold."""
    return MODELS / "va" / f"fold_{fold}"


def histories(folds: list[int]) -> pd.DataFrame:
    """Training histories of all stages: stage, fold (empty where the stage has none) and HISTORY."""
    runs = [(stage, "", MODELS / stage) for stage in ("pretrain_audio", "pretrain_video", "fusion")]
    runs += [("va", str(fold), fold_folder(fold)) for fold in folds]
    parts = []
    for stage, fold, folder in runs:
        history = tables.read_csv(folder / "history.csv", HISTORY, HISTORY[1:], REMEDY)
        parts.append(history.assign(stage=stage, fold=fold))
    return pd.concat(parts, ignore_index=True)


def attention(folder: Path, clip: str) -> dict[str, np.ndarray]:
    """Attention exports of one clip: name (such as video_to_audio) -> array; empty where there are none.

    Raises:
        ValueError: attention.safetensors is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    file = folder / "attention.safetensors"
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = [name for name in tensors.keys() if name.startswith(f"{clip}/")]  # noqa: SIM118 (no iterator)
            return {name.removeprefix(f"{clip}/"): tensors.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); {REMEDY}") from error


def _classified(stage: str, facts: CorpusFacts, known: pd.DataFrame) -> pd.DataFrame:
    file = MODELS / stage / "predictions.csv"
    shares = tuple(f"p_{name}" for name in facts.classes)
    table = tables.read_csv(file, ("id", "split", "label", "predicted", *shares), shares, REMEDY)
    table = _joined(file, table.query("split == 'test'"), known[known.split == "test"])
    _check_same(file, table, "label", table["label"] != table["label_known"])
    _check_finite(file, table, shares)
    unknown = sorted(set(table["predicted"]) - set(facts.classes))
    if unknown:
        raise ValueError(f"{file}: predicted {unknown[0]!r} is not one of {', '.join(facts.classes)}; {REMEDY}")
    return table


def _joined(file: Path, table: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """table with the columns of test; those in both get the suffix _known."""
    if table["id"].duplicated().any():
        raise ValueError(f"{file}: {table['id'][table['id'].duplicated()].iloc[0]} is there twice; {REMEDY}")
    lacking, foreign = sorted(set(test["id"]) - set(table["id"])), sorted(set(table["id"]) - set(test["id"]))
    if lacking or foreign:
        clips = ", ".join((lacking + foreign)[:3])
        raise ValueError(
            f"{file}: not the test rows of labels.csv: {len(lacking)} missing, {len(foreign)} unknown ({clips}, ...); "
            f"the split changed since this model was trained; {REMEDY}"
        )
    return table.merge(test, on="id", suffixes=("", "_known")).sort_values("id", ignore_index=True)


def _check_same(file: Path, table: pd.DataFrame, column: str, differs: pd.Series | np.ndarray) -> None:
    for row in table[np.asarray(differs)].to_dict("records"):
        now = row[f"{column}_known"]
        raise ValueError(f"{file}: {column} of {row['id']} is {row[column]}, labels.csv says {now}; {REMEDY}")


def _check_finite(file: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    wrong = ~np.isfinite(table[list(columns)].to_numpy()).all(1)
    if wrong.any():
        raise ValueError(f"{file}: no finite prediction for {table['id'][wrong].iloc[0]}; lower the learning rate")
