"""Time and memory of the manifest for a table of very many rows.

`python -m benchmarks.manifest --rows 100000` writes that many tiny wav files and a table into a temporary folder. It
prints one line each for the first run, a second run, another split, and --check.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
EMOTIONS = ("angry", "happy", "neutral", "sad")
ROLES = {"emotion": 1.0, "affect": 0.01}  # share of --rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for role, share in ROLES.items():
            write_corpus(folder / role, role, max(100, int(rows * share)))
        time.sleep(3)  # files that changed within the last two seconds are read again
        print(f"{'run':<16}{'rows':>8}{'seconds':>9}{'GiB at most':>13}")
        for label, split, arguments in (
            ("first", "stratified", []),
            ("again", "stratified", []),
            ("another split", "actor_kfold", []),
            ("--check", "actor_kfold", ["--check"]),
        ):
            write_params(folder, split)
            seconds, gib = measured([sys.executable, "-m", "stages.manifest", *arguments], folder)
            print(f"{label:<16}{rows:>8}{seconds:>9.1f}{gib:>13.2f}")


def write_corpus(root: Path, role: str, rows: int) -> None:
    """Write clips.csv and wav/NNN/N.wav of 20 ms each, all different."""
    table = io.StringIO()
    table.write("id,audio,emotion,valence,arousal,speaker,dialogue,start,end,text\n")
    rng = np.random.default_rng(rows)
    for i in range(rows):
        file = root / "wav" / f"{i // 1000:03}" / f"{i}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(rng.integers(-9999, 9999, 320, dtype=np.int16).tobytes())
        start = i % 20
        table.write(
            f"{role}_{i},{file.relative_to(root)},{EMOTIONS[i % 4]},{1 + i % 5},{1 + i % 3},"
            f"{role}{i // 20 % 500},d{i // 20},{start},{start + 1},words of row {i}\n"
        )
    (root / "clips.csv").write_text(table.getvalue(), encoding="utf-8")


def write_params(folder: Path, split: str) -> None:
    """Write the project's params with the tables as corpora of both roles."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpora"] |= {role: {"name": "csv", "root": role} for role in ROLES}
    params["manifest"]["csv"] |= {"scale": [1, 5]}
    params["manifest"]["emotion"]["split"] = split
    params["manifest"]["affect"]["split"] = "speakers"
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and the largest resident memory (GiB) of the command's main process."""
    begin = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "log.txt").read_text()[-2000:])
    return time.perf_counter() - begin, usage.ru_maxrss / 2**20  # Linux counts in KiB


if __name__ == "__main__":
    main()
