"""Outputs of frozen video blocks: those of the frames, augmented or not."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from fusion_toys import CLASSES

from avemotion.datasets.frame_sequences import FrameSource
from avemotion.formats import feature_store
from avemotion.models.encoders.video_encoder import BLOCKS, VideoResNet18
from avemotion.params.training.augment import FrameAugmentParams
from avemotion.training.fusion.frozen_video import frozen_video

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


class Clips:
    """Split of four clips, as EmotionData tells it."""

    parts: ClassVar = {"train": ["a", "c"], "val": ["b"], "test": ["d"]}

    def ids(self, split):
        return self.parts[split]


def frame_source(tmp_path):
    rng = np.random.default_rng(0)
    rows = {clip: {"clean": {"frames": rng.integers(0, 256, (3, 32, 32, 3), np.uint8)}} for clip in "abcd"}
    feature_store.write(tmp_path / "frames", ["clean"], rows.items(), facts={})
    augment = FrameAugmentParams(draw=None, flip=0.5, blur=0.5, darken=0.5, noise=0.5)
    return FrameSource(feature_store.FeatureStore(tmp_path / "frames"), augment, seed=3)


@pytest.mark.parametrize("blocks", [0, 1, BLOCKS])
def test_frozen_blocks_of_augmented_views_are_those_of_augmented_frames(tmp_path, blocks):
    model, frames = VideoResNet18(CLASSES).eval(), frame_source(tmp_path)
    source = frozen_video(model, frames, Clips(), blocks, 3, CPU)
    with torch.inference_mode():
        for clip in "abcd":
            expected = model.lower(frames(clip, None)[0].unsqueeze(0), blocks).squeeze(0)
            torch.testing.assert_close(source(clip, None)[0], expected, rtol=0, atol=0)
        seen = [source("a", epoch)[0] for epoch in range(1, 13)]
        if blocks == BLOCKS:  # nothing is frozen: every epoch has frames of its own
            assert all(torch.equal(seen[epoch - 1], frames("a", epoch)[0]) for epoch in range(1, 13))
            return
        views = [model.lower(frames("a", view)[0].unsqueeze(0), blocks).squeeze(0) for view in (1, 2, 3)]
    drawn = [[torch.equal(features, view) for view in views].index(True) for features in seen]
    assert set(drawn) == {0, 1, 2}
    assert drawn == [[torch.equal(source("a", epoch)[0], view) for view in views].index(True) for epoch in range(1, 13)]


def test_without_views_training_sees_clips_as_they_are(tmp_path):
    for blocks in (1, BLOCKS):
        source = frozen_video(VideoResNet18(CLASSES), frame_source(tmp_path), Clips(), blocks, 0, CPU)
        assert all(torch.equal(source(clip, 5)[0], source(clip, None)[0]) for clip in "abcd")
