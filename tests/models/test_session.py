"""Streaming prediction, turn by turn."""

import pytest
import torch
from va_toys import turn_inputs, va_model

from avemotion.models.session import Session


def test_a_session_needs_a_model_at_rest_and_can_begin_anew():
    model, turns = va_model(), turn_inputs(3)
    session = Session(model)
    first = [session(**turn).prediction for turn in turns]
    session.reset()
    assert all(torch.equal(session(**turn).prediction, p) for turn, p in zip(turns, first, strict=True))
    assert not torch.equal(session(**turns[0]).prediction, first[0])
    with pytest.raises(ValueError, match=r"call model\.eval\(\)"):
        Session(model.train())
