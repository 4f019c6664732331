"""Weights of a run on another corpus, of other classes: the encoder starts from them, the classifier from nothing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.video_models import build_video
from avemotion.training.common import checkpoint
from avemotion.training.video_start import start

MEL = {"encoder": "cnn", "dim": 32, "mel_bands": 16}
FACE = {"encoder": "face", "width": 4, "pooling": "mean"}
OTHER = ["anger", "joy"]  # as many as CLASSES, but others
CLASSES = ["calm", "sad"]


def saved(folder: Path, model: nn.Module, classes: list[str]) -> Path:
    folder.mkdir()
    checkpoint.save(folder, model, {"classes": classes})
    return folder


def same(first: nn.Module, second: nn.Module) -> dict[str, bool]:
    other = second.state_dict()
    return {name: bool(torch.equal(value, other[name])) for name, value in first.state_dict().items()}


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("classes", [OTHER, [*OTHER, "fear"]])
def test_sound(tmp_path, classes, capsys):
    source, model = build_audio(len(classes), MEL), build_audio(2, MEL)
    with torch.no_grad():
        source.normalize.mean += 1.0  # fitted to the other corpus
    before = {name: value.clone() for name, value in model.state_dict().items()}
    taken = checkpoint.warm_start_from(saved(tmp_path / "other", source, classes), model, CLASSES, None)
    of_classifier = {name for name in before if name.startswith("classifier.")}
    assert (
        of_classifier and set(taken["missing"]) == of_classifier and set(taken["taken"]) == set(before) - of_classifier
    )
    equal = same(model, source) if len(classes) == 2 else {}
    assert all(value for name, value in equal.items() if name not in of_classifier)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in of_classifier)
    assert "its classifier is of other classes" in capsys.readouterr().out
    again = checkpoint.warm_start_from(saved(tmp_path / "own", model, CLASSES), build_audio(2, MEL), CLASSES, None)
    assert again["missing"] == []  # of the same classes, the classifier too


@pytest.mark.usefixtures("seeded")
def test_faces_of_films_of_another_corpus(tmp_path):
    """pretrain_video.face_checkpoint takes a pretrain_video too, of other classes and another pooling."""
    source = build_video(3, FACE | {"stages": 2, "pooling": "mean_std"})
    model = build_video(2, FACE | {"stages": 1})
    facts = start(model, "face", saved(tmp_path / "other", source, ["a", "b", "c"]))["start"]
    blocks = [name for name in model.state_dict() if name.startswith("blocks.")]
    assert facts["taken"] == sorted(blocks) and len(blocks) > 50
    other = source.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in model.state_dict().items() if name in blocks)
