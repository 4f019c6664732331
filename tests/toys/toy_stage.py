"""The one stage of the project that toy_project.py makes: manifests and predictions from a few params, in no time.

Copied into that project and run there, without the repository.
"""

import json
import random
import sys
from pathlib import Path

import yaml

CLASSES = ("angry", "happy", "sad")
SKILL = {"concat": 0.5, "gated": 0.9, "xattn": 0.5}  # share of clips that a fusion mode surely gets right
LABELS = (
    *("id", "speaker", "gender", "emotion", "label", "intensity", "statement", "repetition"),
    *("valence", "arousal", "dominance", "dialogue", "turn", "start", "end", "text", "split"),
)
FOLDS = (1, 2, 3)


def write(file: str, header: tuple[str, ...], rows: list[dict]) -> None:
    lines = [header, *([str(row.get(name, "")) for name in header] for row in rows)]
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text("".join(",".join(line) + "\n" for line in lines))


def manifest(role: str, rows: list[dict], folds: tuple[int, ...]) -> None:
    facts = {"corpus": "toy", "role": role, "synthetic": True, "classes": CLASSES, "scale": None, "split": "actor"}
    counts = {"speaker_overlap": False, "clips": len(rows), "speakers": 1, "rejected": 0, "folds": folds}
    write(f"data/manifest/{role}/labels.csv", LABELS, rows)
    Path(f"data/manifest/{role}/corpus.json").write_text(json.dumps(facts | counts))


def classify(stage: str, skill: float, clips: list[dict], seed: int) -> None:
    draw, rows = random.Random(f"{stage} {seed} {skill}"), []
    for clip in clips:
        predicted = clip["label"] if draw.random() < skill else draw.choice(CLASSES)
        shares = {f"p_{name}": 0.8 if name == predicted else 0.1 for name in CLASSES}
        rows.append(
            {"id": clip["id"], "split": clip["split"], "label": clip["label"], "predicted": predicted, **shares}
        )
    header = ("id", "split", "label", "predicted", *(f"p_{name}" for name in CLASSES))
    write(f"data/models/{stage}/predictions.csv", header, rows)


def rate(fold: int, turns: list[dict], noise: float, draw: random.Random, stage: str = "va") -> None:
    targets = ("valence", "arousal")
    validates = FOLDS[FOLDS.index(fold) + 1 - len(FOLDS)]
    rows = [
        turn | {"split": split} | {f"{target}_predicted": turn[target] + draw.gauss(0, noise) for target in targets}
        for number, split in ((fold, "test"), (validates, "val"))
        for turn in turns
        if turn["split"] == str(number)
    ]
    header = ("id", "split", *targets, *(f"{target}_predicted" for target in targets))
    write(f"data/models/{stage}/fold_{fold}/predictions.csv", header, rows)


def main() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    mode, seed, shift = params["fusion"]["mode"], params["seed"], params["manifest"]["shift"]
    if mode == "broken":
        sys.exit("this mode always fails")
    clips = [
        {"id": f"c{i:03d}", "label": CLASSES[(i + shift) % 3], "speaker": f"s{i // 10:02d}", "split": "test"}
        for i in range(200)
    ]
    clips += [
        {"id": f"v{i:03d}", "label": CLASSES[(i + shift) % 3], "speaker": f"t{i // 10:02d}", "split": "val"}
        for i in range(100)
    ]
    manifest("emotion", clips, ())
    for stage, skill in (("fusion", SKILL[mode]), ("pretrain_audio", 0.3), ("pretrain_video", 0.4)):
        classify(stage, skill, clips, seed)

    draw = random.Random("labels")
    turns = [
        {"id": f"t{i:03d}", "dialogue": f"d{i // 6:02d}", "split": str(i // 60 + 1)}
        | {"valence": draw.randint(1, 5), "arousal": draw.randint(1, 5)}
        for i in range(180)
    ]
    manifest("affect", turns, FOLDS)
    draw = random.Random(f"va {seed} {mode}")
    for fold in FOLDS:
        rate(fold, turns, params["va"]["noise"], draw)
        rate(fold, turns, 5.0, random.Random(f"baseline {fold}"), "baseline/affect")
    classify("baseline/emotion", 0.2, clips, 0)


if __name__ == "__main__":
    main()
