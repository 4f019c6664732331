"""Augmentation: the stated probabilities and sizes, seeded by clip and epoch and by nothing else."""

import math

import torch
from scipy import stats

from avemotion.datasets.audio_features import crop, draw_view, spec_augment, warp
from avemotion.datasets.frame_sequences import augment_frames
from avemotion.params.training.augment import FrameAugmentParams, SpecAugmentParams, WarpParams

MASKS = SpecAugmentParams(p=1.0, masks=1, freq=6, time=9)
OFF = {"draw": None, "flip": 0.0, "blur": 0.0, "darken": 0.0, "noise": 0.0}


def augmented(frames, clip="a", epoch=1, seed=0, **on):
    """frames with only the given changes switched on."""
    return augment_frames(frames, FrameAugmentParams(**OFF | on), clip, epoch, seed)


def test_views_are_drawn_with_their_weights():
    weights, draws = {"clean": 15.0, "snr_20": 4, "snr_10": 8, "snr_5": 3, "snr_0": 0}, 3000
    names = [draw_view(weights, f"clip{i}", epoch, 0) for epoch in (1, 2, 3) for i in range(draws // 3)]
    used = sorted(name for name, weight in weights.items() if weight)
    assert set(names) == set(used)
    expected = [draws * weights[name] / 30 for name in used]
    assert stats.chisquare([names.count(name) for name in used], expected).pvalue > 1e-4
    assert names[: draws // 3] != names[draws // 3 : 2 * draws // 3]  # another epoch, another view
    assert len({draw_view(weights, "a", 1, seed) for seed in range(30)}) > 1


def widths(log_mel, augmented):
    """(masked bands, masked frames); whatever is masked is set to the mean of the clip."""
    changed = augmented != log_mel
    assert torch.equal(augmented[changed], torch.full_like(augmented[changed], log_mel.mean().item()))
    bands, times = changed.all(0), changed.all(1)
    assert torch.equal(changed, bands[None, :] | times[:, None])
    for line in (bands, times):
        at = line.nonzero().flatten()
        assert len(at) == 0 or at[-1] - at[0] + 1 == len(at)  # one stretch
    return int(bands.sum()), int(times.sum())


def test_spec_augment_masks_at_most_the_stated_width():
    log_mel = -80 * torch.rand(60, 32, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    seen = [widths(log_mel, spec_augment(log_mel, MASKS, f"clip{i}", 1, 0)) for i in range(200)]
    assert torch.equal(torch.get_rng_state(), state)
    bands, times = zip(*seen, strict=True)
    assert 4 <= max(bands) <= MASKS.freq and 7 <= max(times) <= MASKS.time
    two = SpecAugmentParams(p=1.0, masks=2, freq=0, time=9)
    masked = [(spec_augment(log_mel, two, f"clip{i}", 1, 0) != log_mel) for i in range(100)]
    assert not any(change.all(0).any() for change in masked)  # freq 0: no band
    assert MASKS.time < max(int(change.all(1).sum()) for change in masked) <= 2 * MASKS.time


def test_spec_augment_hits_its_share_of_clips():
    log_mel, clips = -80 * torch.rand(60, 32, generator=torch.Generator().manual_seed(0)), 600
    for p in (0.0, 0.3):
        params = SpecAugmentParams(p=p, masks=2, freq=20, time=30)
        results = [spec_augment(log_mel, params, f"clip{i}", 1, 0) for i in range(clips)]
        hit = sum(not torch.equal(result, log_mel) for result in results)
        assert abs(hit - p * clips) <= 5 * math.sqrt(clips * p * (1 - p)) if p else hit == 0
    again = [spec_augment(log_mel, params, f"clip{i}", 1, 0) for i in range(50)]
    assert all(map(torch.equal, results[:50], again))
    assert any(not torch.equal(spec_augment(log_mel, params, f"clip{i}", 2, 0), again[i]) for i in range(50))


def test_warp_is_an_affine_map_of_both_axes_within_its_limits():
    """On a plane, linear in time and in band, the map can be computed from its values."""
    frames, bands, params = 60, 33, WarpParams(scale=0.06, shift=0.04, tempo=0.15)
    times, places = torch.arange(frames).float(), torch.arange(bands).float() - 16
    draws = []
    for i in range(200):
        warped = warp(3 * times[:, None] + places, params, f"clip{i}", 1, 0)
        inner = warped[5:40, 4:-4]  # away from the edges, whose values go on
        speed, scale = ((inner[1:] - inner[:-1]) / 3).mean().item(), (inner[:, 1:] - inner[:, :-1]).mean().item()
        shift = (warped[0, 16] / 16).item()  # the first frame stays the first, and 16 is the central band
        expected = 3 * speed * times[5:40, None] + scale * places[4:-4] + 16 * shift
        torch.testing.assert_close(inner, expected, rtol=1e-3, atol=1e-2)
        assert len(warped) == round(frames / speed)
        draws.append((scale - 1, shift, speed - 1))
    for drawn, limit in zip(zip(*draws, strict=True), (0.06, 0.04, 0.15), strict=True):
        assert stats.kstest(drawn, stats.uniform(-limit, 2 * limit).cdf).pvalue > 1e-4


def test_warp_and_crop_are_seeded_and_off_by_default():
    log_mel, on = torch.randn(50, 16), WarpParams(scale=0.1, shift=0.1, tempo=0.2)
    off = WarpParams(scale=0.0, shift=0.0, tempo=0.0)
    assert warp(log_mel, off, "a", 1, 0) is log_mel and crop(log_mel, None, "a", 1, 0) is log_mel
    assert torch.equal(warp(log_mel, on, "a", 1, 0), warp(log_mel, on, "a", 1, 0))
    assert (
        len({warp(log_mel, on, *key).sum().item() for key in (("a", 1, 0), ("b", 1, 0), ("a", 2, 0), ("a", 1, 1))}) == 4
    )
    assert warp(log_mel[:1], on, "a", 1, 0).shape == (1, 16)
    assert crop(log_mel, 50, "a", 1, 0) is log_mel
    starts = set()
    for epoch in range(100):
        part = crop(log_mel, 46, "a", epoch, 0)
        start = next(i for i in range(5) if torch.equal(part, log_mel[i : i + 46]))
        starts.add(start)
    assert starts == set(range(5))


def test_frame_augmentation_is_seeded_and_stays_in_range():
    frames = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).round()  # many pixels at the limits
    everything, results = {"blur": 1.0, "darken": 1.0, "noise": 1.0}, []
    for on in (dict.fromkeys(everything, 0.5) | {"flip": 0.5}, everything):
        for key in (("a", 1, 0), ("b", 1, 0), ("a", 2, 0), ("a", 1, 1)):
            changed = augmented(frames, *key, **on)
            assert changed.shape == frames.shape and changed.min() >= 0 and changed.max() <= 1
            assert torch.equal(changed, augmented(frames, *key, **on))
            results.append(changed.sum().item())
    assert len(set(results[4:])) == 4
    noisy = augmented(frames, noise=1.0)
    assert noisy.min() == 0 and noisy.max() == 1 and 0.005 < (noisy - frames).std() < 0.02  # half is clamped away
    assert torch.equal(augmented(frames), frames)


def test_darkening_blur_and_mirroring_treat_all_frames_of_a_clip_alike():
    frames = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.1
    factors = []
    for i in range(60):
        share = augmented(frames, f"c{i}", darken=1.0) / frames
        assert share.std() < 1e-6
        factors.append(share.mean().item())
    assert 0.2 <= min(factors) < 0.25 and 0.55 < max(factors) <= 0.6
    same = frames[:1].expand(3, -1, -1, -1)
    blurred = augmented(same, blur=1.0)
    assert torch.equal(blurred[0], blurred[2]) and blurred[0].std() < same[0].std()
    mirrored = torch.from_numpy(frames.numpy()[..., ::-1].copy())
    assert torch.equal(augmented(frames, flip=1.0), mirrored)
    for change in ("flip", "darken"):
        hits = sum(not torch.equal(augmented(frames, f"c{i}", **{change: 0.3}), frames) for i in range(400))
        assert abs(hits - 120) < 5 * math.sqrt(400 * 0.3 * 0.7), change


def test_drawn_frames_keep_their_order_and_all_come_up():
    frames = torch.arange(8).view(8, 1, 1, 1).expand(-1, 3, 2, 2) / 8
    drawn = [(augmented(frames, epoch=epoch, draw=3)[:, 0, 0, 0] * 8).int().tolist() for epoch in range(60)]
    assert all(len(clip) == len(set(clip)) == 3 and clip == sorted(clip) for clip in drawn)
    assert {frame for clip in drawn for frame in clip} == set(range(8)) and len(set(map(tuple, drawn))) > 20
    assert torch.equal(augmented(frames, draw=9), frames)
