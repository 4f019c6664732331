"""The video model over an image encoder's cached output: its start, frozen and open blocks, clips without picture."""

from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import vision_toys

from avemotion.datasets.memory_store import MemoryStore
from avemotion.datasets.vision_rows import video_source
from avemotion.models.encoders.video_models import build_video
from avemotion.models.vision import backbones
from avemotion.models.vision.picture_encoder import PictureEncoder
from avemotion.training import video_start
from avemotion.training.common import freeze
from avemotion.training.fusion.frozen_video import frozen_video

pytestmark = pytest.mark.usefixtures("set_up")
CPU, CLIPS, FRAMES = torch.device("cpu"), "abcdefgh", 3


class Parts:
    """Split of the clips, as EmotionData tells it."""

    parts: ClassVar = {"train": list("abcdef"), "val": ["g"], "test": ["h"]}

    def ids(self, split):
        return self.parts[split]


def cached(encoder: PictureEncoder, layers: int) -> MemoryStore:
    """States of random pictures by clip."""
    pictures = np.random.default_rng(1).integers(0, 256, (len(CLIPS), FRAMES, 40, 40, 3), np.uint8)
    with torch.inference_mode():
        rows = {c: encoder.entering(encoder.pictures(p), layers) for c, p in zip(CLIPS, pictures, strict=True)}
    return MemoryStore({clip: {"clean": {"rows": of.numpy()}} for clip, of in rows.items()}, {})


@pytest.fixture
def folder(tmp_path) -> str:
    return str(vision_toys.publish(vision_toys.make("siglip_vision_model"), tmp_path / "model"))


def test_it_starts_from_the_published_blocks_and_the_statistics_of_training(folder):
    encoder = backbones.load(folder)
    store = cached(encoder, 2)
    model = build_video(2, {"encoder": "vision", "model": folder, "layers": 2, "dim": 32, "pooling": "mean"})
    source = video_source(model, {"vision": store})
    training = [source(clip, None) for clip in "abcdef"]
    video_start.start_vision(model, training)
    for key, value in encoder.top(2).state_dict().items():
        torch.testing.assert_close(model.top.state_dict()[key], value, rtol=0, atol=0)
    with torch.no_grad():
        rows = torch.stack([row for row, _ in training])
        frames, whole = model.frame_embeddings(rows).flatten(0, 1), encoder.top(2)(rows.flatten(0, 1))
    torch.testing.assert_close(frames.mean(0), torch.zeros(32), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames, (whole - whole.mean(0)) / whole.std(0, correction=0), rtol=1e-4, atol=1e-4)
    assert video_start.cached_blocks(model) + sum(p.numel() for p in model.top.parameters()) == sum(
        p.numel() for p in encoder.model.parameters()
    )


@pytest.mark.parametrize("open_blocks", [0, 1, 2])
def test_open_blocks_learn_from_frozen_ones_that_are_computed_once(folder, open_blocks):
    torch.manual_seed(0)
    store = cached(backbones.load(folder), 2)
    model = build_video(2, {"encoder": "vision", "model": folder, "layers": 2, "dim": 32, "pooling": "mean"})
    source = video_source(model, {"vision": store})
    video_start.start_vision(model, [source(clip, None) for clip in "abcdef"])
    rows = torch.stack([source(clip, None)[0] for clip in CLIPS])
    mask, truth = torch.ones(len(CLIPS), FRAMES, dtype=torch.bool), torch.arange(len(CLIPS)) % 2
    with torch.no_grad():
        expected = model.eval().encode(rows, mask)
    frozen = frozen_video(model, source, Parts(), open_blocks, views=0, device=CPU)
    rows = torch.stack([frozen(clip, 5)[0] for clip in CLIPS])
    with torch.no_grad():
        torch.testing.assert_close(model.encode(rows, mask), expected, rtol=1e-5, atol=1e-5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    opened = [*model.last_parameters(open_blocks), *model.classifier.parameters()]
    freeze.train_only(model, opened)
    optimizer = torch.optim.Adam(opened, lr=3e-3)
    for _ in range(40):
        freeze.train_mode(model)
        loss = F.cross_entropy(model(rows, mask), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    numbers = {name.split(".")[2] for name in moved if name.startswith("top.blocks.")}
    assert numbers == [set(), {"3"}, {"2", "3"}][open_blocks]
    assert any(name.startswith("top.head.") for name in moved) == bool(open_blocks)
    assert "classifier.weight" in moved and "normalize_frames.mean" not in moved
    if open_blocks:
        assert (model.eval()(rows, mask).argmax(-1) == truth).all()


@pytest.mark.parametrize("layers", [0, 1, 5])
@pytest.mark.parametrize("name", ["siglip", "torchvision:resnet18", "torchvision:convnext_tiny"])
def test_where_no_clip_has_a_picture_a_row_of_a_known_shape_stands_in(folder, name, layers):
    """As for a new recording of sound alone."""
    name = folder if name == "siglip" else name
    layers = min(layers, 4) if name == folder else layers
    dim = {folder: 32, "torchvision:resnet18": 512, "torchvision:convnext_tiny": 768}[name]
    model = build_video(2, {"encoder": "vision", "model": name, "layers": layers, "dim": dim, "pooling": "mean"}).eval()
    rows, real = video_source(model, {"vision": MemoryStore({"a": None}, {})})("a", None)
    with torch.no_grad():
        logits = model(rows[None], torch.zeros(1, 1, dtype=torch.bool))
    assert real == 0 and logits.isfinite().all()
    torch.testing.assert_close(logits[0], model.classifier.bias)


def test_a_clip_without_picture_beside_others_has_their_shape(folder):
    encoder = backbones.load(folder)
    store = cached(encoder, 1).joined(MemoryStore({"z": None}, {}))
    model = build_video(2, {"encoder": "vision", "model": folder, "layers": 1, "dim": 32, "pooling": "mean"})
    source = video_source(model, {"vision": store})
    assert source("z", 1)[0].shape == (1, 16, 32) and source("z", 1)[1] == 0 and source("a", 1)[1] == FRAMES
