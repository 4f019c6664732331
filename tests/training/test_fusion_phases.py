"""Fusion training: its model's arguments, its phases and its warm start."""

import pytest
import torch
from fusion_toys import CLASSES
from project_params import params_with
from quick_fusion import QUICK, configured
from safetensors.torch import save_file

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.video_encoder import VideoResNet18
from avemotion.training.common import checkpoint
from avemotion.training.common.loop import Phase
from avemotion.training.emotion.audio_input import audio_arguments
from avemotion.training.fusion import phases as recipe
from stages import fusion as fusion_stage
from stages import pretrain_audio

pytestmark = pytest.mark.usefixtures("set_up")


@pytest.mark.parametrize("head", ["concat", "gated"])
def test_mode_names_that_fix_the_head(tmp_path, head):
    def architecture(mode, head):
        file = params_with(tmp_path, {"fusion.mode": mode, "xattn.head": head})
        return recipe.architecture(fusion_stage.configure(file), CLASSES)

    other = "gated" if head == "concat" else "concat"
    assert architecture(f"xattn_{head}", other) == architecture(f"xattn_{head}", head) == architecture("xattn", head)
    assert architecture("xattn", head)["options"]["head"] == head


CPU = torch.device("cpu")


@pytest.mark.parametrize("form", ["bare.pt", "wrapped.pt", "own.safetensors", "folder", "folder for a fold", "folds"])
def test_warm_start_takes_every_form_of_checkpoint(tmp_path, capsys, form):
    torch.manual_seed(1)
    given, part = VideoResNet18(CLASSES), VideoResNet18(CLASSES)
    state, classes, fold = given.state_dict(), [str(i) for i in range(CLASSES)], None
    source = tmp_path / form
    if form.endswith("pt"):
        torch.save({"model": state} if form == "wrapped.pt" else state, source)
    elif form == "own.safetensors":
        save_file(state, source)
    else:
        fold = "fold_2" if form != "folder" else None
        folder = source / "fold_2" if form == "folds" else source
        folder.mkdir(parents=True)
        checkpoint.save(folder, given, {"classes": classes})
    report = checkpoint.warm_start_from(source, part, classes, fold)
    assert report == {"taken": sorted(state), "missing": [], "unused": []}
    assert all(torch.equal(value, state[name]) for name, value in part.state_dict().items())
    if form.startswith("fold"):  # as many classes, but others
        assert checkpoint.warm_start_from(source, part, ["x"], fold) == without_classifier(state)
    assert checkpoint.warm_start_from(source, VideoResNet18(CLASSES + 1), classes, fold) == without_classifier(state)
    printed = capsys.readouterr().out
    assert "its classifier is of other classes and left out: classifier.bias, classifier.weight\n" in printed


def without_classifier(state):
    """The report where all but the classifier is taken."""
    classifier = ["classifier.bias", "classifier.weight"]
    return {"taken": sorted(state.keys() - set(classifier)), "missing": classifier, "unused": classifier}


def test_a_model_without_epochs_needs_the_classifier_too():
    with pytest.raises(
        ValueError, match=r"epochs and head_epochs are 0, but fusion\.audio_checkpoint has no classifier"
    ):
        recipe.refuse_untrained("audio", ["classifier.bias"])
    recipe.refuse_untrained("audio", [])


@pytest.mark.parametrize(("encoder", "layers"), [("wavlm", 2), ("wavlm", 0), ("cnn", 2)])
def test_phases_of_audio_pretraining(tmp_path, encoder, layers):
    changes = {"audio.encoder": encoder, "speech.model": "tiny", "speech.unfreeze_layers": layers}
    config = pretrain_audio.configure(params_with(tmp_path, changes))
    model = build_audio(CLASSES, audio_arguments(config))
    p, phases = config.pretrain, pretrain_audio.phases(model, config)
    rates = {phase.name: [group["lr"] for group in phase.prepare()] for phase in phases}
    if encoder == "wavlm" and layers:
        assert rates == {"head": [p.lr], "finetune": [p.lr, p.encoder_lr]}
    else:
        assert set(rates) == {"train"} and set(rates["train"]) == {p.lr}


def test_a_phase_without_epochs_is_left_out(tmp_path):
    config = pretrain_audio.configure(params_with(tmp_path, QUICK | {"pretrain_audio.head_epochs": 0}))
    model = build_audio(CLASSES, audio_arguments(config))
    assert [phase.name for phase in pretrain_audio.phases(model, config)] == ["finetune"]
    assert [phase.name for phase in configured(tmp_path, **{"fusion.head_epochs": 0})[2]] == ["finetune"]
    assert [phase.name for phase in configured(tmp_path, **{"fusion.epochs": 0})[2]] == ["head"]


@pytest.mark.parametrize(("mode", "expected"), [("late", 0.0), ("gated", 0.05), ("xattn_concat", 0.05)])
def test_late_is_plain_nll_unless_asked_for(tmp_path, mode, expected):
    changes = {"fusion.mode": mode, "fusion.label_smoothing": 0.05}
    assert configured(tmp_path, **changes)[0].smoothing == expected
    assert configured(tmp_path, **changes | {"fusion.late_smoothing": 0.1})[0].smoothing == (expected or 0.1)


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("rate", [2e-3, 0.0])
def test_a_temporal_model_is_tuned_like_blocks_or_trained_with_the_head(tmp_path, warm, rate):
    """With a warm start pretraining has trained it, so the second phase tunes it, without open blocks too."""
    changes = {"fusion.warm_start": ["audio", "video"] if warm else ["audio"], "fusion.video_blocks": 0}
    changes |= {"fusion.mode": "gated", "fusion.video_lr": rate, "video.temporal": "gru", "video.pooling": "attention"}
    p, model, (head, finetune) = configured(tmp_path, **changes)
    of = {id(q) for q in (*model.video.temporal.parameters(), *model.video.pool_frames.parameters())}

    def rates(phase: Phase) -> set[float]:
        return {group["lr"] for group in phase.prepare() for q in group["params"] if id(q) in of}

    assert rates(head) == (set() if warm else {p.lr})
    assert rates(finetune) == ({p.lr} if not warm else {rate} - {0.0})
