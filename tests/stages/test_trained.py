"""What the training stages leave of clips without sound, and under harder conditions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from trained_project import CLASSES, main, rows

from avemotion.formats import clips
from stages import features, va

pytestmark = pytest.mark.usefixtures("trained_here")


def test_conditions_of_the_test_clips():
    table = pd.read_csv("data/models/fusion/conditions.csv")
    assert list(table["id"].unique()) == ["c1", "c2"]
    assert list(table["condition"][:4]) == ["audio_only", "video_only", "snr_10", "snr_0"]
    shares = table[[f"p_{name}" for name in CLASSES]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert list(table["predicted"]) == [CLASSES[i] for i in shares.to_numpy().argmax(1)]
    one = table[table["id"] == "c1"]
    assert one["p_angry"].nunique() == 4  # no two conditions are the same to the model


def test_a_turn_without_sound_is_left_out_of_training_and_said(own, capsys):
    media = clips.read("affect")
    clips.write("affect", [replace(clip, audio=None) if clip.id == "c2" else clip for clip in media])
    main(features, "wavlm", "prosody", "speaker", "--role", "affect")
    main(va)
    assert "1 of 6 turns have no sound, so no valence and arousal: c2" in capsys.readouterr().out
    told = rows("va/fold_3/predictions.csv")
    assert told.valence_predicted.isna().to_dict() == {"a1": False, "a2": False, "c1": False, "c2": True}
    clips.write("affect", [replace(clip, audio=None) for clip in media])
    main(features, "wavlm", "prosody", "speaker", "--role", "affect")
    with pytest.raises(ValueError, match="no turn has sound for speech, prosody, speaker, fused; give recordings"):
        main(va)
