"""The training loop by itself, on models of a few weights, and the V/A objective."""

import math

import pandas as pd
import pytest
import torch
from torch import nn
from torchmetrics import ConcordanceCorrCoef

from avemotion.system import tables
from avemotion.training.common.loop import MIN_LR, OptimParams, Phase, fit, train_epoch
from avemotion.training.va import losses

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def optim(**changes):
    usual = {"batch_size": 4, "accumulate": 1, "lr": 0.1, "weight_decay": 0.01, "clip_norm": 1e9}
    return OptimParams(**usual | {"cosine": False, "patience": 99, "precision": "fp32"} | changes)


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
    history = fit(model, plan, batches, loss, validate, optim(weight_decay=0.0, patience=patience), CPU, "test")
    return model.weight.item(), history, seen, starts


def test_early_stopping_restores_the_best_weights():
    weight, history, seen, _ = scripted([(0.1, 1), (0.5, 1), (0.4, 1), (0.5, 1), (0.3, 1), (0.9, 1)], patience=3)
    assert weight == 2 and seen == [1, 2, 3, 4, 5]  # three epochs that were no better; the sixth is never reached
    assert list(history.epoch) == seen and list(history.val_score) == [0.1, 0.5, 0.4, 0.5, 0.3]


def test_the_history_so_far_can_be_watched(tmp_path):
    """After every epoch, by whoever reads the file meanwhile; nothing else changes."""
    file, seen = tmp_path / "live" / "fusion_fold_2.csv", []

    def train(curves):
        torch.manual_seed(0)
        model = nn.Linear(1, 1)

        def validate():
            seen.append(pd.read_csv(file)["epoch"].max() if file.exists() else 0)
            return {"score": model.weight.item(), "loss": 1.0}

        plan = [Phase(name="p", epochs=3, prepare=everything(model))]
        batches, loss = (lambda _: [torch.ones(1, 1)]), (lambda x: model(x).square().sum())
        return fit(model, plan, batches, loss, validate, optim(), CPU, "test", curves)

    history = train(file)
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


@pytest.mark.parametrize("rates", [(0.1, 3e-5), (0.1, 5e-6)])
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
        patch.setattr(torch.optim, "AdamW", adamw)
        history = fit(
            model,
            [Phase(name="train", epochs=epochs, prepare=prepare)],
            batches,
            lambda x: model[1](model[0](x)).sum(),
            lambda: {"score": 0.0, "loss": 0.0},
            optim(cosine=True),
            CPU,
            "test",
        )
    for epoch, now in enumerate(used):
        for start, lr in zip(rates, now, strict=True):
            floor = MIN_LR if start > MIN_LR else 0.0
            assert lr == pytest.approx(floor + (start - floor) * (1 + math.cos(math.pi * epoch / epochs)) / 2)
    assert history.learning_rate.tolist() == pytest.approx([now[0] for now in used])


def test_constant_learning_rate_and_history_file(tmp_path):
    model = nn.Linear(1, 1)
    plan = [Phase(name="train", epochs=3, prepare=everything(model, lr=0.02))]
    history = fit(model, plan, lambda _: [torch.ones(1, 1)], lambda x: model(x).square().sum(),
                  lambda: {"score": math.nan, "loss": 1 / 3}, optim(), CPU, "test")  # fmt: skip
    assert history.learning_rate.tolist() == [0.02] * 3
    tables.write_results(tmp_path / "history.csv", history)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "phase,epoch,train_loss,val_loss,val_score,learning_rate"
    assert len(lines) == 4 and lines[3].startswith("train,3,") and lines[3].endswith(",0.333333,,0.020000")


def ccc_by_hand(p, t):
    n = len(p)
    mean_p, mean_t = sum(p) / n, sum(t) / n
    covariance = sum((a - mean_p) * (b - mean_t) for a, b in zip(p, t, strict=True)) / n
    variances = sum((a - mean_p) ** 2 for a in p) / n, sum((b - mean_t) ** 2 for b in t) / n
    return 2 * covariance / (sum(variances) + (mean_p - mean_t) ** 2)


def test_ccc_by_hand_and_against_torchmetrics():
    prediction = torch.randn(30, 2, dtype=torch.float64)
    target = 0.6 * prediction + 0.5 * torch.randn(30, 2, dtype=torch.float64) + torch.tensor([0.3, -2.0])
    ours = losses.ccc(prediction, target)
    for k in range(2):
        assert ours[k].item() == pytest.approx(ccc_by_hand(prediction[:, k].tolist(), target[:, k].tolist()))
    # torchmetrics divides by n - 1. With both columns shifted to mean 0 the factor cancels and the two are equal;
    # otherwise 1/ccc - (difference of means)^2 / (2 cov) is what they share, cov differing by n/(n-1).
    theirs = ConcordanceCorrCoef(num_outputs=2)
    centred = prediction - prediction.mean(0), target - target.mean(0)
    torch.testing.assert_close(losses.ccc(*centred), theirs(*centred).double(), rtol=1e-5, atol=1e-6)
    shift = (prediction.mean(0) - target.mean(0)).square()
    covariance = (centred[0] * centred[1]).mean(0)
    expected = 1 / (1 / ours - shift / (2 * covariance) * (1 - 29 / 30))
    theirs.reset()
    torch.testing.assert_close(theirs(prediction, target).double(), expected, rtol=1e-5, atol=1e-6)
    assert (expected - ours).abs().max() > 1e-4


def test_va_loss_by_hand_and_without_unknown_targets():
    prediction, nan = torch.tensor([[1.0, 2.0], [2.0, 2.5], [4.0, 1.0], [3.0, 3.0]]), math.nan
    target = torch.tensor([[1.5, nan], [2.5, 3.0], [3.0, 1.5], [nan, 2.0]])
    v = ([1.0, 2, 4], [1.5, 2.5, 3])
    a = ([2.5, 1, 3], [3.0, 1.5, 2])
    mse_v, mse_a = (0.25 + 0.25 + 1) / 3, (0.25 + 0.25 + 1) / 3
    expected = 1 - (0.7 * ccc_by_hand(*v) + 0.2 * ccc_by_hand(*a)) + 0.1 * (mse_v + mse_a)
    prediction.requires_grad_(True)
    loss = losses.va_loss(prediction, target, valence=0.7, arousal=0.2, mse=0.1)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert prediction.grad.isfinite().all()
    unknown = target.isnan()
    assert not prediction.grad[unknown].any() and prediction.grad[~unknown].all()
    only = losses.va_loss(prediction, torch.full((4, 2), nan), valence=0.5, arousal=0.5, mse=0.1)
    assert only.item() == 1.0


def test_gradient_of_the_va_loss_against_finite_differences():
    prediction = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 2, dtype=torch.float64)
    target[2, 0] = math.nan
    assert torch.autograd.gradcheck(lambda p: losses.va_loss(p, target, valence=0.6, arousal=0.4, mse=0.1), prediction)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("rows", [1, 5])
def test_constant_targets_and_predictions_give_no_nan(same, rows):
    prediction = torch.full((rows, 2), 3.0, requires_grad=True)
    loss = losses.va_loss(prediction, torch.full((rows, 2), 3.0 if same else 2.0), valence=0.5, arousal=0.5, mse=0.1)
    loss.backward()
    assert loss.isfinite() and prediction.grad.isfinite().all()
    assert loss.item() == pytest.approx(1.0 if same else 1.2)  # CCC 0; MSE 0 or 1 each
