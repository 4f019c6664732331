"""UAR of the baseline on real speech: RAVDESS, folds luna_jimenez, with and without each speaker's own statistics.

`python -m benchmarks.baseline_real --root /data/RAVDESS --work work` extracts eGeMAPS of all clips (minutes) and
prints one line per setting. Every other fold trains; no fold is taken out for validation, as in published figures. So C
is fixed, not chosen.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (("linear_svm", 0.1), ("rbf_svm", 1.0))
PROTOCOL = "luna_jimenez"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of RAVDESS")
    parser.add_argument("--work", type=Path, required=True, help="folder of the manifest and the features; kept")
    options = parser.parse_args()
    for (normalise, model, c), uar in measure(options.root, options.work).items():
        print(f"{normalise:8} {model:12} C {c:<5g} UAR {uar:.3f}")


def measure(root: Path, work: Path) -> dict[tuple[str, str, float], float]:
    """(normalise, model, C) -> UAR over the test clips of all folds."""
    from avemotion.formats import clips, labels
    from avemotion.scoring.metrics import uar
    from avemotion.training.baseline import estimators, functionals

    prepare(root.resolve(), work)
    table = labels.read("emotion", work / clips.FOLDER)
    classes = sorted(set(table["label"]))
    targets, folds = table["label"].map(classes.index).to_numpy(), table["split"].to_numpy()
    scores = {}
    for normalise in ("corpus", "speaker"):
        rows = functionals.read("emotion", list(table["id"]), list(table["speaker"]), normalise, work)
        for name, c in SETTINGS:
            predicted = np.empty(len(table), int)
            for fold in sorted(set(folds)):
                train, test = folds != fold, folds == fold
                chosen = estimators.choose(
                    estimators.CLASSIFIERS, [(name, c)], (rows[train], targets[train]), lambda _: 0.0
                )
                predicted[test] = chosen.model.predict(rows[test])
            scores[normalise, name, c] = uar(targets, predicted)
    return scores


def prepare(root: Path, work: Path) -> None:
    """Manifest and prosody of the corpus in `work`; a second call reads no file again."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpora"] |= {
        "emotion": {"name": "ravdess", "root": root.as_posix()},
        "affect": {"name": None, "root": "data/none"},
    }
    params["manifest"]["emotion"] |= {"split": "protocol", "protocol": PROTOCOL}
    (work / "data/none").mkdir(parents=True, exist_ok=True)
    (work / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for command in (["stages.manifest"], ["stages.features", "prosody", "--role", "emotion"]):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-m", *command], cwd=work, env=environment, check=True)


if __name__ == "__main__":
    main()
