"""A small made-up result of all training stages, that can be scored by hand."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import save_file

from avemotion.formats import feature_store, labels
from avemotion.manifest import role_tables
from stages import evaluate, faces, report

CLASSES = ["angry", "happy", "sad"]
TEST = ["c1", "c2", "c3", "c4", "c5", "c6"]
TRUTH = ["angry", "happy", "sad", "angry", "happy", "sad"]
FUSION = ["angry", "sad", "sad", "angry", "happy", "sad"]
BASELINE = ["angry", "sad", "sad", "angry", "sad", "sad"]
# Per fold: true valence, predicted valence, arousal (predicted exactly); two turns a dialogue.
VALENCE = {1: [1, 2, 3, 4], 2: [2, 3, 4, 5], 3: [1, 1, 4, 4]}
PREDICTED = {1: [2, 3, 4, 5], 2: [2, 3, 4, 5], 3: [2.5] * 4}
AROUSAL = {1: [1, 3, 2, 4], 2: [5, 2, 3, 1], 3: [2, 4, 4, 1]}
VIDEO_TO_AUDIO = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]], np.float32)
AUDIO_TO_VIDEO = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.2, 0.8]], np.float32)


def facts(role: str, **changes) -> labels.CorpusFacts:
    values = {
        "corpus": "made-up",
        "role": role,
        "synthetic": True,
        "classes": CLASSES,
        "scale": None,
        "split": "actor",
        "speaker_overlap": False,
        "clips": 1,
        "speakers": 1,
        "rejected": 0,
        "folds": [],
    }
    return labels.CorpusFacts(**values | changes)


def make_emotion(models: Path, manifest: Path) -> None:
    train = [("a1", "happy", "train"), ("a2", "happy", "train"), ("a3", "sad", "train"), ("b1", "angry", "val")]
    rows = train + [(clip, label, "test") for clip, label in zip(TEST, TRUTH, strict=True)]
    speakers = {"train": ["S1"] * 3, "val": ["S2"], "test": ["S3", "S3", "S3", "S4", "S4", "S4"]}
    names = speakers["train"] + speakers["val"] + speakers["test"]
    known = [
        {"id": clip, "label": label, "emotion": label, "split": split, "speaker": speaker}
        for (clip, label, split), speaker in zip(rows, names, strict=True)
    ]
    labels.write("emotion", known, facts("emotion"), manifest)
    write(
        manifest / "emotion/rejected.csv", pd.DataFrame({"path": ["a.wav", "b.wav"], "reason": ["too short: 0 s"] * 2})
    )
    answers = {"fusion": FUSION, "pretrain_audio": ["angry"] * 6, "pretrain_video": TRUTH}
    answers |= {"baseline/emotion": BASELINE}
    for stage, predicted in answers.items():
        held_out = [("b1", "val", "angry", "angry"), *zip(TEST, ["test"] * 6, TRUTH, predicted, strict=True)]
        table = pd.DataFrame(held_out, columns=["id", "split", "label", "predicted"])
        for name in CLASSES:
            table[f"p_{name}"] = np.where(table.predicted == name, 0.8, 0.1)
        write(models / stage / "predictions.csv", table)
        if stage == "baseline/emotion":
            write_chosen(models / stage, "emotion")
        else:
            write_history(models / stage)
    gates = pd.DataFrame({"id": ["b1", *TEST], "split": ["val"] + ["test"] * 6, "gate": [0.5, *[0.2, 0.3] * 3]})
    write(models / "fusion" / "gates.csv", gates)
    # Without picture always angry, at 5 dB as without noise.
    answers = {"audio_only": ["angry"] * 6, "snr_5": FUSION}
    conditions = [(clip, name, said[i]) for i, clip in enumerate(TEST) for name, said in answers.items()]
    table = pd.DataFrame(conditions, columns=["id", "condition", "predicted"])
    for name in CLASSES:
        table[f"p_{name}"] = np.where(table.predicted == name, 0.8, 0.1)
    write(models / "fusion" / "conditions.csv", table)
    maps = {
        "video_to_audio": VIDEO_TO_AUDIO,
        "audio_to_video": AUDIO_TO_VIDEO,
        "audio_times": np.array([0.1, 0.3, 0.5, 0.7], np.float32),
        "video_times": np.array([0.2, 0.6], np.float32),
    }
    save_file({f"{clip}/{name}": value for clip in TEST for name, value in maps.items()}, exports(models / "fusion"))


def make_affect(models: Path, manifest: Path) -> None:
    known, folds = [], {}
    for fold in VALENCE:
        for turn in range(4):
            folds.setdefault(fold, []).append(f"d{fold}{turn // 2}_{turn}")
            values = {"valence": VALENCE[fold][turn], "arousal": AROUSAL[fold][turn]}
            own = {"id": folds[fold][-1], "dialogue": f"d{fold}{turn // 2}", "speaker": f"S{fold}", "turn": turn}
            known.append(own | values | {"split": str(fold)})
    known.append({"id": "d30_9", "dialogue": "d30", "speaker": "S3", "turn": 9, "split": "3"})  # never rated
    scale = {name: [1, 5] for name in ("valence", "arousal", "dominance")}
    labels.write("affect", known, facts("affect", folds=[1, 2, 3], scale=scale), manifest)
    write(manifest / "affect/rejected.csv", pd.DataFrame(columns=["path", "reason"]))
    answers = {}
    for fold, ids in folds.items():
        columns = [VALENCE[fold], AROUSAL[fold], PREDICTED[fold], AROUSAL[fold]]
        names = ["valence", "arousal", "valence_predicted", "arousal_predicted"]
        table = pd.DataFrame(dict(zip(names, np.array(columns, float), strict=True)) | {"id": ids, "split": "test"})
        if fold == 3:
            table.loc[len(table)] = [np.nan, np.nan, 3, 3, "d30_9", "test"]
        folder = models / "va" / f"fold_{fold}"
        answers[fold] = table[["id", "split", *names]]
        shares = {"valence_own": 0.25, "valence_rest": 0.75, "arousal_own": 0.6, "arousal_rest": 0.4}
        write(folder / "branches.csv", pd.DataFrame({"id": sorted(table.id)}).assign(**shares))
        write_history(folder)
        normalise = {"prosody": "speaker" if fold == 1 else "corpus", "speech": "none"}
        (folder / "model.json").write_text(json.dumps({"device": "cpu", "normalise": normalise}))
        weights = np.array([0.5, 0.3, 0.2], np.float32)
        times = np.array([0.1, 0.2, 0.3], np.float32)
        maps = {
            f"{clip}/{name}": v for clip in table.id for name, v in (("prosody_to_speech", weights), ("times", times))
        }
        save_file(maps, exports(folder))
    for fold, table in answers.items():  # the next fold validates: all valences one too high, as are no test turns
        validation = answers[fold % 3 + 1].assign(split="val")
        validation["valence_predicted"] = validation["valence"].fillna(3) + 1
        whole = pd.concat([table, validation]).sort_values("id")
        write(models / "va" / f"fold_{fold}" / "predictions.csv", whole)
        # The baseline: valence as the true one, arousal always 3.
        folder = models / "baseline" / "affect" / f"fold_{fold}"
        write(
            folder / "predictions.csv", whole.assign(valence_predicted=whole["valence"].fillna(3), arousal_predicted=3)
        )
        write_chosen(folder, "valence", "arousal")


def make_features(features: Path, manifest: Path) -> None:
    rng = np.random.default_rng(0)
    for role in ("emotion", "affect"):
        ids = labels.read(role, manifest)["id"]
        mel = {
            "mel": rng.normal(size=(80, 6)).astype(np.float16),
            "length": np.array([70], np.int32),
            "start": np.array([0.1], np.float32),
            "peaks": rng.normal(size=(70, 2)).astype(np.float16),
        }
        rows = ((clip, {feature_store.CLEAN: mel}) for clip in ids)
        feature_store.write(features / "mel" / role, [feature_store.CLEAN], rows, {"hop_seconds": 0.01})
        last, rounding = {"last": np.zeros((4, 2), np.float16)}, {"last": {"float16": 0.25}}
        rows = ((clip, {feature_store.CLEAN: last}) for clip in ids)
        feature_store.write(
            features / "wavlm" / role, [feature_store.CLEAN], rows, {"precision": "fp32", "rounding": rounding}
        )
    for role in ("emotion", "affect"):
        make_frames(features, role, labels.read(role, manifest)["id"])


def make_frames(features: Path, role: str, ids: Iterable[str]) -> None:
    """Two frames of noise a clip; c4 has no picture."""
    frames = {
        "frames": np.random.default_rng(1).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8),
        "times": np.array([0.2, 0.6], np.float32),
        "face": np.ones(1, np.uint8),
    }
    rows = [(clip, None if clip == "c4" else {feature_store.CLEAN: frames}) for clip in ids]
    facts = {"counts": {"clips": len(rows), "clips_with_face": len(rows)}, "settings": {"params": {"detector": "haar"}}}
    feature_store.write(features / "frames" / role, [feature_store.CLEAN], rows, facts)


def write(file: Path, table: pd.DataFrame) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, float_format="%.6f", lineterminator="\n")


def write_history(folder: Path) -> None:
    losses = {"train_loss": [2, 1], "val_loss": [2.5, 1.5], "val_score": [0.2, 0.4], "learning_rate": [0.001] * 2}
    write(folder / "history.csv", pd.DataFrame({"phase": ["head", "finetune"], "epoch": [1, 2], **losses}))
    (folder / "model.json").write_text(json.dumps({"device": "cpu", "temperature": 2.0}))


def write_chosen(folder: Path, *targets: str) -> None:
    """model.json of the baseline."""
    chosen = {target: {"model": "ridge", "c": 0.1, "validation": 0.5} for target in targets}
    facts = {"chosen": chosen, "normalise": "corpus", "speaker_statistics": False, "silent": 0}
    (folder / "model.json").write_text(json.dumps(facts))


def exports(folder: Path) -> Path:
    return folder / "attention.safetensors"


def make(root: Path) -> Path:
    """Everything that evaluate reads, below root."""
    models, manifest = root / "data" / "models", root / "data" / "manifest"
    make_emotion(models, manifest)
    make_affect(models, manifest)
    labels.write("faces", [], facts("faces", corpus=None), manifest)
    make_features(root / "data" / "features", manifest)
    role_tables.write_absent(manifest, "faces")
    section = {"draws": 100, "clips": 3, "turns": 5, "speaker_logits": "mean"}
    (root / "params.yaml").write_text(yaml.safe_dump(params_of(section)))
    return root


def params_of(section: dict) -> dict:
    return {"seed": 0, "evaluate": section} | {name: {"of": name} for name in report.SHOWN}


def run(root: Path, *parts: str) -> Path:
    """The stages evaluate, faces and report, there; parts: emotion and affect of evaluate, and report; none = all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for part in parts or ("emotion", "affect", "report"):
            patch.setattr("sys.argv", ["report"] if part == "report" else ["evaluate", part])
            for stage in (faces, report) if part == "report" else (evaluate,):
                stage.main()
    return root


def detail(root: Path, name: str) -> dict:
    """metrics/detail/<name>.json."""
    return json.loads((root / f"metrics/detail/{name}.json").read_text(encoding="utf-8"))


def plot(root: Path, name: str) -> Path:
    """The one file of a name below plots/."""
    (file,) = (root / "plots").rglob(name)
    return file


def table(root: Path, name: str) -> pd.DataFrame:
    """plots/*/<name>.csv."""
    return pd.read_csv(plot(root, f"{name}.csv"))


def empty_exports(models: Path) -> None:
    """What modes without gate, attention and branches leave."""
    for folder in [models / "fusion", *(models / "va").iterdir()]:
        save_file({}, exports(folder))
        for name in ("gates.csv", "branches.csv"):
            if (folder / name).exists():
                write(folder / name, pd.read_csv(folder / name).head(0))
