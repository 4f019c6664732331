"""A training that is interrupted goes on from its last epoch and ends with the same weights and the same history."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from avemotion.params.training.optimizer import OptimParams
from avemotion.training.common import resume
from avemotion.training.common.loop import Phase, Task, fit
from avemotion.training.common.resume import Progress, Resume
from avemotion.training.va.losses import VALoss, Weights, va_loss
from avemotion.training.va.objective import Objective

CPU = torch.device("cpu")
USUAL = {"batch_size": 4, "accumulate": 1, "optimizer": "adamw", "lr": 0.1, "weight_decay": 0.01, "clip_norm": 1.0}
USUAL |= {"decay_all": False, "cosine": True, "warmup": 0.0, "ema": 0.0, "select": "best", "patience": 99}
SETTINGS = {
    "usual": {},
    "average": {"ema": 0.8, "warmup": 0.4, "select": "last"},
    "adam": {"optimizer": "adam", "accumulate": 2, "decay_all": True, "cosine": False},
    "early": {"patience": 2},
}
SCORES = [0.1, 0.4, 0.3, 0.2, 0.25, 0.5, 0.45, 0.1, 0.1, 0.1]  # by epoch; patience 2 ends phase one after epoch 4


class Drift:
    """A loss that depends on all batches before."""

    def __init__(self) -> None:
        self.mean = torch.zeros(())

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"mean": self.mean}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.mean = state_dict["mean"]

    def __call__(self, output: torch.Tensor) -> torch.Tensor:
        loss = (output - self.mean).square().mean()
        self.mean = 0.9 * self.mean + 0.1 * output.detach().mean() + 0.1
        return loss


def trained(tmp_path, changes, dies_in=None, kept=True, draws=0):
    """(weights, history, epochs) of a model with dropout and batch statistics, in two phases; draws: its seed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    torch.manual_seed(draws)
    drift, epochs = Drift(), []

    def batches(epoch):
        epochs.append(epoch)
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(3):
            if epoch == dies_in:
                raise KeyboardInterrupt
            yield torch.randn(4, 3, generator=generator)

    def validate():
        return {"score": SCORES[epochs[-1] - 1], "loss": model(torch.ones(4, 3)).square().mean().item()}

    task = Task(
        batches=batches,
        loss=lambda batch: drift(model(batch)),
        validate=validate,
        label="test",
        resume=Resume(tmp_path / "state.epoch", CPU) if kept else None,
        memory=drift,
    )
    parts = [list(model[3].parameters()), list(model.parameters())]
    phases = [
        Phase(name=f"p{i}", epochs=5, prepare=lambda own=own: [{"params": own, "lr": 0.05}])
        for i, own in enumerate(parts)
    ]
    params = OptimParams(**USUAL | {"precision": "fp32"} | changes)
    history = fit(model, task, phases, params, CPU)
    return model.state_dict(), history, epochs


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("dies_in", [2, 5, 6, 8])
def test_the_same_weights_and_history_as_without_a_break(tmp_path, monkeypatch, changes, dies_in):
    monkeypatch.setattr(resume, "SECONDS", 0.0)
    expected, history, epochs = trained(tmp_path, changes, kept=False)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, changes, dies_in)
    weights, resumed, more = trained(tmp_path, changes, draws=1)
    assert more == list(range(dies_in, len(epochs) + 1))
    pd.testing.assert_frame_equal(resumed, history, check_exact=True)
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_a_phase_that_ended_early_is_not_trained_further(tmp_path, monkeypatch):
    """Killed after the write of the last epoch of phase one, before phase two."""
    monkeypatch.setattr(resume, "SECONDS", 0.0)
    _, history, epochs = trained(tmp_path, SETTINGS["early"], kept=False)
    assert list(history["phase"][:5]) == ["p0"] * 4 + ["p1"] and epochs[-1] < 10
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, SETTINGS["early"], dies_in=5)
    assert trained(tmp_path, SETTINGS["early"])[2] == epochs[4:]


def test_a_damaged_file_is_named_and_training_starts_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(resume, "SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, {}, dies_in=4)
    file = tmp_path / "state.epoch"
    file.write_bytes(file.read_bytes()[:-500])
    assert trained(tmp_path, {})[2] == list(range(1, 11))
    assert "state.epoch: not readable" in capsys.readouterr().err


def test_a_short_training_writes_nothing(tmp_path):
    trained(tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_does_not_stop_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(resume, "SECONDS", 0.0)

    def full(state, file):
        file.write_bytes(b"half")
        raise RuntimeError("file write failed")

    monkeypatch.setattr(torch, "save", full)
    assert trained(tmp_path, {})[2] == list(range(1, 11))
    assert "after a kill this training would start anew" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_file_executes_no_code(tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"progress": {"best_state": Evil()}}, tmp_path / "state.epoch")
    assert Resume(tmp_path / "state.epoch", CPU).read() is None
    assert not (tmp_path / "ran").exists() and "not readable" in capsys.readouterr().err


def test_earlier_turns_in_the_loss_of_va_are_kept(tmp_path):
    """The next batch has the loss over itself and the two batches before, also after a break."""
    weights, rows = Weights(ccc=[0.5, 0.5], mse=0.1), torch.randn(4, 5, 2)
    before = Objective(nn.Identity(), VALoss(weights, 2), CPU)
    for part in rows[:3]:
        before.loss(part, part.flip(0))
    writer, file = Progress(best_state={}), Resume(tmp_path / "state.epoch", CPU)
    file._last = -math.inf
    file.write(writer, {"memory": before})
    after, reader = Objective(nn.Identity(), VALoss(weights, 2), CPU), Resume(tmp_path / "state.epoch", CPU)
    assert reader.read() == writer
    reader.restore({"memory": after})
    expected = va_loss(torch.cat([*rows[1:3], rows[3]]), torch.cat([part.flip(0) for part in rows[1:]]), weights)
    assert after.loss(rows[3], rows[3].flip(0)) == expected
