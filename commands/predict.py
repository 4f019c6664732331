"""Predicts emotion, valence and arousal of your own recordings. Not in the DAG.

    python -m commands.predict interview.mp4 --plot interview.png
    python -m commands.predict recordings/ --json > predictions.json

Input is any audio or video file. If sound or picture is missing, the emotion model uses the other one; valence and
arousal need sound. Long recordings are cut into windows, and the VA models carry their state from window to window.
± is the standard deviation over the models of the folds. Models and feature settings are those in data/models.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import feature_kind
from avemotion.system import cli, params_file

if TYPE_CHECKING:
    from avemotion.prediction.own_windows import Own
    from avemotion.prediction.trained_models import Models
    from avemotion.prediction.windows import Prediction

WINDOW = 4.0  # seconds, about a clip of the emotion corpora


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this command reads from params.yaml."""

    seed: int
    compute: ComputeParams


def configure(file: Path) -> Config:
    """Read the params of this command."""
    return Config(seed=params_file.read(file, "seed", int), compute=params_file.read(file, "compute", ComputeParams))


def parse() -> argparse.Namespace:
    parser = cli.parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, or folders of them")
    parser.add_argument(
        "--window", type=float, help=f"seconds (default {WINDOW:g}, or the input length of the mel encoder)"
    )
    parser.add_argument("--hop", type=float, help="seconds from window to window (default: the window)")
    parser.add_argument(
        "--speaker",
        type=Path,
        metavar="PATH",
        help="a recording of the speaker, or a folder of them, for the speaker embedding, for inputs relative to "
        "the speaker (default: each file itself) and for --speaker-logits",
    )
    parser.add_argument(
        "--speaker-logits",
        choices=("none", "mean", "mean_std"),
        default="none",
        help="emotions relative to the speaker: logits minus their mean over all windows of --speaker (default: of all "
        "FILEs, which must then be of one speaker); mean_std: also over their deviation, for acted, balanced "
        "recordings only",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="PNG",
        help="write a picture; with several files, one for each, with the file name added",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with attention and the values of every fold")
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
    files = files_of(options.files)
    speaker_files = files_of([options.speaker]) if options.speaker else []
    from avemotion.prediction import output, recording, relative, trained_models
    from avemotion.prediction.own_windows import own_windows
    from avemotion.prediction.piece_features import speaker
    from avemotion.system import runtime

    models = trained_models.load(runtime.setup(config.seed, config.compute))
    notes = output.warnings(models)
    if different := trained_models.changed(models.settings, options.params):
        notes.append(
            f"{options.params} has other settings of {', '.join(different)} features than the models were trained on; "
            "the settings of training are used. Run `dvc repro` to train again"
        )
    failed: list[dict[str, str]] = []
    voice = relative.voice([speaker(models, recording.read(file)) for file in speaker_files])
    own = None
    if speaker_files:
        window, hop = spans_of(options, models)
        of_speaker = (recording.read(file) for file in speaker_files)
        own = own_windows(of_speaker, models, window=window, hop=hop, voice=voice)
    predictions = predict_all(files, models, voice, options, failed, own)
    if options.speaker_logits != "none":
        predictions = list(predictions)
        others = list(predict_all(speaker_files, models, voice, options, failed, own)) if speaker_files else predictions
        statistics, more = relative.statistics((of for _, of in others), models.classes, options.speaker_logits)
        notes += more
        predictions = [(file, relative.relative(of, statistics)) for file, of in predictions]
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    recordings = [show(file, prediction, files, models, options) for file, prediction in predictions]
    if options.json:
        used = options.speaker_logits != "none" or models.takes_speaker_statistics
        content = {"models": output.about(models), "speaker_statistics": used}
        content |= {"notes": notes, "recordings": recordings, "failed": failed}
        print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
    if not recordings:
        reasons = "; ".join(fault["reason"] for fault in failed)
        raise ValueError(reasons if len(failed) == 1 else f"none of {len(failed)} files could be predicted: {reasons}")
    for fault in failed:
        print(f"left out: {fault['reason']}", file=sys.stderr)


def spans_of(options: argparse.Namespace, models: "Models") -> tuple[float, float]:
    """Seconds of a window, and from window to window."""
    window = options.window or usual_window(models)
    return window, min(options.hop or window, window)


def predict_all(
    files: list[Path],
    models: "Models",
    voice: Any,
    options: argparse.Namespace,
    failed: list[dict[str, str]],
    own: "Own | None",
) -> Iterable[tuple[Path, "Prediction"]]:
    """Every recording with its prediction, one by one; a file that cannot be predicted is added to failed."""
    from tqdm import tqdm

    from avemotion.prediction import recording
    from avemotion.prediction.windows import predict
    from avemotion.system.workers import progress_interval

    window, hop = spans_of(options, models)
    for file in tqdm(files, "recordings", mininterval=progress_interval(), disable=len(files) == 1):
        try:
            yield file, predict(recording.read(file), models, window=window, hop=hop, voice=voice, own=own)
        except ValueError as error:
            failed.append({"file": str(file), "reason": str(error)})


def show(
    file: Path, prediction: "Prediction", files: list[Path], models: "Models", options: argparse.Namespace
) -> dict[str, Any]:
    """The values of a recording; prints and draws by the options."""
    from avemotion.prediction import output

    if not options.json:
        print(output.as_text(str(file), prediction, models.classes))
    if options.plot:
        picture(options.plot, file, files, prediction, models)
    return output.as_values(str(file), prediction, models.classes)


def files_of(paths: list[Path]) -> list[Path]:
    """Files, including those in folders, without hidden ones.

    Raises:
        ValueError: a path does not exist, or a folder is empty.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        within = (
            sorted(p for p in path.rglob("*") if (p.is_file() or _broken_link(p)) and not p.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        if not within:
            raise ValueError(f"{path}: an empty folder; give one with recordings")
        files += within
    return list(dict.fromkeys(files))


def _broken_link(path: Path) -> bool:
    """Whether path is a link without a target; such a link is reported as a failed file."""
    return path.is_symlink() and not path.exists()


def usual_window(models: "Models") -> float:
    """WINDOW, or less if the input of the audio encoder is shorter."""
    if models.audio is None or feature_kind(models.audio["encoder"]) == "wavlm":
        return WINDOW
    return min(WINDOW, models.settings["mel"]["params"]["seconds"] or WINDOW)


def picture(plot: Path, file: Path, files: list[Path], prediction: "Prediction", models: "Models") -> None:
    """Write the picture of one recording; with several files, each picture has its own name."""
    from avemotion.prediction import timeline

    if len(files) > 1:
        same = [other for other in files if other.stem == file.stem]
        number = f"_{same.index(file) + 1}" if len(same) > 1 else ""
        plot = plot.with_name(f"{plot.stem}_{file.stem}{number}{plot.suffix}")
    plot.parent.mkdir(parents=True, exist_ok=True)
    timeline.save(plot, file.name, prediction, models)
    print(f"{plot}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main, memory="--window")
