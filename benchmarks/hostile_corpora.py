"""Corpora with damaged and odd recordings between good ones, for benchmarks.robustness."""

import csv
from dataclasses import dataclass
from pathlib import Path

import soundfile

from benchmarks import hostile

GOOD = 24  # good clips of the emotion corpus, and turns of the affect corpus
COLUMNS = ("id", "audio", "video", "emotion", "valence", "arousal", "speaker", "dialogue", "start", "end", "split")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile recording: a row of the emotion corpus."""

    id: str
    kind: str  # wav, flac, mp4, avi
    damage: str
    path: str  # below the corpus root


def write_emotion(root: Path) -> list[Case]:
    """Write the hostile recordings, GOOD good ones, and clips.csv; returns the hostile ones."""
    recordings: list[tuple[str, str, Path]] = []  # kind, damage, file
    valid = {suffix: hostile.make(root / f"valid{suffix}", 1).read_bytes() for suffix in hostile.FORMATS}
    for n, suffix in enumerate(hostile.FORMATS):
        foreign = {other: content for other, content in valid.items() if other != suffix}
        own = hostile.make(root / f"own{suffix}", 100 + n).read_bytes()
        for i, (damage, content) in enumerate(hostile.damaged(own, foreign, seed=n)):
            file = root / f"{i}{suffix}"
            file.write_bytes(content)
            recordings.append((suffix[1:], damage, file))
        unopenable = hostile.unopenable(root / suffix[1:], suffix)
        recordings += [(suffix[1:], damage, path) for damage, path in unopenable.items()]
        for i, odd in enumerate(hostile.NAMES):
            file = hostile.make(root / "names" / f"{odd}{suffix}", 500 + 50 * n + i)
            recordings.append((suffix[1:], "odd name", file))
    for damage, (samples, rate) in hostile.odd_sounds().items():
        file = root / f"{damage}.wav"
        soundfile.write(file, samples, rate, subtype="FLOAT")
        recordings.append(("wav", damage, file))
    recordings += [(path.suffix[1:], damage, path) for damage, path in hostile.odd_films(root).items()]
    cases = [
        Case(id=f"h{i:04}", kind=kind, damage=damage, path=path.relative_to(root).as_posix())
        for i, (kind, damage, path) in enumerate(recordings)
    ]
    rows = [(case.id, case.path, case.path if case.kind in ("mp4", "avi") else "", "train") for case in cases]
    for i in range(GOOD):
        good = hostile.make(root / f"good{i}.avi", 5000 + i).name
        rows.append((f"g{i:02}", good, good, ("train", "val", "test")[i % 3]))
    write_table(
        root,
        [
            {
                "id": clip,
                "audio": audio,
                "video": video,
                "emotion": ("happy", "sad")[i % 2],
                "speaker": f"S{i}",
                "split": part,
            }
            for i, (clip, audio, video, part) in enumerate(rows)
        ],
    )
    return cases


def write_affect(root: Path) -> None:
    """Write GOOD turns of three speakers; the sound of one turn is damaged, its picture is not."""
    rows = []
    for i in range(GOOD):
        audio = hostile.sound(root / f"{i}.wav", 7000 + i)
        video = hostile.film(root / f"{i}.avi", 8000 + i, with_sound=False)
        rated = {
            "valence": 1 + i % 5,
            "arousal": 1 + i % 4,
            "speaker": f"T{i % 3}",
            "dialogue": f"d{i % 3}",
            "start": i,
        }
        rows.append({"id": f"t{i:02}", "audio": audio.name, "video": video.name, "end": i + 1} | rated)
    (root / "1.wav").write_bytes(b"")
    write_table(root, rows)


def write_table(root: Path, rows: list[dict]) -> None:
    """Write clips.csv of the corpus csv."""
    with (root / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)
