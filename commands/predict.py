"""Predicts emotion, valence and arousal of your own recordings. Not in the DAG.

    python -m commands.predict interview.mp4 --plot interview.png
    python -m commands.predict recordings/ --json > predictions.json
    python -m commands.predict recordings/ --format srt --out subtitles/
    python -m commands.predict --microphone 20

Input is any audio or video file. If sound or picture is missing, the emotion model uses the other one; valence and
arousal need sound. Long recordings are cut into windows, and the VA models carry their state from window to window.
± is the standard deviation over the models of the folds. Models and feature settings are those in data/models.

Exit status: 0 = every file is predicted; 3 = some are left out, with the reasons on stderr; 1 = none, or an error;
2 = a wrong option.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.params.shared.compute import ComputeParams
from avemotion.prediction import file_list, output, window_lengths
from avemotion.system import cli, params_file

if TYPE_CHECKING:
    from avemotion.prediction.file_run import FileRun
    from avemotion.prediction.predictor import Predictor
    from avemotion.prediction.sinks import Document, Sink
    from avemotion.prediction.windows import Prediction, Window

FORMATS = ("text", "json", "csv", "srt", "vtt", "textgrid")
ONE_EACH = ("srt", "vtt", "textgrid")  # one file per recording
SOME_LEFT_OUT = 3  # exit status


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
    add = parser.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="recordings, or folders of them; - = a list on stdin")
    seconds = "record SECONDS (default: until Ctrl-C); windows are predicted while recording"
    add("--microphone", nargs="?", type=float, const=math.inf, metavar="SECONDS", help=seconds)
    add("--window", type=float, help=f"seconds (default {window_lengths.WINDOW:g}, or the mel encoder's input length)")
    add("--hop", type=float, help="seconds from window to window (default: the window)")
    speaker = "recordings of the speaker, for the speaker embedding and all that is relative to the speaker "
    add("--speaker", type=Path, metavar="PATH", help=f"{speaker}(default: each file itself)")
    add(
        "--speaker-logits",
        choices=("none", "mean", "mean_std"),
        default="none",
        help="emotions relative to the speaker: logits minus their mean over all windows of --speaker (default: of all "
        "FILEs, which must then be of one speaker); mean_std: also over their deviation, for acted, balanced "
        "recordings only",
    )
    add("--plot", type=Path, metavar="PNG", help="write a picture; with several files, one each, with its name added")
    add("--format", choices=FORMATS, default="text", help="of the predictions (default text)")
    add("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add("--out", type=Path, metavar="FOLDER", help="write one file per recording; a further run completes the folder")
    add("--fail-fast", action="store_true", help="end at the first file that cannot be predicted")
    options = parser.parse_args()
    try:
        window_lengths.check(options.window, options.hop)
    except ValueError as error:
        parser.error(f"--{error}")
    if options.plot and options.plot.suffix.lower() != ".png":
        parser.error(f"--plot is {options.plot}; name a .png file")
    if bool(options.files) == (options.microphone is not None):
        parser.error("give FILEs, or --microphone")
    if options.microphone is not None and not options.microphone > 0:
        parser.error(f"--microphone is {options.microphone:g}; give more than 0 seconds")
    if options.microphone is not None and (options.out or options.speaker_logits != "none"):
        parser.error("--out and --speaker-logits take files; record one first")
    return options


def main() -> bool:
    """Predict and write; whether every file is predicted."""
    options = parse()
    config = configure(options.params)
    files = file_list.files_of(options.files, options.out)
    if len(files) > 1 and options.format in ONE_EACH and not options.out:
        raise ValueError(f"--format {options.format} is one file per recording; give --out FOLDER")
    speaker_files = list(file_list.files_of([options.speaker])) if options.speaker else []
    run, notes = loaded(options, config, speaker_files)
    relative = options.speaker_logits != "none"
    document = partial(output.as_json, run.predictor.models, notes=notes, relative=relative)
    sink = sink_of(options, files, speaker_files, document)
    if options.microphone is not None:
        tell(notes)
        return from_microphone(options, run, sink)
    if not relative:
        waiting = sink.waiting(files)
        predictions = run.predictions(waiting)
    else:  # statistics of the speaker need every file
        waiting = list(files)
        predictions, more = run.relative(waiting, speaker_files, options.speaker_logits)
        notes += more
    tell(notes)
    predicted = len(files) - len(waiting)
    for file, prediction in predictions:
        sink.write(file, prediction)
        if options.plot:
            draw(file_list.plot_name(options.plot, file, list(files)), prediction, run.predictor)
        predicted += 1
    sink.close(run.failed)
    return run.tell(predicted)


def from_microphone(options: argparse.Namespace, run: "FileRun", sink: "Sink") -> bool:
    """Predict while recording; text is printed window by window, other formats at the end."""
    from avemotion.prediction import microphone

    def show(window: "Window") -> None:
        if options.format == "text":
            print(output.as_line(window, run.predictor.models), flush=True)

    given = {"window": options.window, "hop": options.hop, "voice": run.voice}
    prediction = microphone.listen(run.predictor, options.microphone, show, **given)
    if options.format == "text":
        print("\n".join(output.after_windows(prediction)))
    else:
        sink.write(Path(microphone.NAME), prediction)
        sink.close([])
    if options.plot:
        draw(options.plot, prediction, run.predictor)
    return True


def tell(notes: list[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def loaded(options: argparse.Namespace, config: Config, speaker_files: list[Path]) -> "tuple[FileRun, list[str]]":
    """The models, and notes on them."""
    from avemotion.prediction import feature_settings, recording, trained_models
    from avemotion.prediction.file_run import FileRun
    from avemotion.prediction.own_windows import own_windows
    from avemotion.prediction.predictor import Predictor
    from avemotion.system import runtime

    models = trained_models.load(runtime.setup(config.seed, config.compute))
    predictor, notes = Predictor(models), output.warnings(models)
    if different := feature_settings.changed(models.settings, options.params):
        notes.append(
            f"{options.params} has other settings of {', '.join(different)} features than the models were trained on; "
            "the settings of training are used. Run `dvc repro` to train again"
        )
    given = {"window": options.window, "hop": options.hop, "voice": predictor.voice(*speaker_files)}
    own = None
    if speaker_files:
        window, hop = predictor.lengths(options.window, options.hop)
        of_speaker = (recording.read(file) for file in speaker_files)
        own = own_windows(of_speaker, models, window=window, hop=hop, voice=given["voice"])
    return FileRun(predictor=predictor, **given, own=own, fail_fast=options.fail_fast), notes


def sink_of(
    options: argparse.Namespace, files: dict[Path, Path], speaker_files: list[Path], document: "Document"
) -> "Sink":
    """Standard output, or the folder of --out."""
    from avemotion.prediction import sinks
    from avemotion.scoring.results import MODELS

    if options.out is None:
        return sinks.Printed(options.format, document)
    folder = sinks.Folder(options.out, file_list.names(files), options.format, document)
    given = {name: getattr(options, name) for name in ("format", "window", "hop", "speaker_logits")}
    folder.made_by = sinks.made_by(MODELS, speaker_files, **given, plot=options.plot and str(options.plot))
    return folder


def draw(plot: Path, prediction: "Prediction", predictor: "Predictor") -> None:
    """Write the picture of one recording."""
    from avemotion.prediction import timeline

    plot.parent.mkdir(parents=True, exist_ok=True)
    timeline.save(plot, prediction, predictor.models)
    print(f"{plot}", file=sys.stderr)


def command() -> None:
    """Run main, and tell by the exit status whether files are left out."""
    if not main():
        sys.exit(SOME_LEFT_OUT)


if __name__ == "__main__":
    cli.run(command, memory="--window")
