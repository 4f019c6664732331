"""The exported folder: the numbers of `predict`, by a program that knows nothing of this project; the model card."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import results_toys
import soundfile
from project_params import REPO, params_with
from recordings import voice
from trained_project import CHANGES, CLASSES, main, rewrite

import avemotion
from avemotion.export import model_card
from avemotion.formats import labels
from avemotion.formats.clips import ClipMedia
from avemotion.media.waveforms import read_waveform
from avemotion.prediction.predictor import Predictor
from avemotion.prediction.recording import film_clip
from commands import export
from stages import va

FILMS = ("a1", "a2", "b1", "b2", "c1", "c2")


@pytest.fixture(scope="module")
def predictor(trained) -> Predictor:
    return avemotion.load(trained / "data/models", device="cpu")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory) -> Path:
    """Folders fusion and va of the toy project, and four recordings without picture, of other lengths."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        for stage in ("fusion", "va"):
            main(export, stage, "--out", str(folder / stage))
    for i, seconds in enumerate((0.3, 1.7, 3.1, 3.9)):
        soundfile.write(folder / f"{i}.wav", voice(seconds, 120 + 30 * i, i), 16000, subtype="FLOAT")
    return folder


def frames_of(predictor: Predictor, clip: ClipMedia) -> np.ndarray:
    """[N, 3, H, W] in 0..1, as preprocessing.json says."""
    views, _ = predictor.models.extractors["frames"].extract(clip, Path("/"))
    return (views["clean"]["frames"].transpose(0, 3, 1, 2) / 255).astype(np.float32)


def vectors(predictor: Predictor, waveform: np.ndarray) -> dict[str, np.ndarray]:
    """Prosody [P] and speaker embedding [S]."""
    extractors = predictor.models.extractors
    rows = {"prosody": "functionals", "speaker": "embedding"}
    return {kind: extractors[kind].extract_waveform("a", waveform)[0]["clean"][of][0] for kind, of in rows.items()}


@pytest.mark.slow
def test_ten_clips_have_the_probabilities_of_predict(exported, trained, predictor):
    """Six films with sound, of six lengths, and four recordings without picture."""
    session = onnxruntime.InferenceSession(exported / "fusion/fusion.onnx")
    files = [trained / f"{name}.mov" for name in FILMS] + [exported / f"{i}.wav" for i in range(4)]
    for file in files:
        film = file.suffix == ".mov"
        frames = frames_of(predictor, film_clip("a", file, (None, None))) if film else np.zeros((1, 3, 32, 32))
        given = {"waveform": read_waveform(file), "frames": frames.astype(np.float32)}
        given |= {"has_sound": np.array(True), "has_picture": np.array(film)}
        probabilities, share = session.run(None, given)
        expected = predictor.predict(file)
        np.testing.assert_allclose(probabilities, expected.emotion[0], atol=1e-4)
        assert share == pytest.approx(expected.gate[0], abs=1e-4)


@pytest.mark.slow
def test_streamed_turns_have_the_values_of_predict(exported, predictor, tmp_path):
    """The windows of a recording, one by one with the state as input and output."""
    soundfile.write(tmp_path / "long.wav", voice(4.6, 140, 3), 16000, subtype="FLOAT")
    waveform = read_waveform(tmp_path / "long.wav")
    result = predictor.predict(tmp_path / "long.wav", window=1.0)
    session = onnxruntime.InferenceSession(exported / "va/va.onnx")
    facts = json.loads((exported / "va/preprocessing.json").read_text())
    state = {}
    for port in facts["inputs"]:
        if port["name"].startswith("fold_"):
            state[port["name"]] = np.zeros(port["shape"], port["dtype"])
    assert state and len(facts["outputs"]) == 1 + len(state)
    whole = vectors(predictor, waveform)["speaker"]
    for i, (start, end) in enumerate(result.windows):
        part = waveform[round(start * 16000) : round(end * 16000)]
        given = {"waveform": part, "prosody": vectors(predictor, part)["prosody"], "speaker": whole}
        given |= {"frames": np.zeros((1, 3, 32, 32), np.float32), "has_picture": np.array(False)}
        prediction, *after = session.run(None, given | state)
        state = dict(zip(state, after, strict=True))
        expected = np.stack([result.affect[name][i] for name in ("valence", "arousal")], 1)
        np.testing.assert_allclose(prediction, expected, atol=1e-4)


def example(folder: Path, *arguments: object) -> subprocess.CompletedProcess:
    """example.py, started from elsewhere and without this project on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", str(folder / "example.py"), *map(str, arguments)]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_example_runs_from_a_file_to_probabilities(exported, trained, predictor, tmp_path):
    source = (exported / "fusion/example.py").read_text()
    imports = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imports - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "soundfile"}
    done = example(exported / "fusion", exported / "1.wav", exported / "3.wav")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for i, of in zip((1, 3), found, strict=True):
        np.testing.assert_allclose(of["probabilities"], predictor.predict(exported / f"{i}.wav").emotion[0], atol=1e-4)
    frames = frames_of(predictor, film_clip("a", trained / "c1.mov", (None, None)))
    np.savez(tmp_path / "inputs.npz", frames=frames[None])
    done = example(exported / "fusion", trained / "corpus/c1.wav", tmp_path / "inputs.npz")
    expected = predictor.predict(trained / "c1.mov").emotion[0]
    np.testing.assert_allclose(json.loads(done.stdout)["probabilities"], expected, atol=1e-4)
    soundfile.write(tmp_path / "48.wav", voice(1.0, 120, 1, 48000), 48000)
    assert "has 48000 Hz; convert it first: ffmpeg" in example(exported / "fusion", tmp_path / "48.wav").stderr


@pytest.mark.slow
def test_the_example_streams_turns(exported, predictor, tmp_path):
    assert "give INPUTS.npz with prosody and speaker" in example(exported / "va", exported / "1.wav").stderr
    sound = voice(3.0, 140, 3)
    soundfile.write(tmp_path / "long.wav", sound, 16000, subtype="FLOAT")
    parts = [sound[:16000], sound[16000:32000], sound[32000:]]
    for i, part in enumerate(parts):
        soundfile.write(tmp_path / f"{i}.wav", part, 16000, subtype="FLOAT")
    of_parts = [vectors(predictor, part.astype(np.float32)) for part in parts]
    whole = vectors(predictor, sound.astype(np.float32))["speaker"]
    rows = {"prosody": np.stack([of["prosody"] for of in of_parts]), "speaker": np.stack([whole] * 3)}
    np.savez(tmp_path / "inputs.npz", **rows)
    done = example(exported / "va", *(tmp_path / f"{i}.wav" for i in range(3)), tmp_path / "inputs.npz")
    found = [json.loads(line)["prediction"] for line in done.stdout.splitlines()]
    result = predictor.predict(tmp_path / "long.wav", window=1.0)
    expected = np.stack([result.affect[name] for name in ("valence", "arousal")], 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_the_folder_describes_itself(exported):
    for stage, output in (("fusion", "probabilities"), ("va", "prediction")):
        facts = json.loads((exported / stage / "preprocessing.json").read_text())
        session = onnxruntime.InferenceSession(exported / stage / facts["file"])
        assert [port["name"] for port in facts["inputs"]] == [port.name for port in session.get_inputs()]
        assert [port["name"] for port in facts["outputs"]] == [port.name for port in session.get_outputs()]
        assert facts["outputs"][0]["name"] == output and facts["models"]["emotion"]["classes"] == CLASSES
        text = (exported / stage / "MODEL_CARD.md").read_text()
        assert "Trained on a synthetic sample." in text and "None: no" in text  # this project has no scores
    assert facts["prosody"]["names"] and facts["speaker"]["model"] == "statistics"


def card(root: Path, role: str, **changes: object) -> str:
    facts = labels.read_facts(role, root / "data/manifest")
    of = SimpleNamespace(
        emotion=labels.read_facts("emotion", root / "data/manifest"),
        affect=labels.read_facts("affect", root / "data/manifest"),
        fusions=[object()],
        va={1: None, 2: None},
        classes=facts.classes,
        targets=["valence", "arousal"],
        settings={"wavlm": {"speech": {"model": "tiny"}}, "prosody": {"params": {"set": "egemaps"}}},
    )
    setattr(of, role, replace(facts, **changes))
    return model_card.card(role, of, 1e-6, root)  # type: ignore[arg-type]


def test_a_card_has_scores_with_their_intervals_and_the_licence(evaluated):
    text, detail = card(evaluated, "emotion"), results_toys.detail(evaluated, "emotion")
    low, high = (detail["test"][f"uar_{end}"] for end in ("low", "high"))
    assert f"| uar | {detail['test']['uar']:.3f} | {low:.3f} to {high:.3f} |" in text
    assert f"{detail['clips']} clips, {detail['speakers']} speakers; intervals by bootstrap over speakers" in text
    text, detail = card(evaluated, "affect"), results_toys.detail(evaluated, "affect")
    assert f"| ccc_valence | {detail['ccc_valence']:.3f} | {detail['ccc_valence_low']:.3f} to" in text
    assert "openSMILE" in text and "Trained on a synthetic sample." in text
    real = card(evaluated, "affect", synthetic=False, corpus="iemocap", protocol="sessions5", speaker_overlap=True)
    assert "Trained on a synthetic sample." not in real and "Recordings of iemocap: from USC, on request." in real
    assert "protocol `sessions5`" in real and "Speakers of the test clips are also in training" in real
    unknown = card(evaluated, "affect", synthetic=False, corpus="mine")
    assert f"Recordings of mine: {model_card.UNKNOWN}." in unknown


@pytest.mark.parametrize(("role", "score"), [("emotion", "uar"), ("affect", "ccc_arousal")])
def test_scores_of_other_models_are_refused(evaluated, tmp_path, role, score):
    root = tmp_path / "project"
    shutil.copytree(evaluated, root)

    def change(detail: dict) -> None:
        (detail["test"] if role == "emotion" else detail)[score] += 0.01

    rewrite(str(root / f"metrics/detail/{role}.json"), change)
    with pytest.raises(ValueError, match=rf"metrics/detail/{role}.json: {score} is .*; run `dvc repro evaluate@{role}"):
        card(root, role)


def test_licences_are_those_of_the_documentation():
    corpora = (REPO / "docs/licences.md").read_text(encoding="utf-8").split("## Corpora")[1]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", corpora, re.MULTILINE)
    documented = {name.lower().replace("-", "_"): licence for name, licence in rows}
    documented["cremad"] = documented.pop("crema_d")
    assert {name: documented[name] for name in model_card.LICENCES} == model_card.LICENCES
    # Stills train no final model.
    assert set(documented) - set(model_card.LICENCES) == {
        "corpus",
        "fer_2013",
        "affectnet",
    }  # stills train no final model


def test_models_that_need_other_turns_are_refused(own, tmp_path):
    params_with(own, CHANGES | {"va.normalise": {"prosody": "speaker", "speech": "none"}})
    main(va)
    with pytest.raises(ValueError, match=r"va.normalise standardises prosody by all turns of a speaker, which a graph"):
        main(export, "va", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    shutil.rmtree("data/models/va")
    with pytest.raises(ValueError, match="there is no model of va in data/models; run `dvc repro va`"):
        main(export, "va", "--out", str(tmp_path / "out"))
