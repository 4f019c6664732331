"""What the training code does to real models: they learn, frozen parts stand still, open parts move."""

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from toys import CLASSES, MODES, params_with, separable

from avemotion.datasets.clip_batches import Batch
from avemotion.datasets.frame_sequences import FrameAugmentParams, FrameSource
from avemotion.formats import feature_store
from avemotion.models.fusion.build import build_fusion
from avemotion.models.encoders.video_encoder import BLOCKS, VideoResNet18
from avemotion.system import runtime
from avemotion.params.shared.compute import ComputeParams

from avemotion.training.common import checkpoint, freeze, loop
from avemotion.training.emotion.audio_input import audio_arguments, build_audio
from avemotion.training.common.folds import Fold
from avemotion.training.fusion import phases as recipe
from avemotion.training.fusion.frozen_video import frozen_video
from stages import fusion as fusion_stage
from stages import pretrain_audio

CPU = torch.device("cpu")
QUICK = {
    "audio.encoder": "wavlm",
    "speech.model": "tiny",
    "speech.unfreeze_layers": 2,
    "xattn.d_model": 32,
    "xattn.heads": 2,
    "fusion.head_epochs": 6,
    "fusion.epochs": 12,
    "fusion.lr": 3e-3,
    "fusion.audio_lr": 1e-3,
    "fusion.video_lr": 2e-3,
    "fusion.video_blocks": 1,
    "fusion.label_smoothing": 0.0,
    "fusion.weight_decay": 0.0,
    "fusion.patience": 99,
    "fusion.batch_size": 8,
    "fusion.accumulate": 1,
    "fusion.precision": "fp32",
}


@pytest.fixture(autouse=True)
def seeded():
    """The project's own setup, and torch as it was before afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        runtime.setup(
            0, ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None)
        )
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def configured(tmp_path, **changes):
    """(params, fusion model, its phases) of the stage."""
    config = fusion_stage.configure(params_with(tmp_path, QUICK | changes))
    built = recipe.architecture(config.fusion, config.xattn, config.audio, config.speech, CLASSES)
    model = build_fusion(**built)
    return config.fusion, model, recipe.phases(model, config.fusion)


def objective(model):
    return lambda batch: F.cross_entropy(model(*batch.inputs).logits, batch.target)


def frozen_below(model, batch, blocks=1):
    """The batch with the frozen video blocks computed, and the model set to start there, as the stage does."""
    if model.video is None:
        return batch
    model.eval()
    with torch.no_grad():
        lower = model.video.lower(batch.video, blocks)
    model.video.start_from(blocks)
    return Batch(**vars(batch) | {"video": lower})


def learn(tmp_path, mode, batch, **changes):
    p, model, phases = configured(tmp_path, **{"fusion.mode": mode} | changes)
    batch = frozen_below(model, batch)

    def validate():
        scores = model(*batch.inputs).logits
        accuracy = (scores.argmax(-1) == batch.target).float().mean()
        return {"loss": F.cross_entropy(scores, batch.target).item(), "score": accuracy.item()}

    history = loop.fit(model, phases, lambda epoch: [batch], objective(model), validate, p, CPU, mode)
    return model, history, validate


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_overfits_eight_clips(tmp_path, mode):
    model, history, validate = learn(tmp_path, mode, separable(8))
    assert not model.training and validate()["score"] == 1.0
    assert list(history.phase) == ["head"] * 6 + ["finetune"] * 12
    assert history.train_loss.iloc[-1] < 0.5 * history.train_loss.iloc[0]


def moved(model, batch, groups, p):
    """Names of the parameters and of the statistics that one epoch changes."""
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(groups, weight_decay=0.1)  # decay moves a weight even where its gradient is 0
    loop.train_epoch(model, [batch], objective(model), optimizer, p, CPU)
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("mode", ["late", "xattn_gated"])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_only_the_weights_of_a_phase_move(tmp_path, mode, blocks):
    p, model, (head, finetune) = configured(tmp_path, **{"fusion.mode": mode, "fusion.video_blocks": blocks})
    batch, names = separable(8), set(model.state_dict())
    encoders = {name for name in names if name.startswith(("audio.top.", "video.blocks."))}
    first = moved(model, batch, head.prepare(), p)
    assert not first & encoders  # batch statistics included
    assert (
        first >= {name for name in names if name.startswith(("audio.classifier", "video.classifier"))} or mode != "late"
    )
    assert first >= {name for name in names if name.startswith("project_")}
    frozen = [parameter for name, parameter in model.named_parameters() if name in encoders]
    assert not any(parameter.requires_grad for parameter in frozen)

    second = moved(model, batch, finetune.prepare(), p)
    opened = {f"video.blocks.{i}." for i in range(BLOCKS - blocks, BLOCKS)} | {"audio.top.layers."}
    expected = {name for name in encoders if any(name.startswith(prefix) for prefix in opened)}
    still = {name for name in expected - second if not name.endswith("num_batches_tracked")}
    # A key's bias shifts all scores of a query alike: its gradient is rounding, and AdamW may not move it.
    assert not {name for name in still if not name.endswith("k_proj.bias")}
    assert second & encoders <= expected  # the relative position table stays, and so do the lower blocks' statistics
    statistics = {name for name in second if "running_mean" in name}
    assert len(statistics) == len([name for name in expected if "running_mean" in name])
    assert bool(statistics) == (blocks > 0)


def test_gradients_reach_open_layers_and_never_frozen_ones(tmp_path):
    _, model, (head, finetune) = configured(tmp_path, **{"fusion.mode": "gated", "fusion.audio_dropout": 0.0,
                                                         "fusion.video_dropout": 0.0})  # fmt: skip
    model.gate[-2].weight.data.normal_(0, 0.1)  # from 0 nothing flows through the gate's hidden layer
    batch = separable(8)
    for phase, opened in ((head, ()), (finetune, ("audio.top.layers.", "video.blocks.4."))):
        phase.prepare()
        freeze.train_mode(model)
        objective(model)(batch).backward()
        for name, parameter in model.named_parameters():
            learns = name.startswith(opened) or not name.startswith(("audio.", "video."))
            if name.endswith("k_proj.bias") or name.startswith(("audio.classifier", "video.classifier")):
                continue  # no gradient by their nature: see above; gated has no use for the unimodal classifiers
            assert (parameter.grad is not None and bool(parameter.grad.any())) == learns, (phase.name, name)
        model.zero_grad()


def test_frozen_encoders_do_not_drop_out(tmp_path):
    _, model, (head, finetune) = configured(tmp_path, **{"fusion.mode": "gated"})
    batch = separable(8)
    for phase, steady in ((head, True), (finetune, False)):
        phase.prepare()
        freeze.train_mode(model)
        assert model.gate.training and model.modality_dropout.training
        first, second = (model.audio.encode(batch.audio, batch.audio_mask) for _ in range(2))
        assert torch.equal(first, second) == steady


class Clips:
    """Split of four clips, as EmotionData tells it."""

    parts: ClassVar = {"train": ["a", "c"], "val": ["b"], "test": ["d"]}

    def ids(self, split):
        return self.parts[split]


def frame_source(tmp_path):
    rng = np.random.default_rng(0)
    rows = {clip: {"clean": {"frames": rng.integers(0, 256, (3, 32, 32, 3), np.uint8)}} for clip in "abcd"}
    feature_store.write(tmp_path / "frames", ["clean"], rows.items(), facts={})
    augment = FrameAugmentParams(draw=None, flip=0.5, blur=0.5, darken=0.5, noise=0.5)
    return FrameSource(feature_store.FeatureStore(tmp_path / "frames"), augment, seed=3)


@pytest.mark.parametrize("blocks", [0, 1, BLOCKS])
def test_frozen_blocks_of_augmented_views_are_those_of_augmented_frames(tmp_path, blocks):
    model, frames = VideoResNet18(CLASSES).eval(), frame_source(tmp_path)
    source = frozen_video(model, frames, Clips(), blocks, 3, CPU)
    with torch.inference_mode():
        for clip in "abcd":
            expected = model.lower(frames(clip, None)[0].unsqueeze(0), blocks).squeeze(0)
            torch.testing.assert_close(source(clip, None)[0], expected, rtol=0, atol=0)
        seen = [source("a", epoch)[0] for epoch in range(1, 13)]
        if blocks == BLOCKS:  # nothing is frozen: every epoch has frames of its own
            assert all(torch.equal(seen[epoch - 1], frames("a", epoch)[0]) for epoch in range(1, 13))
            return
        views = [model.lower(frames("a", view)[0].unsqueeze(0), blocks).squeeze(0) for view in (1, 2, 3)]
    drawn = [[torch.equal(features, view) for view in views].index(True) for features in seen]
    assert set(drawn) == {0, 1, 2}
    assert drawn == [[torch.equal(source("a", epoch)[0], view) for view in views].index(True) for epoch in range(1, 13)]


def test_without_views_training_sees_clips_as_they_are(tmp_path):
    for blocks in (1, BLOCKS):
        source = frozen_video(VideoResNet18(CLASSES), frame_source(tmp_path), Clips(), blocks, 0, CPU)
        assert all(torch.equal(source(clip, 5)[0], source(clip, None)[0]) for clip in "abcd")


@pytest.mark.parametrize("form", ["bare.pt", "wrapped.pt", "own.safetensors", "folder", "folds"])
def test_warm_start_takes_every_form_of_checkpoint(tmp_path, form):
    torch.manual_seed(1)
    given, part = VideoResNet18(CLASSES), VideoResNet18(CLASSES)
    state, classes, fold = given.state_dict(), [str(i) for i in range(CLASSES)], None
    source = tmp_path / form
    if form.endswith("pt"):
        torch.save({"model": state} if form == "wrapped.pt" else state, source)
    elif form == "own.safetensors":
        save_file(state, source)
    else:
        fold = Fold(test=2, val=3) if form == "folds" else None
        folder = source / "fold_2" if fold else source
        folder.mkdir(parents=True)
        checkpoint.save(folder, given, {"classes": classes})
    report = recipe.warm_start(part, source, classes, fold)
    assert report == {"taken": sorted(state), "missing": [], "unused": []}
    assert all(torch.equal(value, state[name]) for name, value in part.state_dict().items())
    if form.startswith("fold"):
        with pytest.raises(ValueError, match=r"trained for the classes .* not \['x'\]; run `dvc repro`"):
            recipe.warm_start(part, source, ["x"], fold)
    else:
        with pytest.raises(ValueError, match=r"'classifier.bias' has shape \[4\], the model needs \[5\]"):
            recipe.warm_start(VideoResNet18(CLASSES + 1), source, classes, fold)


def test_learning_rates_of_the_phases(tmp_path):
    p, model, (head, finetune) = configured(tmp_path, **{"fusion.mode": "gated"})
    assert [group["lr"] for group in head.prepare()] == [p.lr]
    groups = finetune.prepare()
    assert [group["lr"] for group in groups] == [p.lr, p.audio_lr, p.video_lr]
    of = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(of) == len(trainable) == sum(len(group["params"]) for group in groups)
    for name, parameter in trainable.items():
        top, blocks = name.startswith("audio.top."), name.startswith("video.blocks.")
        assert of[id(parameter)] == (p.audio_lr if top else p.video_lr if blocks else p.lr), name


@pytest.mark.parametrize(("encoder", "layers"), [("wavlm", 2), ("wavlm", 0), ("cnn", 2)])
def test_phases_of_audio_pretraining(tmp_path, encoder, layers):
    changes = {"audio.encoder": encoder, "speech.model": "tiny", "speech.unfreeze_layers": layers}
    config = pretrain_audio.configure(params_with(tmp_path, changes))
    model = build_audio(CLASSES, audio_arguments(config.audio, config.speech))
    p, phases = config.pretrain, pretrain_audio.phases(model, config.pretrain)
    rates = {phase.name: [group["lr"] for group in phase.prepare()] for phase in phases}
    if encoder == "wavlm" and layers:
        assert rates == {"head": [p.lr], "finetune": [p.lr, p.encoder_lr]}
    else:
        assert set(rates) == {"train"} and set(rates["train"]) == {p.lr}


def test_a_phase_without_epochs_is_left_out(tmp_path):
    config = pretrain_audio.configure(params_with(tmp_path, QUICK | {"pretrain_audio.head_epochs": 0}))
    model = build_audio(CLASSES, audio_arguments(config.audio, config.speech))
    assert [phase.name for phase in pretrain_audio.phases(model, config.pretrain)] == ["finetune"]
    assert [phase.name for phase in configured(tmp_path, **{"fusion.head_epochs": 0})[2]] == ["finetune"]
    assert [phase.name for phase in configured(tmp_path, **{"fusion.epochs": 0})[2]] == ["head"]


def test_same_seed_gives_equal_weights_bit_for_bit(tmp_path):
    def weights(seed):
        runtime.setup(
            seed, ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None)
        )
        changes = {"fusion.head_epochs": 1, "fusion.epochs": 2}
        return learn(tmp_path, "xattn_gated", separable(8), **changes)[0].state_dict()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())
