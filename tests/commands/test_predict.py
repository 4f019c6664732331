"""Own recordings: what `predict` says of a clip is what the pipeline said of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fusion_toys import ENCODERS, wake
from project_params import params_with
from recordings import film, join, voice
from safetensors.numpy import load_file
from scipy.special import softmax
from trained_project import CHANGES, CLASSES, calibrated, main, rewrite, rows

from avemotion.extraction import extraction
from avemotion.features import frames, mel, wavlm
from avemotion.features.parts import sound as sound_part
from avemotion.models.fusion.build import build_fusion
from avemotion.prediction import relative
from avemotion.system.media_error import MediaError
from avemotion.training.common import checkpoint
from benchmarks import timed_media
from commands import predict

pytestmark = pytest.mark.usefixtures("trained_here")


@pytest.fixture
def told(capsys):
    """Run the command with --json; returns its JSON and what it wrote to stderr."""

    def run(*arguments: str) -> tuple[dict, str]:
        main(predict, *map(str, arguments), "--json")
        written = capsys.readouterr()
        return json.loads(written.out), written.err

    return run


def test_emotion_of_a_clip_is_the_pipelines_own(told):
    answer, _ = told("c1.mov", "c2.mov")
    table = rows("fusion/predictions.csv")
    for clip, of in zip(("c1", "c2"), answer["recordings"], strict=True):
        expected = calibrated(table.loc[clip, [f"p_{name}" for name in CLASSES]])
        assert list(of["emotion"].values()) == pytest.approx(expected, abs=1e-4)
        assert of["predicted"] == table.loc[clip, "predicted"] and len(of["windows"]) == 1
        gates = rows("fusion/gates.csv")
        assert of["windows"][0]["audio_share"] == pytest.approx(gates.loc[clip, "gate"], abs=1e-4)
        maps = load_file("data/models/fusion/attention.safetensors")
        attention = of["windows"][0]["attention"]
        for name, times in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
            np.testing.assert_allclose(attention[name]["weights"], maps[f"{clip}/{name}"].mean(0), atol=1e-4)
            np.testing.assert_allclose(attention[name]["seconds"], maps[f"{clip}/{times}"], atol=1e-4)


def test_first_turn_of_a_dialogue_is_the_pipelines_own(told):
    firsts = ("a1", "b1", "c1")
    told_of = told(*(f"{first}.mov" for first in firsts))[0]["recordings"]
    for fold, (first, of) in enumerate(zip(firsts, told_of, strict=True), 1):
        expected = rows(f"va/fold_{fold}/predictions.csv").loc[first]
        for target in ("valence", "arousal"):
            assert of[target]["folds"][fold - 1] == pytest.approx(expected[f"{target}_predicted"], abs=1e-4)
            assert of[target]["mean"] == pytest.approx(np.mean(of[target]["folds"]), abs=1e-5)
            assert of[target]["sd"] == pytest.approx(np.std(of[target]["folds"]), abs=1e-5)


def test_a_lost_modality_is_that_of_the_conditions(told):
    table = rows("fusion/conditions.csv").set_index("condition", append=True)
    told_of = told("corpus/c1.wav", "corpus/c1.mp4")[0]["recordings"]
    for of, condition in zip(told_of, ("audio_only", "video_only"), strict=True):
        expected = calibrated(table.loc[("c1", condition), [f"p_{name}" for name in CLASSES]])
        assert list(of["emotion"].values()) == pytest.approx(expected, abs=1e-4)
        heard = condition == "audio_only"
        assert (of["sound"], of["picture"]) == (heard, not heard)
        assert (of["valence"] is None) == (not heard)
        assert set(of["windows"][0]["attention"]) == ({"prosody_to_speech"} if heard else set())
    assert "no sound in 1 of 1 windows" in of["notes"][0]


def test_a_long_recording_in_windows(told, tmp_path):
    sound = voice(5.0, 140, 7)
    sound[16000:32000] = 0.0  # silent from 1 to 2 s
    soundfile.write(tmp_path / "long.wav", sound, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "last.wav", sound[64000:], 16000, subtype="FLOAT")
    join(film(tmp_path / "long.mp4", 3, frames=45), tmp_path / "long.wav", tmp_path / "long.mov")  # 3 s of picture
    whole, last = (told(tmp_path / name, "--window", 1)[0]["recordings"][0] for name in ("long.mov", "last.wav"))
    windows = whole["windows"]
    assert [(of["start"], of["end"]) for of in windows] == [(i, i + 1) for i in range(5)]
    assert [of["sound"] for of in windows] == [True, False, True, True, True]
    assert [of["picture"] for of in windows] == [True] * 3 + [False] * 2
    assert [of["valence"] is None for of in windows] == [False, True, False, False, False]
    times = windows[2]["attention"]["video_to_audio"]["seconds"]
    assert 2 < times[0] < times[-1] < 3 and windows[2]["attention"]["prosody_to_speech"]["seconds"][0] > 2
    # The last second by itself: the same sound without picture, so the same emotion; but V and A remember.
    assert windows[4]["emotion"] == pytest.approx(last["emotion"], abs=1e-4)
    assert windows[4]["valence"]["mean"] != pytest.approx(last["valence"]["mean"], abs=1e-3)
    means = [of["emotion"]["angry"] for of in windows]
    assert whole["emotion"]["angry"] == pytest.approx(np.mean(means), abs=1e-5)


def test_json_has_a_stable_form(told):
    answer, errors = told("c1.mov", "corpus/c1.wav", "corpus/c1.mp4")
    assert list(answer) == ["models", "speaker_statistics", "notes", "recordings", "failed"]
    assert answer["speaker_statistics"] is False
    assert answer["models"]["emotion"] == {"corpus": "made-up", "synthetic": True, "classes": CLASSES, "models": 1}
    assert answer["models"]["affect"]["models"] == 3 and answer["models"]["affect"]["scale"]["valence"] == [1, 5]
    assert "synthetic sample" in answer["notes"][0] and "synthetic sample" in errors
    for of in answer["recordings"]:
        assert list(of) == [
            *("file", "seconds", "sound", "picture", "predicted", "emotion", "valence", "arousal", "windows", "notes"),
        ]
        for window in of["windows"]:
            assert list(window) == [
                *("start", "end", "sound", "picture", "predicted", "emotion"),
                *("audio_share", "valence", "arousal", "attention"),
            ]
            assert sum(window["emotion"].values()) == pytest.approx(1, abs=1e-5)
            for shown in window["attention"].values():
                assert len(shown["seconds"]) == len(shown["weights"]) and sum(shown["weights"]) == pytest.approx(
                    1, abs=1e-3
                )


def test_enrolment_moves_valence_and_arousal_alone(told):
    own, same, other = (
        told("c1.mov", *given)[0]["recordings"][0]
        for given in ([], ["--speaker", "c1.mov"], ["--speaker", "corpus/a1.wav"])
    )
    assert own == same
    assert own["emotion"] == other["emotion"] and own["valence"]["folds"] != other["valence"]["folds"]
    with pytest.raises(ValueError, match=r"a1.mp4: no sound, so no speaker"):
        main(predict, "c1.mov", "--speaker", "corpus/a1.mp4")


def shares(answer: dict) -> np.ndarray:
    return np.array([list(of["emotion"].values()) for of in answer["recordings"]])


def test_emotions_relative_to_the_speaker(own, told):
    rewrite("data/models/fusion/model.json", lambda facts: facts.update(temperature=4.0))  # no share is near 0
    names = ["c1.mov", "corpus/c2.wav", "b1.mov", "corpus/a1.mp4"]
    plain = shares(told(*names)[0])
    answer, errors = told(*names, "--speaker-logits", "mean")
    logits = np.log(plain)
    expected = softmax(logits - logits.mean(0), axis=1)  # the windows are the recordings, all of one speaker
    np.testing.assert_allclose(shares(answer), expected, atol=1e-5)
    assert answer["speaker_statistics"] is True
    assert answer["notes"][1].startswith("emotions are relative to the speaker's own 4 windows")
    assert "note: the speaker has fewer than 5 clips: such emotions are of little use" in errors
    assert "fewer than 4 emotions" in errors and "mean_std" not in errors

    Path("speaker").mkdir()
    for name in names[1:3]:
        shutil.copy(name, "speaker")
    of_folder, errors = told(names[0], "--speaker", "speaker", "--speaker-logits", "mean_std")
    own = logits[1:3] - logits[1:3].mean(1, keepdims=True)
    first = logits[0] - logits[0].mean()
    np.testing.assert_allclose(shares(of_folder)[0], softmax((first - own.mean(0)) / own.std(0)), atol=1e-3)
    assert "mean_std holds only where the recordings show every emotion about equally often" in errors


def test_the_voice_of_a_folder_is_the_mean_of_its_recordings(told, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy("corpus/a1.wav", tmp_path / "one")
    one, same = (told("c1.mov", "--speaker", place)[0]["recordings"] for place in ("corpus/a1.wav", tmp_path / "one"))
    assert one == same
    both = relative.voice([np.array([[1.0, 3.0]]), np.array([[3.0, 5.0]])])
    assert both is not None and both.tolist() == [[2.0, 4.0]] and relative.voice([None]) is None


def test_a_folder_with_files_that_are_no_recordings(told, tmp_path, capsys):
    for name in ("c1.mov", "corpus/c2.wav"):
        shutil.copy(name, tmp_path)
    (tmp_path / "notes.txt").write_text("A text, which FFmpeg would show as a film of a terminal.\n" * 40)
    (tmp_path / "broken.mp4").write_bytes(Path("c1.mov").read_bytes()[:500])
    (tmp_path / "empty.wav").touch()
    answer, errors = told(tmp_path)
    assert [Path(of["file"]).name for of in answer["recordings"]] == ["c1.mov", "c2.wav"]
    assert [Path(of["file"]).name for of in answer["failed"]] == ["broken.mp4", "empty.wav", "notes.txt"]
    assert "a picture or a text, not a recording" in answer["failed"][2]["reason"] and errors.count("left out:") == 3
    for name in ("c1.mov", "c2.wav"):
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=r"none of 3 files could be predicted: .*neither sound nor picture"):
        main(predict, str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav"], "nowhere.wav: no such file or folder"),
        (["params.yaml"], "params.yaml: a picture or a text, not a recording|params.yaml: neither sound nor picture"),
        (["c1.mov", "--speaker", "params.yaml"], "params.yaml: "),
    ],
)
def test_a_mistake_is_one_line(arguments, message):
    with pytest.raises(ValueError, match=message):
        main(predict, *arguments)


def save_fusion(folder: Path, mode: str, encoder: str | None, seed: int) -> None:
    """An untrained model in which every weight matters, in place of a trained one."""
    torch.manual_seed(seed)
    audio, video = ENCODERS[encoder] if encoder else None, None if mode == "audio" else {}
    built = {"mode": mode, "classes": len(CLASSES), "audio": audio, "video": video, "options": {}}
    found = {"frames": frames.configure(Path("params.yaml"), "emotion")} if video is not None else {}
    if encoder:
        kind = wavlm if encoder == "wavlm" else mel
        found[kind.__name__.rpartition(".")[2]] = kind.configure(Path("params.yaml"), "emotion")
    settings = {name: extraction.settings(extractor) for name, extractor in found.items()}
    folder.mkdir(parents=True)
    model = wake(build_fusion(**built))
    facts = {"classes": CLASSES, "architecture": built, "features": settings, "temperature": 1.0}
    checkpoint.save(folder, model, facts)


@pytest.mark.parametrize(
    ("mode", "encoder"),
    [("audio", "cnn"), ("video", None), ("late", "resnet18"), ("gated", "wavlm"), ("concat", "cnn")],
)
def test_every_mode_takes_what_there_is(own, told, mode, encoder):
    for folder in ("fusion", "va"):
        shutil.rmtree(f"data/models/{folder}")
    save_fusion(Path("data/models/fusion"), mode, encoder, 0)
    both, sound, picture = told("c1.mov", "corpus/c1.wav", "corpus/c1.mp4")[0]["recordings"]
    assert (sound["emotion"] is None, picture["emotion"] is None) == (mode == "video", mode == "audio")
    alone = {"audio": sound, "video": picture}
    if mode in alone:  # what it does not take makes no difference, and what it needs is named
        lost = {"audio": picture, "video": sound}[mode]
        assert alone[mode]["emotion"] == pytest.approx(both["emotion"], abs=1e-6)
        needed = {"audio": "sound", "video": "picture"}[mode]
        assert f"no {needed} in 1 of 1 windows, so no emotion there" in " ".join(lost["notes"])
    else:
        angry = [of["emotion"]["angry"] for of in (both, sound, picture)]
        assert len({round(share, 4) for share in angry}) == 3
    assert (both["windows"][0]["audio_share"] is not None) == (mode == "gated")


def test_models_of_folds_are_averaged(own, told):
    for folder in ("fusion", "va"):
        shutil.rmtree(f"data/models/{folder}")
    single = []
    for seed in (1, 2):
        save_fusion(Path("data/models/fusion"), "gated", "wavlm", seed)
        single.append(told("c1.mov")[0]["recordings"][0]["emotion"]["angry"])
        Path("data/models/fusion").rename(f"fold_{seed}")
    Path("data/models/fusion").mkdir()
    for seed in (1, 2):
        Path(f"fold_{seed}").rename(f"data/models/fusion/fold_{seed}")
    rewrite("data/manifest/emotion/corpus.json", lambda facts: facts.update(folds=[1, 2]))
    answer, _ = told("c1.mov")
    assert answer["models"]["emotion"]["models"] == 2 and abs(single[0] - single[1]) > 1e-3
    assert answer["recordings"][0]["emotion"]["angry"] == pytest.approx(np.mean(single), abs=1e-5)


def test_without_va_models_there_is_emotion(own, told):
    shutil.rmtree("data/models/va")
    answer, errors = told("c1.mov")
    assert answer["models"]["affect"] is None and answer["recordings"][0]["valence"] is None
    assert "no models in data/models/va" in errors


def test_params_changed_since_training_change_nothing_and_are_told(own, told):
    before, _ = told("c1.mov")
    params_with(own, CHANGES | {"features.frames.count": 2, "features.frames.size": 48})
    after, errors = told("c1.mov")
    assert after["recordings"] == before["recordings"]
    assert "params.yaml has other settings of frames features than the models were trained on" in errors


def test_one_picture_a_file(told, tmp_path):
    told("c1.mov", "corpus/c1.wav", "corpus/c1.mp4", "--window", 0.5, "--hop", 0.25, "--plot", tmp_path / "p.png")
    made = sorted(file.name for file in tmp_path.iterdir())
    assert made == ["p_c1_1.png", "p_c1_2.png", "p_c1_3.png"]
    for name in made:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG") and (tmp_path / name).stat().st_size > 20_000


def test_what_is_not_read_of_a_file_is_noted(told, tmp_path, capsys):
    """A stream that is refused, a track that is passed over, a stream that starts late: file, stream and reason."""
    sound = timed_media.Sound(beeps=[(1.0, 440.0)], seconds=4.0, offset=2.5)
    silence = timed_media.Sound(beeps=(), seconds=4.0)
    film_track = timed_media.Pictures(times=[i / 25 for i in range(100)])
    timed_media.write(tmp_path / "late.mkv", [silence, sound], [film_track])
    soundfile.write(tmp_path / "silent.wav", np.zeros(32000), 16000)
    join(film(tmp_path / "film.mp4", 3, frames=45), tmp_path / "silent.wav", tmp_path / "silent.mov")
    answer, _ = told(tmp_path / "late.mkv", tmp_path / "silent.mov", "--window", 1)
    late, silent = answer["recordings"]
    assert late["notes"][:2] == [
        "late.mkv: sound: track 2 of 2 is used, because 1 before it is silent",
        "late.mkv: sound: starts at 2.50 s; silence before",
    ]
    assert late["seconds"] == pytest.approx(6.5, abs=0.05)
    assert [of["sound"] for of in late["windows"]] == [False] * 2 + [True] * (len(late["windows"]) - 2)
    assert [of["picture"] for of in late["windows"]] == [True] * 4 + [False] * (len(late["windows"]) - 4)
    assert silent["notes"][0] == "silent.mov: sound is not used: no sound in it, all samples are zero"
    main(predict, str(tmp_path / "silent.mov"))
    assert "note: silent.mov: sound is not used: no sound in it" in capsys.readouterr().out


def test_a_feature_that_is_not_finite_names_the_file(told, monkeypatch):
    def refuse(clip, views):
        raise MediaError(clip, "speaker of view clean is NaN or beyond float32")

    monkeypatch.setattr(sound_part, "refuse_not_finite", refuse)
    with pytest.raises(ValueError, match=r"c1\.mov: .*is NaN or beyond float32"):
        main(predict, "c1.mov")
