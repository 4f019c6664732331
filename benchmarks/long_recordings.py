"""Peak memory of each stage for recordings of hours.

`python -m benchmarks.long_recordings --hours 2` in a folder of `benchmarks.robustness --folder`, whose models it uses.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile
import yaml

from avemotion.formats.feature_store import FeatureStore
from benchmarks import hostile
from benchmarks.manifest import measured

STEP = 60  # seconds written at a time
KINDS = ("wavlm", "mel", "frames", "prosody", "speaker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2)
    show(parser.parse_args().hours)


def show(hours: float) -> None:
    """Print peak GiB and seconds for every stage and kind of recording."""
    home = Path("long")
    home.mkdir()
    recordings = {"16 kHz mono": (16000, 1), "48 kHz stereo": (48000, 2)}
    print(f"\n| {hours:g} hours | stage | GiB at most | seconds |\n| --- | --- | --- | --- |")
    for name, (rate, channels) in recordings.items():
        project = home / name.replace(" ", "_")
        write(project / "corpus" / "long.wav", hours, rate, channels)
        hostile.film(
            project / "corpus" / "long.mp4", 1, size=(64, 48), frames=round(hours * 3600), step=20, with_sound=False
        )
        prepare(project)
        features = (f"stages.features {kind} --role emotion" for kind in KINDS)
        for command in ("stages.manifest", *features, "commands.predict corpus/long.wav"):
            seconds, gib = measured([sys.executable, "-m", *command.split()], project)
            print(f"| {name} | {command.partition('.')[2]} | {gib:.2f} | {seconds:.0f} |", flush=True)
        for kind in KINDS:
            cache = FeatureStore(project / "data/features" / kind / "emotion")
            assert "long" not in cache.missing
        shutil.rmtree(project)


def write(file: Path, hours: float, rate: int, channels: int) -> None:
    """Write noise, one minute at a time."""
    file.parent.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(file, "w", rate, channels, subtype="PCM_16") as sound:
        for _ in range(round(hours * 3600 / STEP)):
            sound.write(rng.integers(-9999, 9999, (STEP * rate, channels), dtype=np.int16))


def prepare(project: Path) -> None:
    """Write a corpus of the long recording and short ones, params, and the trained models."""
    rows = ["id,audio,video,emotion,valence,arousal,speaker,split", "long,long.wav,long.mp4,happy,,,L,train"]
    rows += [f"s{i},s{i}.wav,,sad,,,S{i},{part}" for i, part in enumerate(("train", "val", "test"))]
    for i in range(3):
        hostile.sound(project / f"corpus/s{i}.wav", i)
    (project / "corpus/clips.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["corpora"]["emotion"]["root"] = "corpus"
    params["corpora"]["affect"]["root"] = str(Path("affect").absolute())
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copytree("data/models", project / "data/models")


if __name__ == "__main__":
    main()
