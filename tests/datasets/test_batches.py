"""From the feature cache to batches: padding, order, and augmentation seeded by clip and epoch."""

import math

import numpy as np
import pytest
import torch

from avemotion.datasets.audio_features import AudioSource, crop, draw_view, spec_augment, warp
from avemotion.datasets.clip_batches import (
    ClipDataset,
    EpochSampler,
    LengthSampler,
    collate,
    evaluation_batches,
    pad,
    training_batches,
)
from avemotion.datasets.frame_sequences import FrameSource
from avemotion.formats import feature_store
from avemotion.params.training.augment import AudioAugmentParams, FrameAugmentParams, SpecAugmentParams, WarpParams
from avemotion.training.va.turn_batches import TurnDataset, collate_turns

LENGTHS = {"a": 5, "b": 3, "c": None, "d": 4, "e": 1, "f": 2, "g": 6}  # c has neither sound nor picture
VIEWS = ["clean", "snr_10"]
MASKS = SpecAugmentParams(p=1.0, masks=1, freq=6, time=9)
NO_WARP = WarpParams(scale=0.0, shift=0.0, tempo=0.0)
HEARD = AudioAugmentParams(views={"clean": 1, "snr_10": 1}, warp=NO_WARP, crop=None, spec_augment=MASKS)
SEEN = FrameAugmentParams(draw=2, flip=0.5, blur=0.5, darken=0.5, noise=0.5)


def write(folder, make, views=("clean",)):
    """A feature store with make(length, view, rng) -> arrays for every clip."""
    rng = np.random.default_rng(0)
    clips = [
        (clip, None if length is None else {view: make(length, view, rng) for view in views})
        for clip, length in LENGTHS.items()
    ]
    feature_store.write(folder, list(views), clips, {"hop_seconds": 0.02})
    return feature_store.FeatureStore(folder)


@pytest.fixture
def wavlm(tmp_path):
    def states(n, view, rng):
        return {name: rng.standard_normal((n, 8)).astype(np.float16) for name in ("last", "boundary")}

    return write(tmp_path / "wavlm", states, VIEWS)


@pytest.fixture
def mel(tmp_path):
    def log_mel(n, view, rng):
        log_mel = rng.uniform(-80, 0, (30, 16)).astype(np.float16)
        return {"mel": log_mel, "length": np.array([4 * n], np.int32), "start": np.array([n / 10], np.float32)}

    return write(tmp_path / "mel", log_mel, VIEWS)


@pytest.fixture
def frames(tmp_path):
    def pictures(n, view, rng):
        return {"frames": rng.integers(0, 256, (min(n, 3), 12, 10, 3), np.uint8)}

    return write(tmp_path / "frames", pictures)


def equal(first, second):
    return first.ids == second.ids and all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("audio", "audio_mask", "video", "video_mask", "target")
    )


def test_pad_and_collate():
    items = [
        ("x", (torch.ones(3, 2), 2), (torch.full((1, 3, 4, 4), 0.5), 1), torch.tensor(7)),
        ("y", (2 * torch.ones(1, 2), 1), (torch.ones(2, 3, 4, 4), 0), torch.tensor(8)),
    ]
    batch = collate(items)
    assert batch.ids == ["x", "y"] and batch.target.tolist() == [7, 8]
    assert batch.audio[..., 0].tolist() == [[1, 1, 1], [2, 0, 0]]
    assert batch.audio_mask.tolist() == [[True, True, False], [True, False, False]]  # True = real
    assert batch.video.shape == (2, 2, 3, 4, 4) and not batch.video[0, 1].any()
    assert batch.video_mask.tolist() == [[True, False], [False, False]]
    assert [
        x is y
        for x, y in zip(batch.inputs, (batch.audio, batch.audio_mask, batch.video, batch.video_mask), strict=True)
    ] == [True] * 4
    whole, mask = pad([(torch.ones(2, 1), 2)])
    assert mask.all() and whole.shape == (1, 2, 1)


@pytest.mark.parametrize("array", ["boundary", "last"])
def test_audio_source_of_hidden_states(wavlm, array):
    source = AudioSource(wavlm, array, HEARD, seed=3)
    heard = set()
    for clip, length in LENGTHS.items():
        features, real = source(clip, None)
        assert features.dtype == torch.float32 and real == (length or 0)
        if length is None:
            assert features.shape == (1, 8) and not features.any() and source(clip, 1)[1] == 0
            continue
        np.testing.assert_array_equal(features, wavlm.get(clip, array).astype(np.float32))
        for epoch in (1, 2, 3):
            view = draw_view(HEARD.views, clip, epoch, 3)
            np.testing.assert_array_equal(source(clip, epoch)[0], wavlm.get(clip, array, view).astype(np.float32))
            heard.add(view)
    assert heard == set(VIEWS)


def test_audio_source_of_mel(mel):
    source = AudioSource(mel, "mel", HEARD, seed=3)
    for clip, length in LENGTHS.items():
        features, real = source(clip, None)
        assert real == 4 * (length or 0)
        if length is not None:
            np.testing.assert_array_equal(features, mel.get(clip, "mel").astype(np.float32))
            view = draw_view(HEARD.views, clip, 5, 3)
            original = torch.from_numpy(mel.get(clip, "mel", view).astype(np.float32))
            assert torch.equal(source(clip, 5)[0], spec_augment(original, MASKS, clip, 5, 3))
    with pytest.raises(
        ValueError, match=r"augment\.audio\.views names snr_5, but the cache holds clean, snr_10; add the SNR"
    ):
        AudioSource(mel, "mel", AudioAugmentParams(views={"snr_5": 1.0}, warp=NO_WARP, crop=None, spec_augment=MASKS))


def test_an_encoder_of_any_length_trains_on_the_real_part_warped_and_cropped(mel):
    fast, cut = WarpParams(scale=0.1, shift=0.1, tempo=0.2), 9
    augment = AudioAugmentParams(views={}, warp=fast, crop=cut, spec_augment=MASKS)
    source, fixed = AudioSource(mel, "mel", augment, 3, any_length=True), AudioSource(mel, "mel", augment, 3)
    for clip, length in LENGTHS.items():
        assert (
            source(clip, None)[1] == fixed(clip, 1)[1] == 4 * (length or 0)
        )  # evaluation, or an encoder of one length
        if length is None:
            continue
        original = torch.from_numpy(mel.get(clip, "mel").astype(np.float32))
        expected = crop(warp(original[: 4 * length], fast, clip, 1, 3), cut, clip, 1, 3)
        features, real = source(clip, 1)
        assert real == len(features) <= cut and torch.equal(features, spec_augment(expected, MASKS, clip, 1, 3))
        assert torch.equal(fixed(clip, 1)[0], spec_augment(original, MASKS, clip, 1, 3))
        assert source.clock(clip) == (pytest.approx(length / 10), 0.02)
    assert source.clock("c") == (0.0, 0.02)


def test_frame_source(frames):
    source = FrameSource(frames)
    assert [FrameSource(frames, SEEN)(clip, 1)[1] for clip in LENGTHS] == [2, 2, 0, 2, 1, 2, 2]  # two are drawn
    for clip, length in LENGTHS.items():
        pixels, real = source(clip, 1)
        if length is None:
            assert real == 0 and pixels.shape == (1, 3, 12, 10) and not pixels.any()
            continue
        assert real == len(pixels) == min(length, 3)
        stored = frames.get(clip, "frames")
        for channel, row, column in ((0, 0, 0), (2, 11, 9), (1, 3, 7)):
            assert pixels[-1, channel, row, column].item() == pytest.approx(stored[-1, row, column, channel] / 255)


def test_missing_modalities_have_no_real_steps(wavlm, frames):
    ids = list(LENGTHS)
    both = ClipDataset(ids, torch.arange(len(ids)), AudioSource(wavlm, "boundary"), FrameSource(frames))
    batch = collate([both[None, i] for i in range(len(ids))])
    assert batch.audio_mask.sum(1).tolist() == [length or 0 for length in LENGTHS.values()]
    assert batch.video_mask.sum(1).tolist() == [min(length or 0, 3) for length in LENGTHS.values()]
    blind = collate([ClipDataset(ids, torch.arange(len(ids)), both.audio, None)[None, 0]])
    assert blind.audio_mask.all() and not blind.video_mask.any()
    seen = {clip: (torch.ones(2, 5), 1) for clip in ids}
    deaf = collate([ClipDataset(ids, torch.arange(len(ids)), None, lambda clip, epoch: seen[clip])[1, 0]])
    assert not deaf.audio_mask.any() and deaf.video_mask.tolist() == [[True, False]]


def test_evaluation_goes_through_all_clips_in_order_without_augmentation(wavlm, frames):
    ids = list(LENGTHS)
    augmented = ClipDataset(ids, torch.arange(7), AudioSource(wavlm, "boundary", HEARD), FrameSource(frames, SEEN))
    plain = ClipDataset(ids, torch.arange(7), AudioSource(wavlm, "boundary"), FrameSource(frames))
    batches = list(evaluation_batches(augmented, 3))
    assert [batch.ids for batch in batches] == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert all(map(equal, batches, evaluation_batches(plain, 3)))


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch, size=20):
        sampler = EpochSampler(size, seed)
        sampler.epoch = epoch
        keys = list(sampler)
        assert {key[0] for key in keys} == {epoch} and sorted(key[1] for key in keys) == list(range(size))
        return keys

    first = order(1, 1)
    torch.manual_seed(99)  # the global generator has no say
    state = torch.get_rng_state()
    assert order(1, 1) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert len({tuple(i for _, i in order(seed, epoch)) for seed in (1, 2) for epoch in (1, 2, 3)}) == 6


def test_batches_are_the_same_whatever_the_number_of_workers(wavlm, frames):
    """Augmentation included, and with epochs out of order, as after a restart."""
    ids = list(LENGTHS)
    data = ClipDataset(ids, torch.arange(7), AudioSource(wavlm, "boundary", HEARD), FrameSource(frames, SEEN))
    here, there = training_batches(data, 3, seed=5), training_batches(data, 3, seed=5, workers=2)
    epochs = {epoch: list(there(epoch)) for epoch in (2, 1)}
    for epoch, batches in epochs.items():
        assert [len(batch.ids) for batch in batches] == [3, 3, 1]
        assert sorted(clip for batch in batches for clip in batch.ids) == ids
        state = torch.get_rng_state()
        assert all(map(equal, batches, here(epoch)))
        assert torch.equal(torch.get_rng_state(), state)  # drawing batches does not move dropout
    pictures = {epoch: {i: v for b in epochs[epoch] for i, v in zip(b.ids, b.video, strict=True)} for epoch in epochs}
    assert any(not torch.equal(pictures[1][clip][:1], pictures[2][clip][:1]) for clip in ids)


def test_batches_by_length_hold_every_clip_once_and_little_padding():
    lengths = np.random.default_rng(0).integers(100, 400, 203).tolist()  # 2 to 8 s
    sampler, epochs = LengthSampler(lengths, batch_size=8, seed=3), []
    for epoch in (1, 2, 3):
        sampler.epoch = epoch
        keys = list(sampler)
        assert keys == list(sampler) and {key[0] for key in keys} == {epoch}
        positions = [i for _, i in keys]
        assert sorted(positions) == list(range(203))
        epochs.append([positions[i : i + 8] for i in range(0, 203, 8)])
        full = [[lengths[i] for i in batch] for batch in epochs[-1][:-1]]
        padded = sum(max(batch) * 8 for batch in full) / sum(map(sum, full)) - 1
        assert padded < 0.08  # in batches of a plain shuffle it is about a half
        firsts = [batch[0] for batch in full]
        assert firsts != sorted(firsts) and firsts != sorted(firsts, reverse=True)
    assert len({frozenset(batch) for epoch in epochs for batch in epoch}) == 3 * 26  # other companions every time
    # The clips that fill no batch are no special ones: 3 of 203 over 300 epochs, by mean length.
    rests = []
    for sampler.epoch in range(300):
        rests += [lengths[i] for _, i in list(sampler)[-3:]]
    assert np.mean(rests) == pytest.approx(np.mean(lengths), abs=4 * np.std(lengths) / math.sqrt(len(rests)))


def test_steps_of_clips_are_those_of_the_cache(wavlm, mel, frames):
    ids = list(LENGTHS)
    assert ClipDataset(ids, torch.arange(7), AudioSource(wavlm, "last"), None).steps() == [5, 3, 0, 4, 1, 2, 6]
    assert ClipDataset(ids, torch.arange(7), None, FrameSource(frames, SEEN)).steps() == [1] * 7


def test_turns(tmp_path):
    def turn(n, view, rng):
        rows = {"speech": (n, 4), "prosody": (1, 3), "speaker": (1, 2)}
        return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in rows.items()}

    turns, ids = write(tmp_path / "turns", turn), ["a", "e", "g"]
    target = torch.tensor([[1.0, 2], [math.nan, 3], [4, 5]])
    dataset = TurnDataset(turns, ids, target)
    batch = collate_turns([dataset[None, i] for i in (0, 1, 2)])
    assert batch.ids == ids and torch.equal(batch.target.nan_to_num(-1), target.nan_to_num(-1))
    assert set(batch.inputs) == {"speech", "speech_mask", "prosody", "speaker"}  # no array, no input
    assert batch.inputs["speech_mask"].sum(1).tolist() == [5, 1, 6]
    for row, clip in enumerate(ids):
        speech = batch.inputs["speech"][row]
        np.testing.assert_array_equal(speech[: LENGTHS[clip]], turns.get(clip, "speech"))
        assert not speech[LENGTHS[clip] :].any()
        np.testing.assert_array_equal(batch.inputs["prosody"][row], turns.get(clip, "prosody")[0])
        np.testing.assert_array_equal(batch.inputs["speaker"][row], turns.get(clip, "speaker")[0])
