"""The microphone, from a library that gives the blocks of a recording: its windows have the values of the file."""

import json
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recordings import voice
from trained_project import main

from avemotion.prediction import output
from commands import predict

RATE = 48000
pytestmark = pytest.mark.usefixtures("trained_here")


class PortAudioError(Exception):
    pass


class Library(types.ModuleType):
    """What is used of sounddevice; a thread gives the blocks."""

    PortAudioError = PortAudioError

    def __init__(self, sound: np.ndarray, between: Callable[[int], None] = lambda sample: None, gap_at: int = -1):
        super().__init__("sounddevice")
        self.sound, self.between, self.gap_at = sound, between, gap_at

    def query_devices(self, kind: str) -> dict:
        assert kind == "input"
        return {"name": "a microphone", "default_samplerate": float(RATE)}

    def InputStream(self, *, samplerate, channels, dtype, callback):  # noqa: N802 (its name)
        assert (samplerate, channels, dtype) == (RATE, 1, "float32")
        return Stream(self, callback)


class Stream:
    def __init__(self, library: Library, callback: Callable):
        self.library, self.callback = library, callback

    def __enter__(self):
        threading.Thread(target=self.give, daemon=True).start()

    def __exit__(self, *error):
        pass

    def give(self):
        buffer = np.zeros((1024, 1), np.float32)  # PortAudio uses its memory again for the next block
        for first in range(0, len(self.library.sound), 1024):
            block = self.library.sound[first : first + 1024]
            buffer[: len(block), 0] = block
            status = types.SimpleNamespace(input_overflow=first == self.library.gap_at)
            self.callback(buffer[: len(block)], len(block), None, status)
            self.library.between(first + len(block))


@pytest.fixture
def install(monkeypatch):
    def of(*arguments, **options) -> None:
        monkeypatch.setitem(sys.modules, "sounddevice", Library(*arguments, **options))

    return of


def test_the_values_are_those_of_the_file(install, tmp_path, capsys):
    sound = voice(4.0, 140, 3, RATE).astype(np.float32)
    soundfile.write(tmp_path / "same.wav", sound[: round(3.6 * RATE)], RATE, subtype="FLOAT")
    install(sound)
    options = ("--window", "1", "--speaker", "corpus/a1.wav", "--json", "--plot")
    main(predict, "--microphone", "3.6", *options, str(tmp_path / "a.png"))
    recorded = json.loads(capsys.readouterr().out)
    main(predict, str(tmp_path / "same.wav"), *options, str(tmp_path / "b.png"))
    (of_file,) = json.loads(capsys.readouterr().out)["recordings"]
    (found,) = recorded["recordings"]
    assert (found["file"], found["seconds"], len(found["windows"])) == ("microphone", 3.6, 4)
    for window, expected in zip(found["windows"], of_file["windows"], strict=True):
        assert (window["start"], window["end"]) == (expected["start"], expected["end"])
        assert window["emotion"] == pytest.approx(expected["emotion"], abs=1e-5)
        for target in ("valence", "arousal"):
            assert window[target]["folds"] == pytest.approx(expected[target]["folds"], abs=1e-5)
    assert (tmp_path / "a.png").stat().st_size > 20_000


def test_windows_are_told_while_recording(install, monkeypatch, capsys):
    """The recording goes on only after its first window is shown."""
    shown, line = threading.Event(), output.as_line

    def told(window, of):
        shown.set()
        return line(window, of)

    def wait(sample: int) -> None:
        if sample > 1.1 * RATE:
            assert shown.wait(60)

    monkeypatch.setattr(output, "as_line", told)
    install(voice(3.0, 140, 3, RATE), wait, gap_at=2048)
    main(predict, "--microphone", "2", "--window", "1")
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip()[:9] for line in lines[:2]] == ["0.0\N{EN DASH}  1.0", "1.0\N{EN DASH}  2.0"]
    assert "all" in lines[2] and "microphone: 1 gaps: the machine was too slow" in lines[3]


def test_an_interrupt_ends_the_recording_with_its_last_window(install, capsys):
    def interrupt(sample: int) -> None:
        if 2.6 * RATE <= sample < 2.6 * RATE + 1024:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(60)

    before = signal.getsignal(signal.SIGINT)
    install(voice(4.0, 140, 3, RATE), interrupt)
    main(predict, "--microphone", "--window", "1", "--json")
    (found,) = json.loads(capsys.readouterr().out)["recordings"]
    assert len(found["windows"]) == 3 and 2.5 <= found["windows"][-1]["end"] < 2.7
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_missing_is_told(install, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ValueError, match=r"needs the package sounddevice; run with .*--extra microphone"):
        main(predict, "--microphone", "1")
    monkeypatch.delitem(sys.modules, "sounddevice")
    Path(tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"PortAudio library not found.*apt install libportaudio2"):
        main(predict, "--microphone", "1")

    def none(self, kind):
        raise PortAudioError("Error querying device -1")

    monkeypatch.setattr(Library, "query_devices", none)
    install(np.zeros(0))
    with pytest.raises(ValueError, match=r"no microphone is found \(Error querying device -1\)"):
        main(predict, "--microphone", "1")


def test_silence_is_told(install):
    install(np.zeros(2 * RATE))
    with pytest.raises(ValueError, match="microphone: no sound in it, all samples are zero"):
        main(predict, "--microphone", "2", "--window", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give FILEs, or --microphone"),
        (["a.wav", "--microphone"], "give FILEs, or --microphone"),
        (["--microphone", "0"], "--microphone is 0; give more than 0 seconds"),
        (["--microphone", "nan"], "--microphone is nan; give more than 0 seconds"),
        (["--microphone", "--out", "folder"], "--out and --speaker-logits take files"),
    ],
)
def test_options_that_do_not_fit(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(predict, *arguments)
    assert message in capsys.readouterr().err
