"""Clips that are read per second, of this code and of another commit, in turns.

    git worktree add --detach ../before COMMIT
    python -m benchmarks.reading_speed --before ../before

writes synthetic recordings and reads each kind with both, a fresh process for each round. Per core: clips per second
of CPU time of all threads. By the clock: clips per second of one process, with as many threads as its libraries start.
Both are those of the best round, because other work on the machine only slows down.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 3.0  # of a clip
TURNS = 240.0  # seconds of the film that holds many turns
LEAST = 0.5  # seconds of one measurement


def write(folder: Path) -> None:
    """The recordings: noise and tones, and smooth pictures that move."""
    import soundfile

    rng = np.random.default_rng(0)
    for name, rate, channels in (("16k.wav", 16000, 1), ("48k.wav", 48000, 1), ("stereo.wav", 48000, 2)):
        samples = rng.uniform(-0.3, 0.3, (round(SECONDS * rate), channels))
        soundfile.write(folder / name, samples, rate)
        if channels == 1 and rate == 48000:
            soundfile.write(folder / "48k.flac", samples, rate)
    film(folder / "720p.mp4", (1280, 720), 30, SECONDS, ("libx264", "aac"))
    film(folder / "turns.avi", (640, 480), 25, TURNS, ("mpeg4", "mp3"))


def film(file: Path, size: tuple[int, int], fps: int, seconds: float, codecs: tuple[str, str]) -> None:
    """A film with a key frame every 2 s and sound at 48 kHz."""
    import av

    rng = np.random.default_rng(1)
    small = rng.integers(30, 220, (9, 16, 3)).astype(np.uint8)
    with av.open(str(file), "w") as container:
        video = container.add_stream(codecs[0], rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.bit_rate, video.codec_context.gop_size = 2_000_000, 2 * fps
        audio = container.add_stream(codecs[1], rate=48000, layout="mono")
        picture = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(*size, format="rgb24").to_ndarray()
        noise = rng.integers(-6, 7, (2, *picture.shape)).astype(np.int16)
        for i in range(round(fps * seconds)):
            shown = np.roll(picture, 3 * i, axis=1) + noise[i % 2]
            container.mux(video.encode(av.VideoFrame.from_ndarray(shown.clip(0, 255).astype(np.uint8), format="rgb24")))
        container.mux(video.encode())
        samples = rng.uniform(-0.3, 0.3, (1, round(seconds * 48000))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 48000
        convert = av.AudioResampler(format=audio.format.name, layout="mono", rate=48000, frame_size=audio.frame_size)
        for part in [*convert.resample(frame), *convert.resample(None)]:
            container.mux(audio.encode(part))
        container.mux(audio.encode())


def readings(folder: Path) -> dict[str, tuple[Callable[[int], object], str]]:
    """name -> (a function that reads clip i, what is read)."""
    from avemotion.media.pictures import read_frames
    from avemotion.media.waveforms import read_waveform

    def turn(i: int) -> object:
        start = (i * 37 % 58) * 4.0
        return read_frames(folder / "turns.avi", 8, start, start + 4)

    return {
        "wav, 16 kHz": (lambda i: read_waveform(folder / "16k.wav"), "3 s of sound"),
        "wav, 48 kHz": (lambda i: read_waveform(folder / "48k.wav"), "3 s of sound"),
        "wav, 48 kHz stereo": (lambda i: read_waveform(folder / "stereo.wav"), "3 s of sound"),
        "FLAC, 48 kHz": (lambda i: read_waveform(folder / "48k.flac"), "3 s of sound"),
        "mp4, 720p, sound": (lambda i: read_waveform(folder / "720p.mp4"), "3 s of sound"),
        "mp4, 720p, pictures": (lambda i: read_frames(folder / "720p.mp4", 8), "8 frames of 3 s"),
        "AVI of 4 minutes, turns": (turn, "8 frames of 4 s"),
    }


def measure(folder: Path) -> dict[str, tuple[float, float]]:
    """name -> clips per second of CPU time, and by the clock."""
    speeds = {}
    for name, (read, _) in readings(folder).items():
        read(0)
        clips, cpu, clock = 0, time.process_time(), time.perf_counter()
        while time.perf_counter() - clock < LEAST:
            read(clips)
            clips += 1
        speeds[name] = (clips / (time.process_time() - cpu), clips / (time.perf_counter() - clock))
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        print(json.dumps(measure(options.of)))
        return
    here = Path(__file__).resolve().parents[1]
    rounds: dict[Path, list[dict]] = {options.before.resolve(): [], here: []}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        command = [sys.executable, __file__, "--before", ".", "--of", name]
        for _ in range(options.rounds):
            for code, results in rounds.items():
                done = subprocess.run(
                    command, env=os.environ | {"PYTHONPATH": str(code)}, capture_output=True, text=True, check=True
                )
                results.append(json.loads(done.stdout))
        what = {key: text for key, (_, text) in readings(Path(name)).items()}
    print("| clips per second | of | per core, before | now | ratio | by the clock, before | now | ratio |")
    print("| --- " * 8 + "|")
    for key, text in what.items():
        cells = []
        for place in (0, 1):
            before, now = (max(result[key][place] for result in results) for results in rounds.values())
            cells += [f"{before:.4g}", f"{now:.4g}", f"{now / before:.2f}"]
        print(f"| {key} | {text} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
