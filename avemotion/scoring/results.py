"""Readers of the training stages' outputs; they compare them with the labels.

Every test clip must occur once, with its present label in the manifest: there is no score over other rows than those of
labels.csv. The same holds for the validation clips. `root` is the project's folder, by default the current one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from avemotion.formats import clips, labels, targets
from avemotion.formats.labels import CorpusFacts
from avemotion.system import tables

MODELS, MANIFEST = Path("data/models"), clips.FOLDER
STAGES = {"emotion": ("pretrain_audio", "pretrain_video", "fusion"), "affect": ("va",)}  # by role
REMEDY = "run `dvc repro`"
HISTORY = ("phase", "epoch", "train_loss", "val_loss", "val_score", "learning_rate")
On = Literal["val", "test"]  # the rows that are scored
NAMES: dict[On, str] = {"val": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Emotion:
    """Test rows of the categorical models, sorted by id; all tables have the same clips."""

    facts: CorpusFacts
    known: pd.DataFrame  # labels.csv, all splits
    fusion: pd.DataFrame  # fold ("" = no folds), id, label, predicted, p_<class> ..., speaker, emotion, majority
    audio: pd.DataFrame
    video: pd.DataFrame
    validation: dict[str, pd.DataFrame]  # stage -> its validation rows, with the columns of fusion
    gates: pd.DataFrame  # id, gate: share of audio, label; no rows where the mode has no gate
    # condition -> the test rows of fusion: audio_only, video_only, snr_20 ... (dB), those that the mode has
    conditions: dict[str, pd.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Affect:
    """Test turns of all folds, sorted by fold, then id."""

    facts: CorpusFacts
    known: pd.DataFrame  # labels.csv, all folds
    targets: list[str]  # those of va.targets that the models were trained with
    # fold, id, dialogue (the speaker where a corpus has no dialogues), the targets (NaN = unlabelled),
    # <target>_predicted, silent (no sound, so no prediction and no score)
    turns: pd.DataFrame
    validation: pd.DataFrame  # validation turns of all folds, with the columns of turns
    branches: pd.DataFrame  # fold, id and targets.branches; no rows where the model has no branches


def stage_folders(stage: str, folds: list[int], root: Path = Path()) -> dict[str, Path]:
    """Folders of a stage's models: fold -> folder; without folds the only key is "".

    Args:
        folds: folds of the stage's corpus (corpus.json); the name of a model is its test fold.
    """
    home = root / MODELS / stage
    return {str(fold): home / f"fold_{fold}" for fold in folds} if folds else {"": home}


def device(stage: str, facts: CorpusFacts, root: Path = Path()) -> str:
    """Kind of device that trained the models of a stage: cpu or cuda; "cpu, cuda" where folds differ."""
    kinds = set()
    for folder in stage_folders(stage, facts.folds, root).values():
        file = folder / "model.json"
        try:
            kinds.add(json.loads(file.read_text(encoding="utf-8"))["device"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}: no readable device ({error}); {REMEDY}") from error
    return ", ".join(sorted(kinds))


def read_emotion(root: Path = Path()) -> Emotion:
    """Predictions of pretrain_audio, pretrain_video and fusion.

    Raises:
        ValueError: a file is missing or does not fit labels.csv; names the file and the clips.
    """
    facts, known = read_manifest("emotion", root)
    gates = []
    for fold, folder in stage_folders("fusion", facts.folds, root).items():
        file = folder / "gates.csv"
        table = tables.read_csv(file, ("id", "split", "gate"), ("gate",), REMEDY).query("split == 'test'")
        if len(table):
            gates.append(_joined(file, table, _rows_of(facts, known, fold)))
    return Emotion(
        facts=facts,
        known=known,
        fusion=classified("fusion", facts, known, root),
        audio=classified("pretrain_audio", facts, known, root),
        video=classified("pretrain_video", facts, known, root),
        validation={stage: classified(stage, facts, known, root, on="val") for stage in STAGES["emotion"]},
        gates=pd.concat(gates, ignore_index=True) if gates else pd.DataFrame(columns=["id", "gate", "label"]),
        conditions=read_conditions(facts, known, root),
    )


def read_affect(root: Path = Path()) -> Affect:
    """Predictions of all folds of va for their test turns.

    Raises:
        ValueError: as for read_emotion.
    """
    facts, known = read_manifest("affect", root)
    turns, branches = predicted_turns(facts, known, root), []
    predicted = targets.predicted(turns)
    columns = tuple(targets.branches(predicted))
    silent = turns["id"][turns["silent"]]
    for fold, folder in stage_folders("va", facts.folds, root).items():
        file = folder / "branches.csv"
        table = tables.read_csv(file, ("id", *columns), columns, REMEDY)
        if len(table):
            rows = _rows_of(facts, known[~known["id"].isin(silent)], fold)
            branches.append(_joined(file, table, rows).assign(fold=int(fold)))
    return Affect(
        facts=facts,
        known=known,
        targets=predicted,
        turns=turns,
        validation=predicted_turns(facts, known, root, on="val"),
        branches=pd.concat(branches, ignore_index=True) if branches else pd.DataFrame(columns=["fold", "id", *columns]),
    )


READERS: dict[str, Callable[[], Any]] = {"emotion": read_emotion, "affect": read_affect}


def read_manifest(role: str, root: Path = Path()) -> tuple[CorpusFacts, pd.DataFrame]:
    """corpus.json and labels.csv of a role."""
    return read_facts(role, root), read_labels(role, root)


def read_facts(role: str, root: Path = Path()) -> CorpusFacts:
    """corpus.json of a role."""
    return labels.read_facts(role, root / MANIFEST)


def read_labels(role: str, root: Path = Path()) -> pd.DataFrame:
    """labels.csv of a role."""
    return labels.read(role, root / MANIFEST)


def read_rejected(role: str, root: Path = Path()) -> pd.DataFrame:
    """rejected.csv of a role: path, reason."""
    return tables.read_csv(root / MANIFEST / role / "rejected.csv", ("path", "reason"), (), REMEDY)


def classified(
    stage: str, facts: CorpusFacts, known: pd.DataFrame, root: Path = Path(), on: On = "test"
) -> pd.DataFrame:
    """Test or validation rows of a categorical model over all folds, with the columns of Emotion.fusion, by id.

    `majority` is the most frequent class among the training clips of the row's model.

    Raises:
        ValueError: as for read_emotion.
    """
    shares, parts = tuple(f"p_{name}" for name in facts.classes), []
    for fold, folder in stage_folders(stage, facts.folds, root).items():
        file = folder / "predictions.csv"
        table = tables.read_csv(file, ("id", "split", "label", "predicted", *shares), shares, REMEDY)
        trained = known[~known["id"].isin(table["id"])]
        table = _joined(file, table[table["split"] == on], _rows_of(facts, known, fold, on), on)
        _check_same(file, table, "label", table["label"] != table["label_known"])
        _check_finite(file, table, shares)
        unknown = sorted(set(table["predicted"]) - set(facts.classes))
        if unknown:
            raise ValueError(f"{file}: predicted {unknown[0]!r} is not one of {', '.join(facts.classes)}; {REMEDY}")
        counts = pd.Categorical(trained["label"], facts.classes).value_counts()
        parts.append(table.assign(fold=fold, majority=facts.classes[int(np.argmax(counts.to_numpy()))]))
    return pd.concat(parts).sort_values("id", ignore_index=True)


def read_conditions(facts: CorpusFacts, known: pd.DataFrame, root: Path = Path()) -> dict[str, pd.DataFrame]:
    """Test rows of the fusion model under each condition, over all folds, in the order of the file.

    Raises:
        ValueError: as for read_emotion.
    """
    shares = tuple(f"p_{name}" for name in facts.classes)
    parts: dict[str, list[pd.DataFrame]] = {}
    for fold, folder in stage_folders("fusion", facts.folds, root).items():
        file = folder / "conditions.csv"
        table = tables.read_csv(file, ("id", "condition", "predicted", *shares), shares, REMEDY)
        _check_finite(file, table, shares)
        for name, rows in table.groupby("condition", sort=False):
            parts.setdefault(name, []).append(_joined(file, rows, _rows_of(facts, known, fold)))
    return {name: pd.concat(rows).sort_values("id", ignore_index=True) for name, rows in parts.items()}


def predicted_turns(
    facts: CorpusFacts, known: pd.DataFrame, root: Path = Path(), on: On = "test", stage: str = "va"
) -> pd.DataFrame:
    """Test or validation turns of a stage over all folds, with the columns of Affect.turns, sorted by fold, then id.

    Raises:
        ValueError: as for read_emotion.
    """
    turns, names = [], _targets(stage, facts, root)
    predicted, columns = targets.predictions(names), tuple(targets.prediction_columns(names))
    for fold, folder in stage_folders(stage, facts.folds, root).items():
        file = folder / "predictions.csv"
        table = tables.read_csv(file, columns, columns[2:], REMEDY)
        table = _joined(file, table[table["split"] == on], _rows_of(facts, known, fold, on), on)
        silent = table[predicted].isna().all(axis=1)
        _check_finite(file, table[~silent], tuple(predicted))
        for target in names:
            _check_same(file, table, target, ~np.isclose(table[target], table[f"{target}_known"], equal_nan=True))
        table.loc[silent, names] = np.nan  # no prediction to compare, so as for unlabelled turns
        turns.append(table.assign(fold=int(fold), silent=silent))
    rows = pd.concat(turns, ignore_index=True)
    # In a corpus of single utterances, the clusters of correlated rows are the speakers.
    return rows.assign(dialogue=rows["dialogue"].fillna(rows["speaker"]))


def _targets(stage: str, facts: CorpusFacts, root: Path) -> list[str]:
    """The targets in the header of predictions.csv of a stage's first model; the usual ones if there is none."""
    file = next(iter(stage_folders(stage, facts.folds, root).values())) / "predictions.csv"
    if not file.is_file():
        return targets.USUAL  # the caller's reader reports the missing file
    with file.open(encoding="utf-8") as stream:
        return targets.predicted(stream.readline().rstrip().split(",")) or targets.USUAL


def histories(facts: Mapping[str, CorpusFacts]) -> pd.DataFrame:
    """Training histories of all stages of the roles: stage, fold ("" without folds) and HISTORY."""
    parts = []
    for role in facts:
        for stage in STAGES[role]:
            for fold, folder in stage_folders(stage, facts[role].folds).items():
                history = tables.read_csv(folder / "history.csv", HISTORY, HISTORY[1:], REMEDY)
                parts.append(history.assign(stage=stage, fold=fold))
    return pd.concat(parts, ignore_index=True)


def attention_of_stage(stage: str, folds: list[int]) -> dict[str, dict[str, np.ndarray]]:
    """Attention of all test clips of a stage: clip -> name -> array."""
    exports: dict[str, dict[str, np.ndarray]] = {}
    for folder in stage_folders(stage, folds).values():
        exports |= attention(folder)
    return exports


def attention(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Attention exports of a model's test clips: clip id -> name (such as video_to_audio) -> array.

    Raises:
        ValueError: attention.safetensors is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / "attention.safetensors"
    exports: dict[str, dict[str, np.ndarray]] = {}
    try:
        for key, value in load_file(file).items():
            clip, _, name = key.rpartition("/")
            exports.setdefault(clip, {})[name] = value
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); {REMEDY}") from error
    return exports


def _rows_of(facts: CorpusFacts, known: pd.DataFrame, fold: str, on: On = "test") -> pd.DataFrame:
    """Test or validation rows of a fold's model in labels.csv ("" = no folds)."""
    if not fold:
        return known[known["split"] == on]
    return known[known["split"] == (fold if on == "test" else str(facts.validation_of(int(fold))))]


def _joined(file: Path, table: pd.DataFrame, test: pd.DataFrame, on: On = "test") -> pd.DataFrame:
    """table with the columns of test, which get the suffix _known if both have them."""
    if table["id"].duplicated().any():
        raise ValueError(f"{file}: {table['id'][table['id'].duplicated()].iloc[0]} occurs twice; {REMEDY}")
    missing, unknown = sorted(set(test["id"]) - set(table["id"])), sorted(set(table["id"]) - set(test["id"]))
    if missing or unknown:
        some = ", ".join((missing + unknown)[:3])
        raise ValueError(
            f"{file}: not the {NAMES[on]} rows of labels.csv: {len(missing)} missing, {len(unknown)} unknown "
            f"({some}, ...); the split changed since this model was trained; {REMEDY}"
        )
    return table.merge(test, on="id", suffixes=("", "_known")).sort_values("id", ignore_index=True)


def _check_same(file: Path, table: pd.DataFrame, column: str, differs: pd.Series | np.ndarray) -> None:
    for row in table[np.asarray(differs)].to_dict("records"):
        label = row[f"{column}_known"]
        raise ValueError(f"{file}: {column} of {row['id']} is {row[column]}, but {label} in labels.csv; {REMEDY}")


def _check_finite(file: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    undefined = ~np.isfinite(table[list(columns)].to_numpy()).all(1)
    if undefined.any():
        raise ValueError(f"{file}: no finite prediction for {table['id'][undefined].iloc[0]}; lower the learning rate")
