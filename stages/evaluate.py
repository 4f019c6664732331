"""Score the models on their test clips: metrics/*.json, the tables and pictures in plots/, plots/report.html.

The only stage that reads test rows. Nothing here changes a model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.lib import cli, params
from stages.lib.compute import seed_for
from stages.lib.data import tables
from stages.lib.features import precision
from stages.lib.features.store import FeatureStore
from stages.lib.outputs import alone, whole_files, whole_folder
from stages.lib.plots import attention, calibration, conditions, curves, folds, matrix, overview, plane, shares
from stages.lib.plots import pooled as attention_of_all
from stages.lib.scoring import metrics, report, reported, results
from stages.lib.scoring.results import TARGETS, Affect, Emotion

METRICS, PLOTS, FEATURES = Path("metrics"), Path("plots"), Path("data/features")
ABLATIONS = Path("ablations")
# All that a model depends on: changing any of it re-runs this stage anyway, for a stage before it re-runs.
SHOWN = ("manifest", "pretrain", "views", "speech", "features", "audio", "augment")
SHOWN += ("pretrain_audio", "pretrain_video", "xattn", "fusion", "va")


@dataclass(frozen=True, kw_only=True)
class EvaluateParams:
    """Section `evaluate`."""

    draws: int  # of the bootstrap behind each interval
    clips: int  # test clips and test turns in the attention pictures, from best to worst
    turns: int  # test turns with an arrow in the valence-arousal plane

    def __post_init__(self) -> None:
        if self.draws < 100:
            raise ValueError(f"draws is {self.draws}; give 100 or more: the bounds are the outer 2.5 % of the draws")
        if not 1 <= self.clips <= 9:
            raise ValueError(f"clips is {self.clips}; give 1 to 9")
        if self.turns < 1:
            raise ValueError(f"turns is {self.turns}; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    evaluate: EvaluateParams
    shown: dict[str, dict]  # sections that the report prints


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    return Config(
        seed=params.read(file, "seed", int),
        evaluate=params.read(file, "evaluate", EvaluateParams),
        shown={name: params.read(file, name, dict) for name in SHOWN},
    )


def main() -> None:
    config = configure(cli.parser(__doc__).parse_args().params)
    emotion, affect = results.read_emotion(), results.read_affect()
    draws, seed = config.evaluate.draws, config.seed
    scores = {
        "emotion": report.emotion(emotion, draws, seed),
        "affect": report.affect(affect, draws, seed),
        "features": precision.report([FEATURES / "wavlm" / "emotion", FEATURES / "wavlm" / "affect"]),
        "manifest": report.manifest({role.facts.role: (role.facts, role.known) for role in (emotion, affect)}),
    }
    with alone("evaluate"), whole_files(METRICS) as numbers, whole_folder(PLOTS) as folder:
        for name, values in scores.items():
            tables.write_text(numbers / f"{name}.json", report.text(values))
        curves.save(folder, results.histories(emotion.facts.folds, affect.facts.folds))
        pooled = [plot_emotion(folder, emotion, scores["emotion"], config), plot_affect(folder, affect, config)]
        attention_of_all.save(folder, pd.concat(pooled, ignore_index=True))
        rejects = {role: results.read_rejected(role) for role in ("emotion", "affect")}
        overview.write(folder, scores, rejects, {"seed": config.seed} | config.shown, ablations())


def ablations() -> dict[str, str]:
    """The tables that were put aside for the report: name -> Markdown."""
    files = sorted(file for file in ABLATIONS.glob("*.md") if file.name != "README.md")
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def plot_emotion(folder: Path, emotion: Emotion, scores: dict[str, Any], config: Config) -> pd.DataFrame:
    """Confusion matrix, calibration, gates, noise, and attention in some clips; returns the pooled attention of all.

    Args:
        scores: metrics/emotion.json.
    """
    test, classes, note = emotion.fusion, emotion.facts.classes, _synthetic(emotion)
    truth, prediction = report.indices(test, classes)
    matrix.save(folder, test, classes, f"{len(test)} test clips, UAR {metrics.uar(truth, prediction):.3f}{note}")
    shares.save_gates(folder, emotion.gates, classes)
    probabilities = test[[f"p_{name}" for name in classes]].to_numpy()
    error = reported.calibration_error(truth, probabilities)
    title = f"{len(test)} test clips, expected calibration error {error:.3f}{note}"
    calibration.save(folder, reported.reliability(truth, probabilities), title)

    conditions.save(folder, scores["test"], scores["condition"], f"Test clips in noise and without a modality{note}")

    exports = _exports("fusion", emotion.facts.folds)
    rows = test.set_index("id")
    own = pd.Series({clip: row[f"p_{row['label']}"] for clip, row in rows.iterrows()})
    shown = []
    for clip, rank in attention.choose(1 - own, config.evaluate.clips, config.seed).items():
        row = rows.loc[clip]
        predicted = f"{row['predicted']} ({row['p_' + row['predicted']]:.0%})"
        shown.append(_shown("emotion", clip, rank, row["label"], predicted, exports.get(clip, {}), frames=True))
    attention.save_emotion(folder, shown)
    return attention_of_all.pool(exports, rows["label"], classes)


def plot_affect(folder: Path, affect: Affect, config: Config) -> pd.DataFrame:
    """CCC per fold, the valence-arousal plane, branch weights, and attention over speech in some turns.

    Returns the pooled attention of all test turns.
    """
    draws, note = config.evaluate.draws, _synthetic(affect)
    folds.save(folder, fold_scores(affect, draws, config.seed), f"95 % intervals over dialogues{note}")

    turns = affect.turns.dropna(subset=list(TARGETS)).set_index("id", drop=False)
    rng = np.random.default_rng(seed_for(config.seed, "turns"))
    drawn = sorted(rng.choice(len(turns), min(len(turns), config.evaluate.turns), replace=False))
    arrows = turns.iloc[drawn]
    plane.save(folder, turns, arrows, affect.facts.scale, f"{len(arrows)} of {len(turns)} test turns{note}")
    shares.save_branches(folder, affect.branches, list(arrows["id"]), affect.facts.folds)

    exports = _exports("va", affect.facts.folds)
    error = np.hypot(*(turns[f"{target}_predicted"] - turns[target] for target in TARGETS))
    shown = []
    for turn, rank in attention.choose(error, config.evaluate.clips, config.seed).items():
        row = turns.loc[turn]
        label, predicted = (f"V {row[f'valence{of}']:.2f}, A {row[f'arousal{of}']:.2f}" for of in ("", "_predicted"))
        shown.append(_shown("affect", turn, rank, label, predicted, exports.get(turn, {}), frames=False))
    attention.save_affect(folder, shown)
    return attention_of_all.pool(exports, affect.turns.set_index("id")["label"], affect.facts.classes)


def _exports(stage: str, folds: list[int]) -> dict[str, dict[str, np.ndarray]]:
    """Attention of all test clips of a stage: clip -> name -> array."""
    found = {}
    for folder in results.stage_folders(stage, folds).values():
        found |= results.attention(folder)
    return found


def fold_scores(affect: Affect, draws: int, seed: int) -> pd.DataFrame:
    """CCC with its interval per fold and over all: fold, target, ccc, low, high."""
    rows = []
    groups = [(str(fold), turns) for fold, turns in affect.turns.groupby("fold")] + [(folds.POOLED, affect.turns)]
    for name, turns in groups:
        for target in TARGETS:
            pair = report.labelled(turns, target)
            # Pooled, the seed of metrics/affect.json: both state the same interval.
            own = seed_for(seed, "bootstrap", target, *([] if name == folds.POOLED else [name]))
            low, high = report.ccc_interval(pair, draws, own)
            ccc = metrics.ccc(pair["truth"], pair["prediction"])
            rows.append({"fold": name, "target": target, "ccc": ccc, "low": low, "high": high})
    return pd.DataFrame(rows)


def _shown(
    role: str, clip: str, rank: str, label: str, predicted: str, weights: dict[str, np.ndarray], *, frames: bool
) -> attention.Shown:
    """A chosen clip with its sound and, if asked for, its picture."""
    sound = FeatureStore(FEATURES / "mel" / role)
    heard = sound.get(clip, "length")
    pictures, times = np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0)
    if frames:
        seen = FeatureStore(FEATURES / "frames" / role)
        pictures, times = seen.get(clip, "frames"), seen.get(clip, "times")
    return attention.Shown(
        id=clip,
        rank=rank,
        label=label,
        predicted=predicted,
        attention=weights,
        frames=pictures,
        frame_times=times,
        mel=sound.get(clip, "mel")[: int(heard[0]) if len(heard) else 0],
        peaks=sound.get(clip, "peaks"),
        hop=sound.facts["hop_seconds"],
    )


def _synthetic(of: Emotion | Affect) -> str:
    return " (synthetic sample)" if of.facts.synthetic else ""


if __name__ == "__main__":
    cli.run(main)
