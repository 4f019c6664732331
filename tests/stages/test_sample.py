"""The sample corpus: true layouts, sound media, honest labels, the same bytes from any number of processes."""

import hashlib
import os
import re
import subprocess
import sys
import wave
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from project_params import REPO

from avemotion.synthesis import dialogue, engine, ravdess_layout
from stages import sample

PARAMS = """
compute: {{device: cpu, threads: 1, workers: {workers}, loader_workers: 0, engine: local, address: null,
  tensorboard: false}}
sample:
  seed: 3
  ravdess: {{actors: [1, 2], repetitions: 1, trials: balanced, width: 192, height: 144, fps: 10.0}}
  iemocap: {{dialogues: 1, turns: 4, width: 320, height: 240, fps: 10.0}}
"""

# Written from the corpora's documentation, not from the code under test.
RAVDESS_NAME = re.compile(r"Actor_(\d\d)/0([23])-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)\.(mp4|wav)")
TURN = re.compile(
    r"\[(\d+\.\d{4}) - (\d+\.\d{4})\]\t(Ses0[1-5][FM]_(?:impro|script)\d\d\w*_([FM])\d{3})"
    r"\t(neu|hap|sad|ang|fru|exc|sur|fea|dis|oth|xxx)\t\[(\d\.\d{4}), (\d\.\d{4}), (\d\.\d{4})\]"
)
ATTRIBUTES = re.compile(r"A-(E\d|[FM]1):\tval (\d); act (\d); dom  (\d?);\t\(.*\)")
CATEGORY = re.compile(r"C-(E\d|[FM]1):\t[\w ]+;\t\(.*\)")
TRANSCRIPT = re.compile(r"(Ses\w+) \[(\d{3}\.\d{4})-(\d{3}\.\d{4})\]: (.+)")


def run_stage(folder: Path, workers: int, memory_fill: str) -> Path:
    """memory_fill: what glibc fills fresh memory with, so that code that reads it uninitialised shows."""
    (folder / "params.yaml").write_text(PARAMS.format(workers=workers), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(REPO), "MALLOC_PERTURB_": memory_fill}
    subprocess.run([sys.executable, "-m", "stages.sample"], cwd=folder, env=environment, check=True)
    return folder / "data/sample"


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two_workers")
    for leftover in (".ravdess.partial/Actor_09/half.wav", "ravdess/Actor_08/stale.wav"):
        path = folder / "data/sample" / leftover
        path.parent.mkdir(parents=True)
        path.write_bytes(b"from an earlier run")
    return run_stage(folder, workers=2, memory_fill="0")


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return samples, file.getframerate()


def read_grey(path: Path) -> tuple[np.ndarray, float]:
    file, pictures = cv2.VideoCapture(str(path)), []
    while (frame := file.read())[0]:
        pictures.append(cv2.cvtColor(frame[1], cv2.COLOR_BGR2GRAY))
    return np.stack(pictures), file.get(cv2.CAP_PROP_FPS)


def dialogues(corpora: Path) -> list[Path]:
    return sorted((corpora / "iemocap").glob("Session*/dialog/EmoEvaluation/*.txt"))


@pytest.mark.slow
def test_trees_do_not_depend_on_workers_or_on_what_was_there(corpora, tmp_path):
    assert digests(run_stage(tmp_path, workers=1, memory_fill="85")) == digests(corpora)


def test_nothing_of_an_earlier_run_is_left(corpora):
    assert sorted(path.name for path in corpora.iterdir()) == ["iemocap", "ravdess"]
    assert sorted(path.name for path in (corpora / "ravdess").glob("Actor_*")) == ["Actor_01", "Actor_02"]


def test_speech_does_not_depend_on_earlier_speech():
    asked = {"voice": "en-us+f2", "rate": 170, "pitch": 50, "pitch_range": 50, "seed": 5}
    before = engine.synthesise("Kids are talking by the door.", **asked)
    engine.synthesise("Dogs!", voice="en-us+m3", rate=300, pitch=90, pitch_range=90, seed=1)
    np.testing.assert_array_equal(engine.synthesise("Kids are talking by the door.", **asked), before)
    assert len(before) > engine.SAMPLE_RATE  # more than a second for seven syllables


def test_ravdess_names_pair_and_balance(corpora):
    files = sorted(path.relative_to(corpora / "ravdess").as_posix() for path in corpora.glob("ravdess/*/*"))
    matches = [RAVDESS_NAME.fullmatch(name) for name in files]
    assert all(matches), files
    assert all(m[1] == m[7] and (m[2], m[8]) in (("2", "mp4"), ("3", "wav")) for m in matches)
    trials = Counter(m.group(1, 3, 4, 5, 6) for m in matches)
    assert set(trials.values()) == {2}  # each trial once heard, once seen
    for actor in ("01", "02"):
        own = [trial for trial in trials if trial[0] == actor]
        assert Counter(trial[1] for trial in own) == {f"0{emotion}": 2 for emotion in range(1, 9)}
        assert Counter((trial[1], trial[3]) for trial in own) == {
            (f"0{emotion}", statement): 1 for emotion in range(1, 9) for statement in ("01", "02")
        }
        # neutral is never strong; of the other seven emotions one statement each
        assert Counter(trial[2] for trial in own) == {"01": 2 + 7, "02": 7}
    assert "synthetic" in (corpora / "ravdess/SYNTHETIC.txt").read_text(encoding="utf-8")


def test_all_trials_are_those_of_the_real_corpus():
    sizes = {"actors": [5], "width": 64, "height": 64, "fps": 5.0}
    trials = list(ravdess_layout.list_trials(5, ravdess_layout.RavdessParams(repetitions=2, trials="all", **sizes)))
    assert len({trial.name for trial in trials}) == 1440 // 24


def test_ravdess_sound_and_picture(corpora):
    for sound in sorted(corpora.glob("ravdess/*/03-*.wav")):
        waveform, sample_rate = read_wav(sound)
        assert sample_rate == 48_000
        assert 0.02 < np.abs(waveform).max() < 0.99  # neither silent nor clipped
        with av.open(str(sound.with_name(f"02-{sound.stem[3:]}.mp4"))) as film:
            (stream,) = film.streams  # no sound in a 02 file
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 192, 144)
            assert abs(stream.frames / 10 - len(waveform) / 48_000) <= 0.1


def test_mouth_opens_with_the_sound(corpora):
    correlations = []
    for sound in sorted(corpora.glob("ravdess/*/03-*.wav")):
        waveform, sample_rate = read_wav(sound)
        pictures, fps = read_grey(sound.with_name(f"02-{sound.stem[3:]}.mp4"))
        edges = (np.arange(len(pictures) + 1) / fps * sample_rate).astype(int)
        loudness = [np.sqrt(np.mean(waveform[a:b] ** 2)) for a, b in pairwise(edges)]
        # the open mouth is darker than lips and skin; it lies below the picture's middle
        mouth = pictures[:, int(0.62 * 144) : int(0.82 * 144), int(0.4 * 192) : int(0.6 * 192)].astype(float)
        correlations.append(np.corrcoef(loudness, -mouth.mean((1, 2)))[0, 1])
    assert np.median(correlations) > 0.5, np.round(correlations, 2)


def found_faces(pictures: np.ndarray) -> bool:
    detector = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    picture = np.ascontiguousarray(pictures[len(pictures) // 2])
    return len(detector.detectMultiScale(picture, 1.1, 4, minSize=(picture.shape[0] // 4,) * 2)) > 0


def test_opencv_finds_the_faces(corpora):
    clips = [found_faces(read_grey(path)[0]) for path in sorted(corpora.glob("ravdess/*/*.mp4"))]
    assert np.mean(clips) >= 0.95
    halves = []
    for path in sorted(corpora.glob("iemocap/Session*/dialog/avi/DivX/*.avi")):
        pictures, _ = read_grey(path)
        halves += [found_faces(pictures[:, 61:180, :160]), found_faces(pictures[:, 61:180, 160:])]
    assert len(halves) == 10
    assert np.mean(halves) >= 0.9


def test_emoevaluation_lines_and_consensus(corpora):
    assert [path.name for path in dialogues(corpora)] == [f"Ses0{session}F_impro01.txt" for session in range(1, 6)]
    for labels in dialogues(corpora):
        header, *blocks = labels.read_text(encoding="utf-8").split("\n\n")
        assert header == "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
        turns = []
        for block in blocks:
            first, *lines = block.strip("\n").split("\n")
            turn = TURN.fullmatch(first)
            assert turn, first
            assert all(ATTRIBUTES.fullmatch(line) or CATEGORY.fullmatch(line) for line in lines), lines
            votes = [match for line in lines if (match := ATTRIBUTES.fullmatch(line))]
            assert {match[1] for match in votes} == {"E3", "E4", f"{turn[4]}1"}  # two raters and the speaker
            outside = [match for match in votes if match[1].startswith("E")]
            for column, group in ((6, 2), (7, 3), (8, 4)):
                given = [int(match[group]) for match in outside if match[group]]
                assert float(turn[column]) == pytest.approx(sum(given) / len(given), abs=1e-4)
            turns.append(turn)
        assert [turn[4] for turn in turns] == sorted(turn[4] for turn in turns)  # F-dialogue: all of F, then M
        assert len(turns) == 4
        check_times(labels, turns)


def check_times(labels: Path, turns: list[re.Match]) -> None:
    """Turns do not overlap, last as long as their sound and stand in the transcript in time order."""
    dialogue_name, session = labels.stem, labels.parents[2]
    ordered = sorted(turns, key=lambda turn: float(turn[1]))
    ends = [0.0] + [float(turn[2]) for turn in ordered]
    assert all(float(turn[1]) > end for turn, end in zip(ordered, ends, strict=False))
    lines = (session / "dialog/transcriptions" / labels.name).read_text(encoding="utf-8").splitlines()
    spoken = [TRANSCRIPT.fullmatch(line) for line in lines]
    assert [match[1] for match in spoken] == [turn[3] for turn in ordered]
    for turn in turns:
        waveform, sample_rate = read_wav(session / "sentences/wav" / dialogue_name / f"{turn[3]}.wav")
        assert sample_rate == 16_000
        assert len(waveform) / sample_rate == pytest.approx(float(turn[2]) - float(turn[1]), abs=2e-4)
        assert 0.02 < np.abs(waveform).max() < 0.99


def test_the_dialogues_letter_is_on_the_left_and_only_speakers_move_their_lips(corpora):
    right_side = []
    for labels in dialogues(corpora):
        pictures, fps = read_grey(labels.parents[1] / "avi/DivX" / f"{labels.stem}.avi")
        assert pictures.shape[1:] == (240, 320)
        assert pictures[:, :58].mean() < 20 and pictures[:, 184:].mean() < 20  # letterbox
        # rows of the mouths, in the middle of either half
        mouths = [pictures[:, 132:162, middle - 15 : middle + 15].astype(float) for middle in (80, 240)]
        for turn in TURN.finditer(labels.read_text(encoding="utf-8")):
            start, end = int(float(turn[1]) * fps) + 1, int(float(turn[2]) * fps)
            left, right = (np.abs(np.diff(mouth[start:end], axis=0)).mean() for mouth in mouths)
            right_side.append((left > right) == (turn[4] == labels.stem[5]))
    assert len(right_side) == 20
    assert np.mean(right_side) >= 0.8


def test_mood_carries_over_turns_and_both_speak():
    before, after, speakers = [], [], Counter()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        turns = dialogue.draw_turns("Ses02M_impro01", 12, rng, phase=rng.uniform(0, 2 * np.pi, 2))
        values = np.array([(turn.valence, turn.arousal) for turn in turns])
        before.append(values[:-1])
        after.append(values[1:])
        assert turns[0].speaker == "M"
        pairs = pairwise(turns)
        speakers.update("again" if a.speaker == b.speaker else "other" for a, b in pairs)
    before, after = np.concatenate(before), np.concatenate(after)
    for column in (0, 1):
        assert np.corrcoef(before[:, column], after[:, column])[0, 1] > 0.5
    assert 0.05 < speakers["again"] / speakers.total() < 0.3


def test_wrong_params_name_the_remedy(tmp_path):
    file = tmp_path / "params.yaml"
    text = PARAMS.format(workers=1)
    file.write_text(text.replace("width: 192", "width: 191"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"sample\.ravdess\.width is 191; choose an even number"):
        sample.configure(file, ["ravdess"])
    assert list(sample.configure(file, ["iemocap"]).corpora) == ["iemocap"]  # the other section is not read
    file.write_text(text.replace("[1, 2]", "[1, 1]"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"actors is \[1, 1\]"):
        sample.configure(file, ["ravdess"])
