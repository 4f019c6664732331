"""A trained VA model adapted to single speakers."""

import pytest
import torch
from drifting import WEIGHTS
from torchmetrics.functional import concordance_corrcoef
from va_toys import va_model

from avemotion.formats.targets import USUAL
from avemotion.prediction import speaker_adaptation
from avemotion.training.va import objective
from avemotion.training.va.losses import va_loss
from avemotion.training.va.turn_batches import turn_dataset

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


def test_personalisation_moves_film_alone_and_scores_later_turns(toy):
    features, rows = toy
    session, model = rows[rows.split == "1"], va_model()
    how = speaker_adaptation.Adaptation(turns=6, steps=10, lr=3e-3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = speaker_adaptation.personalise(model, features, session, how, WEIGHTS)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [row["speaker"] for row in found] == ["s00", "s01"]
    for row in found:
        assert (row["learned"], row["scored"]) == (6, 10)  # 16 turns a speaker in four dialogues
    own = session[session.speaker == "s00"].sort_values(["dialogue", "turn"])
    heard = turn_dataset(features, session[session.dialogue.isin(own.dialogue[:6])], USUAL, True)
    positions = [heard.ids.index(turn) for turn in own.id[:6]]
    personal = speaker_adaptation.adapt(model, heard, positions, how, WEIGHTS)
    moved = {name for name, value in personal.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("film.") for name in moved)
    with torch.inference_mode():
        losses = []
        for kind in (model, personal):
            prediction, target = objective.predictions(kind, heard, speaker_adaptation.BATCHING, CPU)
            losses.append(va_loss(prediction[positions], target[positions], WEIGHTS).item())
        scored = turn_dataset(features, session[session.dialogue.isin(own.dialogue[6:])], USUAL, True)
        prediction, target = objective.predictions(personal, scored, speaker_adaptation.BATCHING, CPU)
    assert losses[1] < losses[0]
    keep = [scored.ids.index(turn) for turn in own.id[6:]]
    known = concordance_corrcoef((prediction[keep, 0] - 3).double(), (target[keep, 0] - 3).double())
    assert found[0]["valence_after"] == pytest.approx(known.item(), abs=0.1)  # torchmetrics divides by n - 1
    again = speaker_adaptation.personalise(model, features, session, how, WEIGHTS)
    assert again == found
    alone = speaker_adaptation.personalise(
        va_model(state=None), features, session, how, WEIGHTS
    )  # without any dialogue
    assert [(row["speaker"], row["scored"]) for row in alone] == [("s00", 10), ("s01", 10)]


def test_personalisation_refuses_what_it_cannot_do(toy, capsys):
    features, rows = toy
    session = rows[rows.split == "1"]
    how = speaker_adaptation.Adaptation(turns=15, steps=1, lr=1e-3)
    with pytest.raises(ValueError, match=r"no speaker of fold 1 has 17 labelled turns; train on fewer"):
        speaker_adaptation.personalise(va_model(), features, session, how, WEIGHTS)
    assert "speaker s00: 16 labelled turns, 17 are needed; left out" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no FiLM to adapt"):
        speaker_adaptation.personalise(va_model(film="none"), features, session, how, WEIGHTS)
