"""`predict --out`: one file per recording, whole; a killed run goes on; formats, lists of files, exit status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from project_params import REPO
from recordings import voice
from trained_project import main, rewrite

from avemotion.prediction import file_list
from avemotion.prediction.predictor import Predictor
from commands import predict


@pytest.fixture
def predicted(monkeypatch) -> list[str]:
    """Names of the recordings that the models were run on."""
    seen, run = [], Predictor.windows

    def watched(self, of, **options):
        seen.append(of.path.name)
        return run(self, of, **options)

    monkeypatch.setattr(Predictor, "windows", watched)
    return seen


@pytest.fixture
def films(own) -> Path:
    """A folder with three recordings, one of them below, and a file that is none."""
    folder = Path("films")
    (folder / "more").mkdir(parents=True)
    for name, place in (("a1", folder), ("b1", folder), ("c1", folder / "more")):
        shutil.copy(f"{name}.mov", place)
    (folder / "notes.txt").write_text("no recording\n" * 40)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Visible files below a folder."""
    files = (file for file in folder.rglob("*") if file.is_file() and ".predict" not in file.parts)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_a_file_for_each_recording_and_none_twice(films, predicted, capsys):
    main(predict, "films", "--format", "json", "--out", "out")
    assert predicted == ["a1.mov", "b1.mov", "c1.mov"]
    first = content(Path("out"))
    assert sorted(first) == ["a1.json", "b1.json", "left_out.csv", "more/c1.json"]
    capsys.readouterr()
    main(predict, "films/more/c1.mov", "--json")
    alone, below = (json.loads(text) for text in (capsys.readouterr().out, first["more/c1.json"]))
    assert below["recordings"][0] | {"file": ""} == alone["recordings"][0] | {"file": ""}
    assert "a picture or a text" in pd.read_csv("out/left_out.csv").set_index("file").reason["films/notes.txt"]
    predicted.clear()
    main(predict, "films", "--format", "json", "--out", "out")
    assert predicted == [] and content(Path("out")) == first
    assert "out: 3 recordings are predicted already" in capsys.readouterr().err


def test_what_changed_is_predicted_anew(films, predicted, capsys):
    run = ("films", "--format", "srt", "--out", "out")
    main(predict, *run)
    cases = {
        "output": lambda: Path("out/a1.srt").write_text("changed"),
        "recording": lambda: shutil.copy("c2.mov", films / "a1.mov"),
        "lost": lambda: Path("out/a1.srt").unlink(),
    }
    for name, change in cases.items():
        predicted.clear()
        change()
        main(predict, *run)
        assert predicted == ["a1.mov"], name
        assert "-->" in Path("out/a1.srt").read_text()
    for options in (["--window", "1"], ["--speaker", "corpus/a1.wav"]):
        predicted.clear()
        main(predict, *run, *options)
        assert predicted == ["a1.mov", "b1.mov", "c1.mov"]
        told = capsys.readouterr().err
        assert "out: 3 recordings were predicted by other models or options; they are predicted anew" in told
    predicted.clear()
    shutil.copy("corpus/b1.wav", "corpus/a1.wav")  # other sound under the same name
    main(predict, *run, "--speaker", "corpus/a1.wav")
    assert predicted == ["a1.mov", "b1.mov", "c1.mov"]
    predicted.clear()
    rewrite("data/models/fusion/model.json", lambda config: config.update(temperature=3.0))
    main(predict, *run, "--speaker", "corpus/a1.wav")
    assert predicted == ["a1.mov", "b1.mov", "c1.mov"]


@pytest.mark.slow
def test_a_killed_run_goes_on(own, predicted, capsys):
    Path("many").mkdir()
    for i in range(12):
        soundfile.write(f"many/{i:02}.wav", voice(4.0, 100 + 10 * i, i), 16000)
    run = ("many", "--format", "vtt", "--out", "out", "--window", "0.5", "--hop", "0.25")
    command = [sys.executable, "-m", "commands.predict", *run]
    started = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(REPO)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while started.poll() is None and not list(Path("out").glob("*.vtt")):
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    done = content(Path("out"))
    whole = [name for name, text in done.items() if name.endswith(".vtt")]
    assert 1 <= len(whole) < 12
    main(predict, *run)
    assert 12 - len(whole) <= len(predicted) <= 13 - len(whole)  # a file without its record is done again
    resumed = content(Path("out"))
    assert sorted(resumed) == [f"{i:02}.vtt" for i in range(12)]
    assert {name: resumed[name] for name in whole} == {name: done[name] for name in whole}
    main(predict, *run[:-5], "fresh", *run[-4:])
    assert content(Path("fresh")) == resumed


def test_one_table_of_all(films, capsys):
    main(predict, "films", "--format", "csv", "--out", "films")  # beside the recordings
    table = pd.read_csv("films/predictions.csv")
    assert list(table.file) == ["films/a1.mov", "films/b1.mov", "films/more/c1.mov"]
    assert list(table.columns[7:9]) == ["p_angry", "p_happy"]
    (films / "notes.txt").unlink()
    before = content(films)
    capsys.readouterr()
    main(predict, "films", "--format", "csv", "--out", "films")  # the outputs are no recordings
    assert sorted(content(films)) == sorted(set(before) - {"left_out.csv"})
    capsys.readouterr()
    main(predict, "films", "--format", "csv")
    printed = capsys.readouterr().out
    assert printed == Path("films/predictions.csv").read_text()


def test_fail_fast_ends_at_the_first_fault(films, predicted):
    with pytest.raises(ValueError, match=r"notes\.txt: a picture or a text"):
        main(predict, "films/a1.mov", "films/notes.txt", "films/b1.mov", "--out", "out", "--fail-fast")
    assert predicted == ["a1.mov"] and sorted(content(Path("out"))) == ["a1.txt"]


@pytest.mark.parametrize("between", ["\n", "\0"])
def test_a_list_of_files_on_standard_input(films, monkeypatch, capsys, between):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(between.join(["films/b1.mov", "films/more/c1.mov", ""])))
    main(predict, "films/a1.mov", "-", "--json")
    files = [of["file"] for of in json.loads(capsys.readouterr().out)["recordings"]]
    assert files == ["films/a1.mov", "films/b1.mov", "films/more/c1.mov"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(ValueError, match="standard input lists no file; write one path a line"):
        main(predict, "-")


def test_the_exit_status_tells_what_became_of_the_files(films, monkeypatch, capsys):
    def status(*arguments: str) -> int:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr("sys.argv", ["predict", *arguments])
            predict.cli.run(predict.command)
            sys.exit(0)
        return 1 if isinstance(ended.value.code, str) else ended.value.code

    assert status("films/a1.mov") == 0
    assert status("films") == predict.SOME_LEFT_OUT == 3
    assert "3 of 4 files are predicted" in capsys.readouterr().err
    assert status("films/notes.txt") == 1
    assert status("films", "--format", "srt") == 1  # one file per recording needs a folder
    assert status("films", "--format", "doc") == 2


def test_a_single_recording_is_printed_in_any_format(trained_here, capsys):
    printed = {}
    for form in ("srt", "vtt", "textgrid", "text"):
        main(predict, "c1.mov", "--format", form)
        printed[form] = capsys.readouterr().out
    assert printed["srt"].startswith("1\n00:00:00,000 --> ") and printed["vtt"].startswith("WEBVTT\n")
    assert printed["textgrid"].startswith('File type = "ooTextFile"') and printed["text"].startswith("c1.mov: ")


def test_names_of_outputs_do_not_meet():
    files = {
        Path("x/a.wav"): Path("a.wav"),
        Path("x/a.mp4"): Path("a.mp4"),
        Path("x/b.wav"): Path("b.wav"),
        Path("y/c.wav"): Path("c.wav"),
        Path("z/C.wav"): Path("C.wav"),
        Path("x/sub/a.wav"): Path("sub/a.wav"),
        Path("x/predictions.wav"): Path("predictions.wav"),
    }
    assert list(file_list.names(files).values()) == [
        "a.wav",
        "a.mp4",
        "b",
        "c.wav_1",
        "C.wav_2",
        "sub/a",
        "predictions.wav",
    ]
