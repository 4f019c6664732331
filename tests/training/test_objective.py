"""The objective of a VA model: memory, teacher forcing, units, rows of a fold."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from drifting import WEIGHTS
from va_toys import CHOICES, SIZES, va_model

from avemotion.formats.targets import USUAL
from avemotion.models.va.model import build_va
from avemotion.training.va import objective
from avemotion.training.va.losses import VALoss
from avemotion.training.va.turn_batches import dialogue_batches, turn_dataset

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


def test_objective_carries_memory_within_a_dialogue_and_gradients_end_at_chunks(toy):
    features, rows = toy
    dataset, model = turn_dataset(features, rows, USUAL, True), va_model()
    training_loss = objective.Objective(model, VALoss(WEIGHTS, 0), CPU)
    first, second, fresh, _ = dialogue_batches(dataset, range(8), size=4, chunk=5)
    training_loss(first)
    carried = training_loss.memory
    assert not carried.state.requires_grad and carried.state.abs().max() > 0
    told = training_loss(second).item()
    training_loss(fresh)  # other dialogues: the memory must not enter
    training_loss.memory = carried
    again = training_loss(fresh).item()
    training_loss.memory = None
    assert training_loss(fresh).item() == again and training_loss(second).item() != told


@pytest.mark.parametrize("feedback", ["teacher", "scheduled", "autoregressive", "none"])
def test_how_often_the_truth_is_told(feedback):
    shares = [objective.teacher_share(feedback, epoch, 5) for epoch in range(1, 6)]
    assert shares == {"teacher": [1] * 5, "scheduled": [1, 0.75, 0.5, 0.25, 0]}.get(feedback, [0] * 5)
    assert objective.teacher_share("scheduled", 1, 1) == 1


def test_units_and_prosody_are_standardised_on_training_rows_each_target_by_itself(toy):
    features, rows = toy
    rows = rows.assign(valence=rows.valence.mask(rows.turn > 1), arousal=2.0)
    model = build_va(**SIZES | CHOICES | {"state": None})
    objective.standardize(model, turn_dataset(features, rows, USUAL, False))
    known = rows.valence.dropna().to_numpy()
    assert model.units.mean.tolist() == pytest.approx([known.mean(), 2.0], rel=1e-5)
    assert model.units.std.tolist() == pytest.approx([known.std(), 1.0], rel=1e-5)  # a constant target keeps its unit
    prosody = np.concatenate([features.get(clip, "prosody") for clip in rows.id])
    np.testing.assert_allclose(model.standardize_prosody.mean, prosody.mean(0), rtol=1e-4, atol=1e-5)


def table(**changes):
    """Two dialogues of two turns in each of four sessions."""
    rows = [
        {"id": f"s{s}d{d}t{t}", "speaker": f"s{s}{t}", "split": str(s), "dialogue": f"s{s}d{d}", "turn": t,
         "valence": 1.0 + d + t, "arousal": 2.0 + t}
        for s in range(1, 5) for d in range(2) for t in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


def test_rows_of_a_fold():
    rows = table()
    rows.loc[rows.id.isin(["s1d0t0", "s2d0t0", "s3d0t0"]), ["valence", "arousal"]] = math.nan
    for in_dialogues in (True, False):
        parts = objective.fold_rows(rows, USUAL, 1, 2, in_dialogues)
        assert [len(parts[name]) for name in ("val", "test")] == [4, 4]  # unlabelled turns are predicted
        assert ("s3d0t0" in set(parts["train"].id)) == in_dialogues and set(parts["train"].split) == {"3", "4"}
    with pytest.raises(ValueError, match=r"fold 7 has no turn to test on"):
        objective.fold_rows(rows, USUAL, 7, 2, True)
    with pytest.raises(ValueError, match=r"fold 1 has 1 val turns with valence; it needs 2"):
        objective.fold_rows(
            rows.assign(valence=rows.valence.mask((rows.split == "2") & (rows.id != "s2d1t1"))), USUAL, 1, 2, True
        )
    with pytest.raises(ValueError, match=r"fold 1 has 0 train turns with arousal"):
        objective.fold_rows(rows.assign(arousal=rows.arousal.mask(rows.split.isin(["3", "4"]))), USUAL, 1, 2, True)
