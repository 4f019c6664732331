"""Exported graphs: their operators give the numbers of the modules, for every mode, encoder and updater."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import speech_toys
import torch
import va_toys
from fusion_toys import ENCODERS, MODES, fusion, wake
from recordings import SECTIONS
from torch import Tensor

from avemotion.export import onnx_file
from avemotion.export.fusion_graph import FusionGraph
from avemotion.export.onnx_file import Graph, Port, Span
from avemotion.export.sound_graphs import LogMel, SpeechStates
from avemotion.export.va_graph import one_turn, state_ports, turn_of_fold
from avemotion.features import mel, wavlm
from avemotion.models.fusion.build import build_fusion
from avemotion.models.va.model import VAModel
from avemotion.prediction.trained_models import Models

FEATURES = SECTIONS["features"]


def settings(kind: str, **changes: object) -> dict:
    """Settings of a checkpoint."""
    return {"params": FEATURES[kind] | changes, "speech": {"model": "tiny", "unfreeze_layers": 2}, "noise": {}}


def models(mode: str, encoder: str, **options: object) -> Models:
    """What a graph takes of the trained models: two fusion models."""
    both = [fusion(mode, encoder, **options) for _ in range(2)]
    of = {"fusions": both, "temperatures": [1.0, 2.5], "classes": list("abcd")}
    features = {kind: settings(kind) for kind in ("wavlm", "mel", "frames")}
    if encoder == "resnet_asp":
        features["mel"] = settings("mel", seconds=None)
    if encoder == "wavlm layers":
        features["wavlm"] = settings("wavlm", layers=ENCODERS[encoder]["layers"])
    audio = None if mode == "video" else ENCODERS[encoder]
    return SimpleNamespace(**of, audio=audio, settings=features, fusion_by_speaker=[])  # type: ignore[return-value]


COMBINATIONS = [(mode, "cnn", {}) for mode in MODES] + [(mode, "resnet_asp", {}) for mode in ("audio", "xattn_gated")]
COMBINATIONS += [
    ("late", "wavlm", {}),
    ("gated", "resnet18", {"prosody": 8}),
    ("audio", "plain18", {}),
    ("audio", "wavlm layers", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "encoder", "options"), COMBINATIONS)
def test_every_mode_and_encoder(tmp_path, seeded, mode, encoder, options):
    graph = FusionGraph(models(mode, encoder, **options))
    onnx_file.write(graph, tmp_path / "of.onnx")
    assert onnx_file.largest_difference(graph, tmp_path / "of.onnx") < 1e-5
    names = {port.name for port in graph.inputs}
    assert ("waveform" in names, "frames" in names) == (mode != "video", mode != "audio")
    assert ("prosody" in names) == bool(options)
    assert ("has_sound" in names) == ("has_picture" in names) == (mode not in ("audio", "video"))
    if "has_picture" in names:  # an absent picture has no say, whatever its pixels
        given = onnx_file.drawn(graph, 0, {})
        alone = given | {"has_picture": torch.tensor(False)}
        session = onnxruntime.InferenceSession(tmp_path / "of.onnx")
        found = [
            session.run(None, {name: value.numpy() for name, value in of.items()})[0]
            for of in (given, alone, alone | {"frames": 1 - given["frames"]})
        ]
        np.testing.assert_allclose(found[1], found[2], atol=1e-6)
        assert mode == "late" or np.abs(found[0] - found[1]).max() > 1e-4


class OneTurn(Graph):
    """The VA model alone, without WavLM and the fusion model."""

    def __init__(self, model: VAModel):
        super().__init__()
        self.model = model
        steps = Span(name="steps", low=2, high=100, example=7)
        sizes = {"speech": (1, steps, 16), "prosody": (1, 8), "speaker": (1, 6), "fused": (1, 10)}
        self.inputs = [Port(name=name, shape=shape, meaning="") for name, shape in sizes.items()]
        self.inputs += (state := state_ports(1, model))
        self.outputs = [Port(name="prediction", shape=(len(model.targets),), meaning="")]
        self.outputs += [Port(name=f"next_{p.name}", shape=p.shape, boolean=p.boolean, meaning="") for p in state]

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        inputs = {name: given[name] for name in ("speech", "prosody", "speaker", "fused")}
        inputs["speech_mask"] = torch.ones(given["speech"].shape[:2], dtype=torch.bool)
        predicted, after = turn_of_fold(1, self.model, inputs, given)
        return {"prediction": predicted[0]} | after


STRUCTURES = [{"state": va_toys.state(updater="transformer")}, {"targets": ["valence", "arousal", "dominance"]}]
MORE = [{"state": va_toys.state(updater=name)} for name in ("linear", "gru", "mamba")]
MORE += [{"state": va_toys.state(alpha="per_target"), "interaction": "bidirectional", "film": "pooled"}]
MORE += [{"state": None, "interaction": "concat", "pooling": "statistics", "heads": "weighted_concat"}]
MORE += [{"scales": [1, 3], "interaction": "concat", "pooling": "multihead", "heads": "shared"}]
STRUCTURES += [pytest.param(choices, marks=pytest.mark.slow) for choices in MORE]


@pytest.mark.parametrize("choices", STRUCTURES, ids=lambda choices: str(choices)[:70])
def test_streamed_turns_are_those_of_the_dialogue(tmp_path, seeded, choices):
    """Five turns, one by one through the file with its state, and all at once through the model."""
    model = va_toys.va_model(**choices)
    graph, file = OneTurn(model).eval(), tmp_path / "turn.onnx"
    onnx_file.write(graph, file)
    turns = [turn for turn in va_toys.turn_inputs(6) if turn["speech"].shape[1] > 1]
    session, state = onnxruntime.InferenceSession(file), {}
    for port in graph.inputs[4:]:
        state[port.name] = np.zeros(port.shape, bool if port.boolean else np.float32)
    found = []
    for turn in turns:
        given = {name: turn[name].numpy() for name in ("speech", "prosody", "speaker", "fused")} | state
        prediction, *after = session.run(None, given)
        state = dict(zip(state, after, strict=True))
        found.append(prediction)
    with torch.inference_mode():
        whole = model(**va_toys.together(turns), turns=torch.ones(1, len(turns), dtype=torch.bool)).prediction
    np.testing.assert_allclose(np.stack(found), whole.numpy(), atol=1e-5)
    assert choices.get("state", True) is None or len(graph.inputs) > 4


@pytest.mark.parametrize("changes", [{}, {"seconds": 3.0}, {"layers": [1, 2]}, {"dtype": "float16"}])
def test_states_of_the_graph_are_those_of_the_extractor(changes):
    of = settings("wavlm", **changes)
    waveform = np.random.default_rng(0).standard_normal(20001).astype(np.float32)
    views, _ = wavlm.restore(of, "cpu").extract_waveform("a", waveform)
    with torch.inference_mode():
        found = SpeechStates(of)(torch.from_numpy(waveform))
    assert set(found) == set(views["clean"])
    for name, rows in views["clean"].items():
        np.testing.assert_allclose(found[name][0].numpy(), rows.astype(np.float32), atol=2e-5 if not changes else 2e-3)


@pytest.mark.parametrize("seconds", [None, 1.0, 3.0])
def test_log_mels_of_the_graph_are_those_of_the_extractor(seconds):
    of = settings("mel", seconds=seconds)
    waveform = np.random.default_rng(0).standard_normal(20001).astype(np.float32)
    views, _ = mel.restore(of, "cpu").extract_waveform("a", waveform)
    with torch.inference_mode():
        found, mask = LogMel(of)(torch.from_numpy(waveform))
    np.testing.assert_allclose(found[0].numpy(), views["clean"]["mel"], atol=1e-4)
    assert int(mask.sum()) == views["clean"]["length"][0]


def test_states_in_bfloat16_are_refused():
    with pytest.raises(ValueError, match="precision: bf16, whose values a graph in float32 does not have"):
        SpeechStates(settings("wavlm", precision="bf16"))


def test_another_speech_encoder_than_wavlm_is_refused(tmp_path):
    speech_toys.make("hubert base").save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": true, "sampling_rate": 16000}')
    of = settings("wavlm")
    of["speech"]["model"] = str(tmp_path)
    with pytest.raises(ValueError, match=r"of type hubert; the export has graphs of WavLM alone, so train with"):
        SpeechStates(of)


def of_frames(**video: object) -> Models:
    """A fusion model of mode video with these arguments of its encoder."""
    model = wake(build_fusion("video", 4, None, video, {})).eval()
    of = {
        "fusions": [model],
        "temperatures": [1.0],
        "classes": list("abcd"),
        "settings": {"frames": settings("frames")},
    }
    return SimpleNamespace(**of, audio=None, fusion_by_speaker=[])  # type: ignore[return-value]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "pooling"), [("conv", "attention"), ("transformer", "mean_std")])
def test_temporal_models_of_frames(tmp_path, seeded, kind, pooling):
    temporal = {"kind": kind, "dim": 8}
    graph = FusionGraph(of_frames(encoder="face", width=4, stages=2, pooling=pooling, temporal=temporal))
    onnx_file.write(graph, tmp_path / "of.onnx")
    assert onnx_file.largest_difference(graph, tmp_path / "of.onnx") < 1e-5


def test_an_image_encoder_and_a_gru_of_frames_are_refused():
    with pytest.raises(
        ValueError, match=r"video.encoder is vision, whose image encoder is no part of the graph; train"
    ):
        FusionGraph(of_frames(encoder="vision", model="none", layers=0, dim=4))
    gru = {"kind": "gru", "dim": 8}
    with pytest.raises(ValueError, match=r"video.temporal is gru, which torch's exporter cannot write for any number"):
        FusionGraph(of_frames(encoder="face", width=4, stages=1, pooling="mean", temporal=gru))


def test_prosody_relative_to_other_clips_is_refused(seeded):
    of = models("gated", "cnn", prosody=8)
    of.fusion_by_speaker.append("prosody")
    with pytest.raises(ValueError, match="takes prosody standardised by all clips of a speaker, which a graph"):
        FusionGraph(of)


def test_a_wrong_file_is_told(tmp_path, seeded):
    """The comparison notices the weights of another model."""
    graph, other = (OneTurn(va_toys.va_model()).eval() for _ in range(2))
    onnx_file.write(graph, tmp_path / "turn.onnx")
    assert onnx_file.largest_difference(graph, tmp_path / "turn.onnx") < 1e-5
    with pytest.raises(ValueError, match=r"turn.onnx: an output differs by .* from the project's own"):
        onnx_file.largest_difference(other, tmp_path / "turn.onnx")


def test_missing_packages_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"the export needs the package onnxscript; run with .*--extra export"):
        onnx_file.write(OneTurn(va_toys.va_model()), Path(tmp_path / "turn.onnx"))


def test_adaptive_pooling_is_that_of_torch(seeded):
    rows = torch.randn(2, 3, 301)
    for size in (1, 7, 75, 301):
        torch.testing.assert_close(
            onnx_file.adaptive_max_pool(rows, size), torch.nn.functional.adaptive_max_pool1d(rows, size)
        )


def test_an_operator_that_onnx_lacks_is_named(tmp_path):
    class Lacking(Graph):
        def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"y": torch.special.bessel_j0(given["x"])}

    graph = Lacking().eval()
    graph.inputs, graph.outputs = ([Port(name=name, shape=(3,), meaning="")] for name in "xy")
    with pytest.raises(ValueError, match=r"torch's exporter cannot write this model: .*bessel_j0"):
        onnx_file.write(graph, tmp_path / "of.onnx")


def test_one_turn_needs_no_mask(seeded):
    model = va_toys.va_model()
    (turn,) = va_toys.turn_inputs(1)
    memory = model.state.start(1, model.units.mean)
    with torch.inference_mode():
        expected = model(**turn, turns=torch.ones(1, 1, dtype=torch.bool), memory=memory)
        prediction, after = one_turn(model, turn, memory)
    torch.testing.assert_close(prediction, expected.prediction)
    torch.testing.assert_close(after.state, expected.memory.state)
