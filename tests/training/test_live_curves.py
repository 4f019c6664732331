"""Curves of a training in progress."""

import pandas as pd

from avemotion.training.common import live_curves


def test_curves_that_cannot_be_written_do_not_end_a_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").write_text("a file where the folder should be")
    row = {"phase": "train", "epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "val_score": 0.5, "learning_rate": 0.1}
    live_curves.write(live_curves.path("fusion"), pd.DataFrame([row]))
    assert "training continues without these curves" in capsys.readouterr().err
