"""Where the predictions of a run go: standard output, or a folder that a killed run leaves whole."""

import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from avemotion.prediction import annotations, output
from avemotion.prediction.windows import Prediction
from avemotion.system import tables

RECORDS = ".predict"  # in the folder: one small file per finished recording
JOINED, LEFT_OUT = "predictions", "left_out"  # tables of all recordings

Failed = list[dict[str, str]]  # file and reason
Document = Callable[[Sequence[Prediction], Failed], str]  # predictions as one JSON text
RENDER: dict[str, Callable[[Prediction], str]] = {
    "text": output.as_text,
    "csv": annotations.table,
    "srt": annotations.srt,
    "vtt": annotations.vtt,
    "textgrid": annotations.textgrid,
}
SUFFIXES = {"text": "txt", "textgrid": "TextGrid"}  # others are the format's name


class Sink(Protocol):
    """Takes the predictions of a run one by one."""

    def waiting(self, recordings: Iterable[Path]) -> list[Path]:
        """The recordings whose prediction is not there from an earlier run."""

    def write(self, recording: Path, prediction: Prediction) -> None:
        """Write a prediction."""

    def close(self, failed: Failed) -> None:
        """Write what all recordings share."""


class Printed:
    """Prints predictions as they come; JSON, which is one value, at the end."""

    def __init__(self, form: str, document: Document):
        self.form, self.document = form, document
        self._kept: list[Prediction] = []
        self._first = True

    def waiting(self, recordings: Iterable[Path]) -> list[Path]:
        return list(recordings)

    def write(self, recording: Path, prediction: Prediction) -> None:
        if self.form == "json":
            self._kept.append(prediction)
            return
        text = RENDER[self.form](prediction)
        if self.form == "csv" and not self._first:
            text = text.partition("\n")[2]  # without the header
        print(text.rstrip("\n"))
        self._first = False

    def close(self, failed: Failed) -> None:
        if self.form == "json":
            print(self.document(self._kept, failed), end="")


class Folder:
    """Writes one file per recording. A further run leaves out those whose file the same models and options wrote.

    A record below RECORDS follows each file, so a file without one, or one that was changed since, is written anew.
    """

    def __init__(self, folder: Path, names: Mapping[Path, str], form: str, document: Document):
        """names: recording -> name of its file, without suffix."""
        self.folder, self.form, self.document = folder, form, document
        self.files = {recording: f"{name}.{SUFFIXES.get(form, form)}" for recording, name in names.items()}
        self.made_by: dict[str, Any] = {}  # what predictions depend on besides the recording; plain values

    def waiting(self, recordings: Iterable[Path]) -> list[Path]:
        """Those without a file by the same models and options; tells how many have one, by these or by others."""
        records = {recording: self._earlier(recording) for recording in recordings}
        finished = [recording for recording, record in records.items() if record and record == self._facts(recording)]
        if finished:
            print(f"{self.folder}: {len(finished)} recordings are predicted already", file=sys.stderr)
        if outdated := [record for record in records.values() if record and record["made_by"] != self.made_by]:
            why = "were predicted by other models or options; they are predicted anew"
            print(f"{self.folder}: {len(outdated)} recordings {why}", file=sys.stderr)
        return [recording for recording in records if recording not in finished]

    def _earlier(self, recording: Path) -> dict[str, Any] | None:
        """The record of an earlier run; None where there is none, or no file to it."""
        try:
            record = json.loads(self._record(recording).read_text(encoding="utf-8"))
            self._facts(recording)
        except (OSError, ValueError):
            return None
        return record

    def write(self, recording: Path, prediction: Prediction) -> None:
        """Raises OSError: no space left, or no permission."""
        text = self.document([prediction], []) if self.form == "json" else RENDER[self.form](prediction)
        tables.write_text(self.folder / self.files[recording], text.rstrip("\n") + "\n")
        tables.write_text(self._record(recording), json.dumps(self._facts(recording), indent=2) + "\n")

    def close(self, failed: Failed) -> None:
        """Write the table of files that are left out, and for CSV the table of all recordings."""
        (self.folder / f"{LEFT_OUT}.csv").unlink(missing_ok=True)
        if failed:
            text = io.StringIO()
            rows = csv.DictWriter(text, ["file", "reason"], lineterminator="\n")
            rows.writeheader()
            rows.writerows(failed)
            tables.write_text(self.folder / f"{LEFT_OUT}.csv", text.getvalue())
        if self.form == "csv" and len(failed) < len(self.files):
            lost = {fault["file"] for fault in failed}
            parts = [self.folder / file for of, file in self.files.items() if str(of) not in lost]
            texts = [part.read_text(encoding="utf-8", errors="surrogateescape") for part in parts]
            joined = "".join(text if i == 0 else text.partition("\n")[2] for i, text in enumerate(texts))
            tables.write_text(self.folder / f"{JOINED}.csv", joined)

    def _record(self, recording: Path) -> Path:
        path = str(recording.absolute()).encode("utf-8", errors="surrogateescape")
        return self.folder / RECORDS / f"{hashlib.blake2b(path, digest_size=16).hexdigest()}.json"

    def _facts(self, recording: Path) -> dict[str, Any]:
        content = (self.folder / self.files[recording]).read_bytes()
        return {
            "recording": _version(recording),
            "output": [self.files[recording], _digest(content)],
            "made_by": self.made_by,
        }


def made_by(models: Path, speaker: Sequence[Path], **options: Any) -> dict[str, Any]:
    """What predictions depend on besides the recording.

    Args:
        models: data/models. speaker: recordings of --speaker. options: plain values.
    """
    files = sorted(file for stage in ("fusion", "va") for file in (models / stage).rglob("model.*"))
    weights = "".join(f"{file.relative_to(models).as_posix()} {_digest(file.read_bytes())}\n" for file in files)
    enrolled = [[str(file.absolute()), *_version(file)] for file in speaker]
    return {"models": _digest(weights.encode()), "speaker": enrolled, **options}


def _version(recording: Path) -> list[int]:
    """Size and time of change of a file."""
    status = recording.stat()
    return [status.st_size, status.st_mtime_ns]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
