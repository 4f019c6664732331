"""Curves of a training in progress."""

import sys

import pandas as pd
import pytest

from avemotion.training.common.live_curves import LiveCurves

ROW = {"phase": "train", "epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "val_score": 0.5, "learning_rate": 0.1}
HISTORY = pd.DataFrame([ROW, ROW | {"epoch": 2, "train_loss": 0.25, "val_score": 0.75}])


def test_curves_that_cannot_be_written_do_not_end_a_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where the folder should be")
    LiveCurves("fusion").write(HISTORY)
    assert "training continues without these curves" in capsys.readouterr().err


def test_tensorboard_reads_the_curves_of_the_last_training(tmp_path, monkeypatch):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    )
    monkeypatch.chdir(tmp_path)
    for epochs in (2, 1, 2):  # the curves of earlier trainings are gone
        curves = LiveCurves("va", "fold_2", tensorboard=True)
        for epoch in range(1, epochs + 1):
            curves.write(HISTORY.head(epoch))
        folder = tmp_path / "data/live/tensorboard/va_fold_2"
        events = reader.EventAccumulator(str(folder)).Reload()
        assert set(events.Tags()["scalars"]) == {"train_loss", "val_loss", "val_score", "learning_rate"}
        assert [(point.step, point.value) for point in events.Scalars("val_score")] == [(1, 0.5), (2, 0.75)][:epochs]


def test_without_tensorboard_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"compute.tensorboard is true, but .*uv sync --extra tensorboard"):
        LiveCurves("va", tensorboard=True)
