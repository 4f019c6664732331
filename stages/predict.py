"""What the trained models say of your own recordings. Not in the DAG.

    python -m stages.predict interview.mp4 --plot interview.png
    python -m stages.predict recordings/ --json > predictions.json

Any audio or video file; one that lacks sound or picture is judged by the other. Long recordings are taken in windows,
over which the valence/arousal models carry their state; ± is the spread over the models of the folds. The models are
those in data/models of this folder, and hear and see as in training, whatever params.yaml says by now.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from stages.lib import cli, params, runtime
from stages.lib.compute import ComputeParams, progress_interval
from stages.lib.plots import timeline
from stages.lib.prediction import models as trained
from stages.lib.prediction import output, recording
from stages.lib.prediction.models import Models
from stages.lib.prediction.predict import Prediction, predict, speaker

WINDOW = 4.0  # seconds, about a clip of the emotion corpora


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this command reads from params.yaml."""

    seed: int
    compute: ComputeParams


def configure(file: Path) -> Config:
    """Where to compute."""
    return Config(seed=params.read(file, "seed", int), compute=params.read(file, "compute", ComputeParams))


def parse() -> argparse.Namespace:
    parser = cli.parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--window", type=float, help=f"seconds (default {WINDOW:g}, or what the mel encoder hears)")
    parser.add_argument("--hop", type=float, help="seconds from window to window (default: the window)")
    parser.add_argument("--speaker", type=Path, metavar="FILE", help="a recording of the speaker (default: each file)")
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="a picture; of several files, one each, named after it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with attention and every fold's answer")
    options = parser.parse_args()
    if options.window is not None and options.window < 0.5:
        parser.error(f"--window is {options.window}; give 0.5 seconds or more")
    if options.hop is not None and not 0.1 <= options.hop <= (options.window or WINDOW):
        parser.error(f"--hop is {options.hop}; give 0.1 seconds to the window ({options.window or WINDOW:g})")
    if options.plot and options.plot.suffix.lower() != ".png":
        parser.error(f"--plot is {options.plot}; name a .png file")
    return options


def main() -> None:
    options = parse()
    config = configure(options.params)
    files = found(options.files)
    models = trained.load(runtime.setup(config.seed, config.compute))
    notes = output.warnings(models)
    if different := trained.changed(models.settings, options.params):
        notes.append(
            f"{options.params} asks for other {', '.join(different)} features than the models were trained on; "
            "used are those of training. Run `dvc repro` to train anew"
        )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    voice = speaker(models, recording.read(options.speaker)) if options.speaker else None
    window = options.window or usual_window(models)
    hop = min(options.hop or window, window)

    recordings, failed = [], []
    for file in tqdm(files, "recordings", mininterval=progress_interval(), disable=len(files) == 1):
        try:
            made = predict(recording.read(file), models, window=window, hop=hop, voice=voice)
        except ValueError as error:
            failed.append({"file": str(file), "reason": str(error)})
            continue
        recordings.append(output.as_values(str(file), made, models.emotion.classes))
        if not options.json:
            print(output.as_text(str(file), made, models.emotion.classes))
        if options.plot:
            picture(options.plot, file, files, made, models)
    if options.json:
        told = {"models": output.about(models), "notes": notes, "recordings": recordings, "failed": failed}
        print(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
    if not recordings:
        reasons = "; ".join(fault["reason"] for fault in failed)
        raise ValueError(reasons if len(failed) == 1 else f"none of {len(failed)} files could be predicted: {reasons}")
    for fault in failed:
        print(f"left out: {fault['reason']}", file=sys.stderr)


def found(paths: list[Path]) -> list[Path]:
    """Files, those of folders included, without hidden ones.

    Raises:
        ValueError: a path is not there, or a folder is empty.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        within = (
            sorted(p for p in path.rglob("*") if (p.is_file() or _lost(p)) and not p.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        if not within:
            raise ValueError(f"{path}: an empty folder; give one with recordings")
        files += within
    return list(dict.fromkeys(files))


def _lost(path: Path) -> bool:
    """A link that leads nowhere: listed as what cannot be opened."""
    return path.is_symlink() and not path.exists()


def usual_window(models: Models) -> float:
    """WINDOW, or less where the audio encoder hears less of a clip."""
    if models.audio is None or models.audio["encoder"] == "wavlm":
        return WINDOW
    return min(WINDOW, float(models.settings["mel"]["params"]["seconds"]))


def picture(plot: Path, file: Path, files: list[Path], made: Prediction, models: Models) -> None:
    """The picture of one recording; with several files under a name of its own."""
    if len(files) > 1:
        same = [other for other in files if other.stem == file.stem]
        number = f"_{same.index(file) + 1}" if len(same) > 1 else ""
        plot = plot.with_name(f"{plot.stem}_{file.stem}{number}{plot.suffix}")
    plot.parent.mkdir(parents=True, exist_ok=True)
    scale = models.affect.scale if models.affect else None
    timeline.save(plot, file.name, made, models.emotion.classes, scale, output.warnings(models))
    print(f"{plot}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
