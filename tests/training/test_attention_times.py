"""Times of the audio steps in attention maps: on the clip's clock, for any stride of the encoder and any padding."""

import math

import pytest
import torch
from fusion_toys import clip, fusion

from avemotion.datasets.clip_batches import collate
from avemotion.datasets.memory_store import MemoryStore
from avemotion.training.fusion.fusion_exports import attention_maps

pytestmark = pytest.mark.usefixtures("seeded")
FRAMES = {f"clip{i}": {"clean": {"times": torch.arange(2).numpy()}} for i in range(3)}


def maps(encoder, lengths, start=0.0, **options):
    batch = collate([clip(i, length, 2, encoder) for i, length in enumerate(lengths)])
    output = fusion("xattn_gated", encoder, **options)(*batch.inputs)
    return attention_maps(batch, output, lambda clip: (start, 0.01), MemoryStore(FRAMES, {}))


@pytest.mark.parametrize("lengths", [(61, 40, 9), (61,), (40,), (9,)])
def test_steps_of_eight_frames(lengths):
    """A step covers frames 8 i to 8 i + 7, so its time does not depend on the batch; trimming moves the clock."""
    found = maps("resnet_asp", lengths, start=0.7)
    for i, length in enumerate(lengths):
        steps = math.ceil(length / 8)
        times = found[f"clip{i}/audio_times"]
        torch.testing.assert_close(times, 0.7 + (torch.arange(steps) + 0.5) * 0.08)
        weights = found[f"clip{i}/video_to_audio"]
        assert weights.shape == (2, steps)
        torch.testing.assert_close(weights.sum(1), torch.ones(2))


def test_steps_of_one_frame():
    for encoder, options in (("wavlm", {}), ("resnet_asp", {"audio_path": "conv"})):
        times = maps(encoder, (13, 6), **options)["clip1/audio_times"]
        torch.testing.assert_close(times, (torch.arange(6) + 0.5) * 0.01)


def test_an_encoder_of_one_length_divides_it_evenly():
    times = maps("plain18", (301, 301))["clip0/audio_times"]
    torch.testing.assert_close(times, (torch.arange(10) + 0.5) * 0.301)
