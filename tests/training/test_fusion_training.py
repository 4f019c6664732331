"""What the training code does to real models: they learn, frozen parts stand still, open parts move."""

import copy
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F
from fusion_toys import CLASSES, MODES, separable
from project_params import SERIAL
from quick_fusion import configured

from avemotion.datasets.clip_batches import Batch, ClipDataset, training_batches
from avemotion.models.encoders.video_encoder import BLOCKS
from avemotion.models.speech.pretrained import load
from avemotion.models.speech.top_layers import TopLayers
from avemotion.params.fusion import configure
from avemotion.system import runtime
from avemotion.training.common import freeze, loop
from avemotion.training.emotion import classifier

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


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
    p, model, phases = configured(tmp_path, **{"fusion.mode": mode, "video.encoder": "resnet18"} | changes)
    batch = frozen_below(model, batch)

    def validate():
        scores = model(*batch.inputs).logits
        accuracy = (scores.argmax(-1) == batch.target).float().mean()
        return {"loss": F.cross_entropy(scores, batch.target).item(), "score": accuracy.item()}

    task = loop.Task(batches=lambda epoch: [batch], loss=objective(model), validate=validate, label=mode)
    history = loop.fit(model, task, phases, p, CPU)
    return model, history, validate


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_overfits_eight_clips(tmp_path, mode):
    model, history, validate = learn(tmp_path, mode, separable(8))
    assert not model.training and validate()["score"] == 1.0
    assert list(history.phase) == ["head"] * 4 + ["finetune"] * 6
    assert history.train_loss.iloc[-1] < 0.5 * history.train_loss.iloc[0]


@pytest.mark.parametrize("mode", ["concat", "gated", "xattn_gated"])
def test_a_residual_fusion_with_unimodal_losses_overfits_eight_clips(tmp_path, mode):
    changes = {"fusion.residual": True, "fusion.late_rule": "product", "fusion.unimodal_loss": 0.5}
    _, history, validate = learn(tmp_path, mode, separable(8), **changes)
    assert validate()["score"] == 1.0 and history.train_loss.iloc[-1] < 0.5 * history.train_loss.iloc[0]


@pytest.mark.parametrize("soft", [False, True])
def test_the_loss_is_that_of_the_fusion_and_the_weighted_ones_of_both_classifiers(tmp_path, soft):
    """By hand for one step over the whole of eight clips, whose weights stand still at a rate of nearly 0."""
    p, model, phases = configured(tmp_path, **{"fusion.mode": "gated", "fusion.unimodal_loss": 0.25, "fusion.lr": 1e-30,
                                               "fusion.audio_dropout": 0.0, "fusion.video_dropout": 0.0})  # fmt: skip
    batch, given = frozen_below(model, separable(8)), {}

    def weighted(batch):
        output = model(*batch.inputs)
        given["logits"], given["parts"] = output.logits, output.parts
        return [(1.0, output.logits), *((p.unimodal_loss, part) for part in output.parts)]

    dataset = ClipDataset(
        batch.ids, batch.target, rows(batch.audio, batch.audio_mask), rows(batch.video, batch.video_mask)
    )
    votes = torch.rand(8, CLASSES, generator=torch.Generator().manual_seed(0))
    shares = dict(zip(dataset.ids, votes / votes.sum(1, keepdim=True), strict=True))
    training = classifier.ClipTraining(
        model=model,
        logits=lambda batch: model(*batch.inputs).logits,
        weighted_logits=weighted,
        sets=dict.fromkeys(("train", "val", "test"), dataset),
        phases=[replace(phases[0], epochs=1)],
        params=replace(p, batch_size=8, label_smoothing=0.0),
        shares=shares if soft else None,
    )
    run = SimpleNamespace(device=CPU, seed=0, compute=SimpleNamespace(loader_workers=0), curves=Mock(), resume=None)
    history = classifier.train(training, run)
    first = next(iter(training_batches(dataset, 8, 0)(1)))
    order = torch.stack([shares[clip] for clip in first.ids]) if soft else first.target
    by_hand = [F.cross_entropy(scores, order).item() for scores in (given["logits"], *given["parts"])]
    assert history.train_loss[0] == pytest.approx(by_hand[0] + 0.25 * (by_hand[1] + by_hand[2]), rel=1e-5)


def rows(values, mask):
    """A source that returns the rows of a batch by clip id."""
    return lambda clip, epoch: (values[int(clip.removeprefix("clip"))], int(mask[int(clip.removeprefix("clip"))].sum()))


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


def test_training_fewer_layers_than_the_cache_allows_is_exact(tmp_path):
    """One of two layers above the boundary: the gradients of the whole model with all lower layers frozen."""
    whole = load("tiny")
    _, model, (_, finetune) = configured(tmp_path, **{"fusion.mode": "audio", "fusion.unfreeze_wavlm_layers": 1})
    model.audio.top.load_state_dict(TopLayers.from_model(whole, 2).state_dict())
    groups, last = finetune.prepare(), list(model.audio.top.layers["3"].parameters())
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in last}
    freeze.train_mode(model)
    assert not model.audio.top.layers["2"].training and model.audio.top.layers["3"].training
    model.eval()
    whole.requires_grad_(False)
    whole.encoder.layers[3].requires_grad_(True)
    entering = []
    hook = whole.encoder.layers[2].register_forward_pre_hook(lambda _, args: entering.append(args[0].detach()))
    states = whole(torch.randn(2, 16000)).last_hidden_state
    hook.remove()
    mask = torch.ones(states.shape[:2], dtype=torch.bool)
    ours = model.audio.top(entering[0], mask)
    torch.testing.assert_close(ours, states, rtol=0, atol=0)
    for output in (ours, states):
        output.square().mean().backward()
    for name, parameter in model.audio.top.layers["3"].named_parameters():
        theirs = whole.encoder.layers[3].get_parameter(name).grad
        torch.testing.assert_close(parameter.grad, theirs, rtol=0, atol=0, msg=name)
    assert all(p.grad is None for p in model.audio.top.layers["2"].parameters())


FROZEN = [
    {"fusion.audio_lr": None, "fusion.video_lr": 0.0},
    {"fusion.unfreeze_wavlm_layers": 0, "fusion.video_blocks": 0},
    {"audio.encoder": "cnn", "fusion.unfreeze_audio": False, "fusion.video_lr": None},
    {"audio.encoder": "cnn", "fusion.mode": "xattn_gated", "xattn.audio_path": "conv", "fusion.video_lr": None},
]


@pytest.mark.parametrize("changes", FROZEN, ids=str)
def test_a_rate_of_0_or_null_and_closed_encoders_freeze(tmp_path, changes):
    p, model, (_, finetune) = configured(tmp_path, **{"fusion.mode": "gated"} | changes)
    assert [group["lr"] for group in finetune.prepare()] == [p.lr]
    assert configure(tmp_path / "params.yaml").open_blocks == 0
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert not [name for name in trained if name.startswith(("audio.", "video.")) and ".classifier." not in name]


def test_frozen_encoders_do_not_drop_out(tmp_path):
    _, model, (head, finetune) = configured(tmp_path, **{"fusion.mode": "gated"})
    batch = separable(8)
    for phase, steady in ((head, True), (finetune, False)):
        phase.prepare()
        freeze.train_mode(model)
        assert model.gate.training and model.modality_dropout.training
        first, second = (model.audio.encode(batch.audio, batch.audio_mask) for _ in range(2))
        assert torch.equal(first, second) == steady


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


def test_same_seed_gives_equal_weights_bit_for_bit(tmp_path):
    def weights(seed):
        runtime.setup(seed, SERIAL)
        changes = {"fusion.head_epochs": 1, "fusion.epochs": 2}
        return learn(tmp_path, "xattn_gated", separable(8), **changes)[0].state_dict()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())
