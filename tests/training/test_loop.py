"""The training loop by itself, on models of a few weights."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from avemotion.params.training.optimizer import OptimParams
from avemotion.system import tables
from avemotion.training.common.live_curves import LiveCurves
from avemotion.training.common.loop import OPTIMIZERS, Phase, Task, fit, train_epoch
from avemotion.training.common.schedules import MIN_LR

pytestmark = pytest.mark.usefixtures("seeded")
CPU = torch.device("cpu")
OFF = {"decay_all": True, "cosine": False, "warmup": 0.0, "ema": 0.0, "select": "best"}


def optim(**changes):
    usual = {"batch_size": 4, "accumulate": 1, "optimizer": "adamw", "lr": 0.1, "weight_decay": 0.01, "clip_norm": 1e9}
    return OptimParams(**usual | OFF | {"patience": 99, "precision": "fp32"} | changes)


def everything(model, lr=0.1):
    return lambda: [{"params": list(model.parameters()), "lr": lr}]


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_two_accumulated_batches_of_4_equal_one_of_8(kind):
    x, y = torch.randn(8, 3), torch.randn(8, 2)
    results = []
    for batches, accumulate in (([(x, y)], 1), ([(x[:4], y[:4]), (x[4:], y[4:])], 2)):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[kind](model.parameters(), lr=0.1)
        mean_loss = train_epoch(
            model,
            batches,
            lambda batch, model=model: nn.functional.mse_loss(model(batch[0]), batch[1]),
            optimizer,
            optim(accumulate=accumulate, clip_norm=0.5),
            CPU,
        )
        results.append((mean_loss, nn.utils.parameters_to_vector(model.parameters()).detach()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


def test_an_incomplete_group_of_batches_steps_too_and_gradients_do_not_leak():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    x = torch.ones(1, 1)
    # d loss/dw = batch; SGD: w = -(1 + 2)/2 - 4: a group of one is the mean over one
    train_epoch(model, [1.0, 2.0, 4.0], lambda slope: slope * model(x).sum(), optimizer, optim(accumulate=2), CPU)
    assert model.weight.item() == pytest.approx(-5.5) and model.weight.grad is None


def test_gradients_are_clipped_to_the_norm():
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    slope = torch.tensor([[30.0, 40.0]])
    train_epoch(model, [slope], lambda x: model(x).sum(), optimizer, optim(clip_norm=2.0), CPU)
    torch.testing.assert_close(model.weight, torch.tensor([[-1.2, -1.6]]), rtol=1e-4, atol=1e-4)


def scripted(scores, patience, phases=1):
    """Run fit where epoch e sets the only weight to e and validation gives scores[e - 1] (score, loss)."""
    model, at = nn.Linear(1, 1, bias=False), iter(scores)
    nn.init.zeros_(model.weight)
    seen, starts = [], []

    def batches(epoch):
        starts.append(round(model.weight.item(), 3))
        seen.append(epoch)
        return [epoch]

    def loss(epoch):
        model.weight.data.fill_(float(epoch))
        return model(torch.zeros(1, 1)).sum()  # gradient 0: only this function moves the weight

    def validate():
        assert not model.training and torch.is_inference_mode_enabled()
        score, value = next(at)
        return {"score": score, "loss": value}

    plan = [Phase(name=f"p{i}", epochs=len(scores), prepare=everything(model)) for i in range(phases)]
    task = Task(batches=batches, loss=loss, validate=validate, label="test")
    history = fit(model, task, plan, optim(weight_decay=0.0, patience=patience), CPU)
    return model.weight.item(), history, seen, starts


def test_early_stopping_restores_the_best_weights():
    weight, history, seen, _ = scripted([(0.1, 1), (0.5, 1), (0.4, 1), (0.5, 1), (0.3, 1), (0.9, 1)], patience=3)
    assert weight == 2 and seen == [1, 2, 3, 4, 5]  # three epochs that were no better; the sixth is never reached
    assert list(history.epoch) == seen and list(history.val_score) == [0.1, 0.5, 0.4, 0.5, 0.3]


def test_the_history_so_far_can_be_watched(tmp_path, monkeypatch):
    """After every epoch, by whoever reads the file meanwhile; nothing else changes."""
    monkeypatch.chdir(tmp_path)
    file, seen = tmp_path / "data/live/fusion_fold_2.csv", []

    def train(curves):
        torch.manual_seed(0)
        model = nn.Linear(1, 1)

        def validate():
            seen.append(pd.read_csv(file)["epoch"].max() if file.exists() else 0)
            return {"score": model.weight.item(), "loss": 1.0}

        plan = [Phase(name="p", epochs=3, prepare=everything(model))]
        batches, loss = (lambda _: [torch.ones(1, 1)]), (lambda x: model(x).square().sum())
        task = Task(batches=batches, loss=loss, validate=validate, label="test")
        return fit(model, task, plan, optim(), CPU, curves)

    history = train(LiveCurves("fusion", "fold_2"))
    assert seen == [0, 1, 2]
    pd.testing.assert_frame_equal(train(None), history)
    curves = pd.read_csv(file)
    assert set(curves["stage"]) == {"fusion"} and set(curves["fold"]) == {2}
    told = curves[curves["series"] == "validation loss"]
    assert list(told["epoch"]) == [1, 2, 3] and list(told["value"]) == [1.0, 1.0, 1.0]
    assert list(curves[curves["series"] == "training loss"]["value"]) == pytest.approx(history["train_loss"], abs=1e-6)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_equal_scores_are_told_apart_by_the_loss_and_nan_is_never_best():
    assert scripted([(0.5, 1.0), (0.5, 0.9), (0.5, 0.95)], patience=9)[0] == 2
    assert scripted([(math.nan, 0.1), (0.2, 1.0), (math.nan, 0.1)], patience=9)[0] == 2


def test_a_phase_goes_on_from_the_best_weights():
    weight, history, _, starts = scripted(
        [(0.1, 1), (0.9, 1), (0.2, 1), (0.3, 1)] + [(0.0, 1)] * 4, patience=2, phases=2
    )
    assert starts == [0, 1, 2, 3, 2, 5] and weight == 2  # p0 stops after epoch 4; p1 starts from epoch 2
    assert list(history.phase) == ["p0"] * 4 + ["p1"] * 2 and list(history.epoch) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_a_remedy(bad):
    model = nn.Linear(1, 1)
    before = model.weight.clone()
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(ValueError, match=r"loss became (nan|inf) in batch 1 .*lower lr \(now 0\.1\)"):
        train_epoch(model, [bad], lambda x: model(torch.ones(1, 1)).sum() * x, optimizer, optim(), CPU)
    assert torch.equal(model.weight, before)


def test_adam_and_sgd_add_the_decay_to_the_gradient_and_adamw_to_the_weight():
    """The first step of Adam moves a weight by lr against the sign of its gradient; only adamw also decays it."""

    def first_step(optimizer):
        model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(model.weight)
        task = Task(
            batches=lambda _: [torch.full((1, 1), -1.0)],
            loss=lambda x: model(x).sum(),
            validate=lambda: {"score": 1.0, "loss": 0.0},
            label="test",
        )
        plan = [Phase(name="train", epochs=1, prepare=everything(model, lr=0.1))]
        fit(model, task, plan, optim(optimizer=optimizer, weight_decay=0.5, clip_norm=None), CPU)
        return model.weight.item()

    assert first_step("adam") == pytest.approx(1 + 0.1, abs=1e-6)  # gradient -1 + 0.5 * 1
    assert first_step("adamw") == pytest.approx(1 * (1 - 0.1 * 0.5) + 0.1, abs=1e-6)
    assert first_step("sgd") == pytest.approx(1 + 0.1 * 0.5 * (1 + 0.9), abs=1e-6)  # Nesterov: gradient + 0.9 velocity


def test_without_a_norm_nothing_is_clipped():
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    slope, optimizer = torch.tensor([[30.0, 40.0]]), torch.optim.SGD(model.parameters(), lr=1.0)
    train_epoch(model, [slope], lambda x: model(x).sum(), optimizer, optim(clip_norm=None), CPU)
    torch.testing.assert_close(model.weight, -slope)


def test_without_phases_the_model_stays_and_the_history_has_no_rows(tmp_path):
    model = nn.Linear(1, 1)
    before = model.weight.clone()
    history = fit(model, Task(batches=None, loss=None, validate=None, label="test"), [], optim(), CPU)
    assert torch.equal(model.weight, before) and not model.training
    tables.write_results(tmp_path / "history.csv", history)
    assert (tmp_path / "history.csv").read_text() == "phase,epoch,train_loss,val_loss,val_score,learning_rate\n"


@pytest.mark.parametrize("rates", [(0.1, 3e-5), (0.1, 5e-6), (1e-5, 1e-5)])
def test_cosine_annealing_by_hand(rates):
    model, epochs, used = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)]), 5, []
    optimizers = []

    def prepare():
        return [{"params": list(part.parameters()), "lr": lr} for part, lr in zip(model, rates, strict=True)]

    real = torch.optim.AdamW

    def adamw(*args, **kwargs):
        optimizers.append(real(*args, **kwargs))
        return optimizers[-1]

    def batches(_):
        used.append([group["lr"] for group in optimizers[-1].param_groups])
        return [torch.ones(1, 1)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIMIZERS, "adamw", adamw)
        task = Task(
            batches=batches,
            loss=lambda x: model[1](model[0](x)).sum(),
            validate=lambda: {"score": 0.0, "loss": 0.0},
            label="test",
        )
        plan = [Phase(name="train", epochs=epochs, prepare=prepare)]
        history = fit(model, task, plan, optim(cosine=True), CPU)
    for epoch, now in enumerate(used):
        for start, lr in zip(rates, now, strict=True):
            floor = min(start, MIN_LR)  # a rate at or below the floor stays constant
            assert lr == pytest.approx(floor + (start - floor) * (1 + math.cos(math.pi * epoch / epochs)) / 2)
    assert history.learning_rate.tolist() == pytest.approx([now[0] for now in used])


def test_constant_learning_rate_and_history_file(tmp_path):
    model = nn.Linear(1, 1)
    plan = [Phase(name="train", epochs=3, prepare=everything(model, lr=0.02))]
    task = Task(
        batches=lambda _: [torch.ones(1, 1)],
        loss=lambda x: model(x).square().sum(),
        validate=lambda: {"score": math.nan, "loss": 1 / 3},
        label="test",
    )
    history = fit(model, task, plan, optim(), CPU)
    assert history.learning_rate.tolist() == [0.02] * 3
    tables.write_results(tmp_path / "history.csv", history)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "phase,epoch,train_loss,val_loss,val_score,learning_rate"
    assert len(lines) == 4 and lines[3].startswith("train,3,") and lines[3].endswith(",0.333333,,0.020000")
