"""Predicts many files, one after another, with the same models."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avemotion.prediction import recording, relative
from avemotion.prediction.own_windows import Own
from avemotion.prediction.predictor import Predictor
from avemotion.prediction.windows import Prediction
from avemotion.scoring.speaker_logits import How
from avemotion.system.workers import progress_interval

SHOWN_AFTER = 5.0  # seconds; the bar of a single recording


@dataclass(kw_only=True)
class FileRun:
    """The models and options of a run, and the files that could not be predicted."""

    predictor: Predictor
    window: float | None  # seconds; None = the usual
    hop: float | None
    voice: np.ndarray | None = None  # [1, S] speaker embedding; None = that of each file
    own: Own | None = None  # windows behind the statistics of the speaker; None = those of each file
    fail_fast: bool = False
    failed: list[dict[str, str]] = field(default_factory=list)  # file and reason

    def predictions(self, files: list[Path]) -> Iterator[tuple[Path, Prediction]]:
        """Every file with its prediction, one by one, with a progress bar; a file without one is added to `failed`.

        Raises:
            ValueError: with fail_fast, for the first such file.
        """
        alone = len(files) == 1  # the bar of a single recording counts its windows
        for file in tqdm(files, "recordings", mininterval=progress_interval(), disable=alone):
            with tqdm(desc="windows", mininterval=progress_interval(), delay=SHOWN_AFTER, disable=not alone) as bar:
                try:
                    prediction = self._predict(file, bar)
                except ValueError as error:
                    if self.fail_fast:
                        raise
                    self.failed.append({"file": str(file), "reason": str(error)})
                    continue
            yield file, prediction

    def relative(
        self, files: list[Path], speaker_files: list[Path], how: How
    ) -> tuple[list[tuple[Path, Prediction]], list[str]]:
        """Predictions of files of one speaker relative to those of speaker_files (none: of themselves), and notes.

        Raises:
            ValueError: no recording of the speaker has an emotion; or as `predictions`.
        """
        found = list(self.predictions(files))
        own: Iterable[tuple[Path, Prediction]] = self.predictions(speaker_files) if speaker_files else found
        statistics, notes = relative.statistics((of for _, of in own), self.predictor.models.classes, how)
        return [(file, relative.relative(of, statistics)) for file, of in found], notes

    def tell(self, predicted: int) -> bool:
        """Print the files that are left out, with their reasons; whether there are none.

        Args:
            predicted: number of files with a prediction, of this run or an earlier one.

        Raises:
            ValueError: there is none.
        """
        reasons = [fault["reason"] for fault in self.failed]
        if not predicted:
            every = "; ".join(reasons)
            raise ValueError(
                every if len(reasons) == 1 else f"none of {len(reasons)} files could be predicted: {every}"
            )
        for reason in reasons:
            print(f"left out: {reason}", file=sys.stderr)
        if reasons:
            print(f"{predicted} of {predicted + len(reasons)} files are predicted", file=sys.stderr)
        return not reasons

    def _predict(self, file: Path, bar: tqdm) -> Prediction:
        def show(done: int, windows: int) -> None:
            bar.total = windows
            bar.update(done - bar.n)

        given = {"window": self.window, "hop": self.hop, "voice": self.voice, "own": self.own}
        return self.predictor.windows(recording.read(file), **given, progress=show)
