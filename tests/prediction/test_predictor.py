"""The Python API: the numbers of the pipeline, for files and arrays, from any folder; documentation that runs."""

import doctest
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from project_params import REPO
from recordings import film, join, portrait_film, voice
from trained_project import CLASSES, calibrated, rewrite, rows

import avemotion
from avemotion.prediction import judging
from avemotion.prediction.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(trained) -> Predictor:
    return avemotion.load(trained / "data/models")


@pytest.fixture
def long(tmp_path) -> Path:
    """Ten seconds of sound, with a second of silence."""
    sound = voice(10.0, 140, 7)
    sound[32000:48000] = 0.0
    soundfile.write(tmp_path / "long.wav", sound, 16000, subtype="FLOAT")
    return tmp_path / "long.wav"


def test_a_clip_has_the_numbers_of_the_pipeline_from_any_folder(predictor, trained, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.chdir(trained)
        table, gates = rows("fusion/predictions.csv"), rows("fusion/gates.csv")
        expected = calibrated(table.loc["c1", [f"p_{name}" for name in CLASSES]])
        affect = [rows(f"va/fold_{fold}/predictions.csv").loc["a1"] for fold in (1,)]
    monkeypatch.chdir(tmp_path)
    other = predictor.predict(trained / "a1.mov")  # one recording leaves no trace in the next
    result = predictor.predict(str(trained / "c1.mov"))
    np.testing.assert_allclose(result.emotion, [expected], atol=1e-4)
    assert result.predicted == (table.loc["c1", "predicted"],) and result.classes == tuple(CLASSES)
    np.testing.assert_allclose(result.gate, [gates.loc["c1", "gate"]], atol=1e-4)
    for target in ("valence", "arousal"):
        assert other.affect[target][0, 0] == pytest.approx(affect[0][f"{target}_predicted"], abs=1e-4)
        assert result.scale[target] == (1.0, 5.0)
    assert result.windows.tolist() == [[0.0, result.seconds]] and result.notes == ()


@pytest.mark.parametrize("dtype", ["float64", "int16", "int32"])
def test_an_array_is_the_file_with_its_samples(predictor, tmp_path, dtype):
    """48 kHz, two channels; libsndfile reads the same integers as floats."""
    sound = np.stack([voice(2.3, 140, 1, 48000), voice(2.3, 200, 2, 48000)], 1)
    if dtype != "float64":
        sound = (sound * np.iinfo(dtype).max).astype(dtype)
    subtype = {"float64": "FLOAT", "int16": "PCM_16", "int32": "PCM_32"}[dtype]
    soundfile.write(tmp_path / "of.wav", sound, 48000, subtype=subtype)
    of_array, of_file = predictor.predict(sound, 48000, window=1.0), predictor.predict(tmp_path / "of.wav", window=1.0)
    np.testing.assert_allclose(of_array.emotion, of_file.emotion, atol=1e-6)
    for target in ("valence", "arousal"):
        np.testing.assert_allclose(of_array.affect[target], of_file.affect[target], atol=1e-6)
    assert of_array.windows.tolist() == of_file.windows.tolist() == [[0.0, 1.0], [1.0, 2.3]]


def test_what_is_missing_is_nan_and_noted(predictor, long, trained):
    result = predictor.predict(long, window=1.0)
    assert result.sound.tolist() == [True] * 2 + [False] + [True] * 7 and not result.picture.any()
    assert [np.isnan(of).all() for of in result.affect["valence"]] == (~result.sound).tolist()
    assert result.predicted[2] is None and np.isnan(result.face).all() and result.attention[2] == {}
    assert "no sound in 1 of 10 windows" in result.notes[0]
    np.testing.assert_allclose(result.mean_emotion, np.nanmean(result.emotion, 0), atol=1e-9)
    picture = predictor.predict(trained / "corpus/c1.mp4")
    assert np.isnan(picture.affect["arousal"]).all() and picture.mean_affect == {} and picture.predicted[0] in CLASSES


def test_faces_found(own, tmp_path):
    models = [Path("data/models/fusion"), *Path("data/models/va").glob("fold_*")]
    for folder in models:
        rewrite(f"{folder}/model.json", lambda config: config["features"]["frames"]["params"].update(face=True))
    for fold in (1, 2, 3):
        assert Path(f"data/models/va/fold_{fold}/model.json").is_file()
    soundfile.write("sound.wav", voice(3.0, 140, 1), 16000)
    both = join(portrait_film(tmp_path / "face.mp4"), Path("sound.wav"), tmp_path / "face.mov")
    result = avemotion.load().predict(both, window=1.0)
    np.testing.assert_array_equal(result.face, [1.0, 1.0, np.nan])
    assert avemotion.load().predict(Path("corpus/c1.mp4")).face.tolist() == [0.0]  # pictures without a face


def test_windows_in_blocks_are_those_of_one_block(predictor, long, monkeypatch):
    done = []
    blocks = predictor.predict(long, window=0.5, hop=0.25, progress=lambda *of: done.append(of))
    assert done == [(16, 39), (32, 39), (39, 39)]
    monkeypatch.setattr(judging, "BATCH", 100)
    whole = predictor.predict(long, window=0.5, hop=0.25)
    np.testing.assert_allclose(blocks.emotion, whole.emotion, atol=1e-5)
    np.testing.assert_allclose(blocks.affect["valence"], whole.affect["valence"], atol=1e-5)

    def stop(done: int, windows: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        predictor.predict(long, progress=stop)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(16000),), {}, "an array needs its sampling rate"),
        (("c1.wav", 16000), {}, "c1.wav: rate is 16000, but a file has its own"),
        (([0.0, 1.0], 16000), {}, "a path or a numpy array, not a list"),
        ((np.ones(16000), 0), {}, "rate is 0; give the sampling rate"),
        ((np.ones((2, 16000)), 16000), {}, r"16000 channels of 2 samples; give \[samples, channels\]"),
        ((np.ones(16000, np.uint8), 16000), {}, "type uint8; give"),
        ((np.ones((2, 2, 2)), 16000), {}, r"shape \(2, 2, 2\)"),
        ((np.zeros(0), 16000), {}, "no samples in it"),
        ((np.zeros(16000), 16000), {}, "no sound in it, all samples are zero"),
        ((np.full(16000, np.nan), 16000), {}, "NaN or infinite samples"),
        ((np.full(16000, 1e20), 16000), {}, "samples of up to 1e[+]20, where full scale is 1"),
        ((np.ones(16000), 16000), {"window": 0.2}, "window is 0.2; give 0.5 seconds or more"),
        ((np.ones(16000), 16000), {"window": 1.0, "hop": 2.0}, "hop is 2.0; give 0.1 seconds to the window"),
        (("nowhere.wav",), {}, "nowhere.wav: neither sound nor picture"),
    ],
)
def test_a_mistake_is_one_line(predictor, arguments, options, message):
    with pytest.raises(ValueError, match=message) as raised:
        predictor.predict(*arguments, **options)
    assert "\n" not in str(raised.value)


def test_a_folder_without_models_is_refused(tmp_path, trained):
    with pytest.raises(ValueError, match="no folder of trained models; give data/models of a project"):
        avemotion.load(trained)
    with pytest.raises(ValueError, match=r"data/models: no such folder"):
        avemotion.load(tmp_path / "data/models")
    assert not hasattr(avemotion, "laod")


def test_weights_in_a_folder_of_the_project(own, tmp_path, monkeypatch):
    """speech.model may be a path from the project's folder."""
    from avemotion.models.speech import pretrained

    pretrained.load("tiny").save_pretrained("weights/wavlm")

    def moved(config: dict) -> None:
        config["features"]["wavlm"]["speech"]["model"] = "weights/wavlm"
        if "audio" in config["architecture"]:
            config["architecture"]["audio"]["model"] = "weights/wavlm"

    for folder in ("fusion", *(f"va/fold_{fold}" for fold in (1, 2, 3))):
        rewrite(f"data/models/{folder}/model.json", moved)
    here = avemotion.load().predict("c1.mov")
    monkeypatch.chdir(tmp_path)
    elsewhere = avemotion.load(own / "data/models").predict(own / "c1.mov")
    np.testing.assert_array_equal(elsewhere.emotion, here.emotion)
    np.testing.assert_array_equal(elsewhere.affect["valence"], here.affect["valence"])


def test_the_documentation_runs(own):
    soundfile.write("interview.wav", voice(2.0, 140, 3), 16000)
    shutil.move(join(film(Path("interview.mp4"), 3, frames=30), Path("interview.wav"), Path("interview.mov")), "joined")
    shutil.move("joined", "interview.mp4")
    soundfile.write("interview.wav", voice(1.3, 140, 3), 16000)
    failed, tried = doctest.testfile(str(REPO / "docs/python.md"), module_relative=False, verbose=False)
    assert tried > 12 and failed == 0
