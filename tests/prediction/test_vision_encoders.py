"""A pretrained image encoder through the chain: features, fusion, va, predict."""

from pathlib import Path

import numpy as np
import pytest
import trained_project
import vision_toys
from trained_project import calibrated, rows

import avemotion


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("facial_expression", {}),
        (
            "siglip",
            {
                "vision.unfreeze_layers": 2,
                "fusion.video_blocks": 1,
                "fusion.video_lr": 1e-3,
                "video.temporal": "transformer",
                "video.pooling": "attention",
            },
        ),
    ],
)
@pytest.mark.slow
def test_predictions_are_those_of_the_trained_models(tmp_path, monkeypatch, name, changes):
    vision_toys.publish(vision_toys.make(name), tmp_path / "weights")
    changes = {"video.encoder": "vision", "vision.model": "weights", "features.vision.dtype": "float32"} | changes
    monkeypatch.setattr(trained_project, "CHANGES", trained_project.CHANGES | changes)
    monkeypatch.setattr(trained_project, "KINDS", ("wavlm", "frames", "vision", "prosody", "speaker"))
    monkeypatch.chdir(trained_project.build(tmp_path))
    expected = rows("fusion/predictions.csv")
    for clip in ("c1", "c2"):
        found = avemotion.load().predict(Path(f"{clip}.mov"))
        shares = [float(expected.loc[clip, f"p_{label}"]) for label in trained_project.CLASSES]
        np.testing.assert_allclose(found.emotion[0], calibrated(shares), atol=1e-3)
    sound = avemotion.load().predict(Path("corpus/c1.wav"))
    assert np.isfinite(sound.emotion).all()
