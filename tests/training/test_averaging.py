"""Warm-up, moving averages of weights, the last epoch, and weights that do not decay: by hand and against torch."""

import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from avemotion.params.training.optimizer import OptimParams
from avemotion.training.common.loop import Phase, Task, fit
from avemotion.training.common.schedules import MIN_LR, schedule, sparing
from avemotion.training.common.weight_average import WeightAverage

pytestmark = pytest.mark.usefixtures("seeded")
CPU = torch.device("cpu")


def optim(**changes):
    usual = {"batch_size": 4, "accumulate": 1, "optimizer": "adamw", "lr": 0.1, "weight_decay": 0.0, "clip_norm": None}
    usual |= {"decay_all": True, "cosine": False, "warmup": 0.0, "ema": 0.0, "select": "last", "patience": 1}
    return OptimParams(**usual | {"precision": "fp32"} | changes)


def rates(lr, epochs, warmup, cosine):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    plan, used = schedule(optimizer, epochs, warmup, cosine), []
    for _ in range(epochs):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    return used


def test_one_cycle_is_torchs_at_its_start_and_its_peak_and_ends_near_the_floor():
    used = rates(0.2, 40, 0.25, cosine=True)
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        theirs, 0.2, total_steps=41, pct_start=11 / 41, final_div_factor=0.2 / 25 / MIN_LR, cycle_momentum=False
    )
    for epoch, rate in enumerate(used):
        assert rate == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-6), epoch
        theirs.step()
        reference.step()
    assert used[10] == max(used) == pytest.approx(0.2)


@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 0), (0.01, 1), (0.25, 3), (0.9, 9)])
def test_warmup_alone_rises_for_its_share_of_the_epochs_and_stays(warmup, rising):
    used = rates(0.5, 10, warmup, cosine=False)
    by_hand = [0.5 - 0.5 * (1 - 1 / 25) * (1 + math.cos(math.pi * epoch / rising)) / 2 for epoch in range(rising)]
    assert used == pytest.approx(by_hand + [0.5] * (10 - rising))


def test_only_weights_of_two_dimensions_decay():
    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.BatchNorm1d(3))
    [decaying, rest] = sparing([{"params": list(model.parameters()), "lr": 0.3}])
    assert [p.shape for p in decaying["params"]] == [(3, 2, 1)] and "weight_decay" not in decaying
    assert len(rest["params"]) == 3 and rest["weight_decay"] == 0 and rest["lr"] == decaying["lr"] == 0.3
    assert sparing([{"params": [model[1].bias], "lr": 1.0}]) == [
        {"params": [model[1].bias], "lr": 1.0, "weight_decay": 0.0}
    ]


@pytest.mark.parametrize("decay_all", [True, False])
def test_without_a_gradient_a_step_multiplies_what_decays(decay_all):
    model = nn.Linear(2, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    task = task_of(model, lambda x: 0.0 * model(x).sum())
    params = optim(weight_decay=0.5, decay_all=decay_all)
    fit(model, task, [Phase(name="p", epochs=1, prepare=groups(model))], params, CPU)
    torch.testing.assert_close(model.weight, before["weight"] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(model.bias, before["bias"] * (1 - 0.1 * 0.5 if decay_all else 1.0))


def groups(model):
    return lambda: [{"params": list(model.parameters()), "lr": 0.1}]


def task_of(model, loss, batches=1, scores=None):
    validate = lambda: {"score": next(scores) if scores else 0.0, "loss": 1.0}  # noqa: E731
    given = [torch.randn(4, 2) for _ in range(batches)]
    return Task(batches=lambda _: given, loss=loss, validate=validate, label="test")


def test_the_average_is_torchs_once_the_decay_is_constant():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average, decay = WeightAverage(model, 0.6), 0.6
    for update in range(1, 40):
        for value in model.state_dict().values():
            value.add_(torch.randn(value.shape).to(value.dtype) * 2 if value.is_floating_point() else 1)
        by_hand = {name: value.clone() for name, value in average.average.items()}
        average.update()
        rate = min(decay, update / (update + 9))
        for name, value in model.state_dict().items():
            expected = rate * by_hand[name] + (1 - rate) * value if value.is_floating_point() else value
            torch.testing.assert_close(average.average[name], expected)
        if update == 14:  # from here on 0.6
            reference = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
            reference.module.load_state_dict(average.average)
            reference.n_averaged += 1
        elif update > 14:
            reference.update_parameters(model)
    for name, value in reference.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(average.average[name], value)


def test_the_average_is_evaluated_and_then_gives_way_to_the_present_weights():
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, 0.9)
    before = model.weight.item()
    model.weight.data += 1
    with average.evaluated():
        assert model.weight.item() == before
    assert model.weight.item() == pytest.approx(before + 1)


@pytest.mark.parametrize("select", ["best", "last"])
def test_a_training_keeps_the_average_of_the_epoch_that_it_selects(select):
    """Each step adds 1 to a weight; an epoch has three steps; the second is the best, and patience ends after it."""
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)

    def loss(x):
        model.weight.data += 1
        return 0.0 * model(x).sum()

    task = task_of(model, loss, batches=3, scores=iter([0.1, 0.5, 0.2, 0.3]))
    params = optim(ema=0.5, select=select, patience=1)
    history = fit(model, task, [Phase(name="p", epochs=4, prepare=groups(model))], params, CPU)
    averages, value = [], 0.0
    for step in range(1, 13):
        decay = min(0.5, step / (step + 9))
        value = decay * value + (1 - decay) * step
        averages.append(value)
    expected, epochs = (averages[5], 3) if select == "best" else (averages[11], 4)
    assert len(history) == epochs and model.weight[0].tolist() == pytest.approx([expected] * 2)


def test_without_an_average_the_last_epoch_is_the_last_step():
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)

    def loss(x):
        model.weight.data += 1
        return 0.0 * model(x).sum()

    task = task_of(model, loss, scores=iter([0.9, 0.5, math.nan]))
    fit(model, task, [Phase(name="p", epochs=3, prepare=groups(model))], optim(), CPU)
    assert model.weight[0].tolist() == [3, 3]
