"""Placing, mixing and resampling of sound: hand arithmetic, and torchaudio where it is exact."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
import torchaudio.functional as AF

from avemotion.manifest.probe import probe
from avemotion.media import joints, waveforms
from avemotion.media.sound import decoding, resampling
from avemotion.media.sound.decoding import Block
from avemotion.media.sound.downmix import Downmix
from avemotion.media.sound.placement import Placement
from avemotion.media.waveforms import read_sound, read_waveform


def blocks(*of):
    """Blocks of one channel at 100 Hz, from (begin in seconds, first value, number of values)."""
    values = (np.arange(first, first + count, dtype=np.float32)[:, None] for _, first, count in of)
    return [Block(samples=v, rate=100, begin=begin) for v, (begin, _, _) in zip(values, of, strict=True)]


def placed(*of):
    placement = Placement(offsets=tuple)
    parts = [samples[:, 0] for samples, _ in placement.place(blocks(*of))]
    return np.concatenate(parts).tolist(), placement


def test_holes_are_silence_and_overlaps_are_cut():
    values, placement = placed((0.1, 1, 5), (0.3, 6, 5), (0.25, 11, 20))
    assert values == [0] * 10 + [1, 2, 3, 4, 5] + [0] * 15 + [6, 7, 8, 9, 10, *range(21, 31)]
    assert (placement.start, placement.holes, placement.hole_seconds) == (0.1, 1, pytest.approx(0.15))
    assert placement.cut_seconds == pytest.approx(0.1) and placement.seconds == pytest.approx(0.45)


def test_rounding_of_timestamps_moves_no_sample():
    values, placement = placed((0.03, 1, 50), (0.47, 51, 50), (1.02, 101, 5), (None, 106, 5))
    assert values == list(range(1, 111)) and not placement.holes and not placement.cut_seconds


def test_timestamps_that_start_anew_are_continued_and_absurd_ones_refused():
    values, placement = placed((0.0, 1, 300), (0.0, 301, 100), (1.0, 401, 5))
    assert values == list(range(1, 406)) and placement.restarts == 1
    with pytest.raises(RuntimeError, match=r"timestamps jump from 1\.00 s by 94999 s"):
        placed((0.0, 1, 100), (95_000.0, 1, 100))


def test_sound_that_ends_before_the_picture_waits_for_it_where_the_next_film_is_joined():
    placement = Placement(offsets=lambda: (Fraction(0), Fraction(7, 2)))
    parts = [samples[:, 0] for samples, _ in placement.place(blocks((0.0, 1, 300), (0.0, 301, 100), (1.0, 401, 5)))]
    assert np.concatenate(parts).tolist() == [*range(1, 301)] + [0] * 50 + [*range(301, 406)]


def test_a_part_begins_where_sound_and_picture_of_the_part_before_have_ended():
    spans = [(Fraction(0), Fraction(4)), (Fraction(1), Fraction(3)), (Fraction(-1), Fraction(1))]
    assert joints._joined(spans) == (0, 3, 7)
    parts, damaged = joints.Parts(), joints.Parts(second=10)
    assert [parts.of(tick) for tick in (0, 2, 1.5, 4, 1, 3, 12, 0)] == [0, 0, 0, 0, 1, 1, 1, 2]
    assert [damaged.of(tick) for tick in (990_000, 990_020, 9_999_999, 990_030, 990_025)] == [0] * 5


def mixed(samples, rate=1000):
    downmix = Downmix()
    return np.concatenate([part for part, _ in downmix.mix([(samples.astype(np.float32), rate)])]), downmix


def test_channels_that_cancel_give_way_to_the_louder_one():
    voice = np.sin(np.arange(3000) / 5)
    both, downmix = mixed(np.stack([-0.5 * voice, 0.51 * voice], 1))
    np.testing.assert_allclose(both, 0.51 * voice, atol=1e-6)
    assert (downmix.channel, downmix.cancelled_seconds, downmix.seconds) == (1, 3.0, 3.0)
    partly = np.stack([voice, np.where(np.arange(3000) < 1000, -voice, voice)], 1)  # in the first second alone
    part, downmix = mixed(partly)
    np.testing.assert_allclose(part, voice, atol=1e-6)
    assert downmix.cancelled_seconds == 1.0


@pytest.mark.parametrize("other", [0.0, 0.5, -0.5])
def test_channels_that_differ_are_averaged(other):
    voice = np.sin(np.arange(3000) / 5)
    mono, downmix = mixed(np.stack([voice, other * voice], 1))
    np.testing.assert_allclose(mono, (1 + other) / 2 * voice, atol=1e-6)
    assert downmix.channel is None


def test_opposite_phase_is_sound_for_manifest_and_readers(tmp_path):
    voice = 0.3 * np.sin(np.arange(16000) / 5)
    soundfile.write(tmp_path / "a.wav", np.stack([voice, -voice], 1), 16000, subtype="FLOAT")
    media = probe((tmp_path / "a.wav", "audio"))
    note = "sound: the channels cancel each other in 1.00 s of 1.00 s; channel 1 is used there"
    assert media.fault is None and media.notes == (note,)
    waveform, notes = read_sound(tmp_path / "a.wav")
    np.testing.assert_allclose(waveform, voice, atol=1e-6)
    assert notes == [note]


def tone(hertz, rate, seconds=2):
    return np.sin(2 * np.pi * hertz * np.arange(seconds * rate) / rate).astype(np.float32)


def resample(samples, rate, block=7001):
    parts = [(samples[i : i + block], rate) for i in range(0, len(samples), block)]
    return np.concatenate(list(resampling.resampled(parts, 16000)))


def noise_db(waveform, hertz):
    """Energy beside a tone of amplitude 1 and of this frequency, in dB of the tone, without the ends."""
    phase = 2 * np.pi * hertz * np.arange(len(waveform)) / 16000
    middle = slice(800, -800)
    basis = np.stack([np.sin(phase), np.cos(phase)], 1)[middle]
    fitted = basis @ np.linalg.lstsq(basis, waveform[middle].astype(float), rcond=None)[0]
    return 10 * np.log10(np.mean((waveform[middle] - fitted) ** 2) / 0.5)


@pytest.mark.parametrize("rate", [44099, 95999, 12347])
def test_odd_rates_keep_tones_and_let_no_alias_through(rate):
    for hertz in (440, 3000):
        waveform = resample(tone(hertz, rate), rate)
        assert len(waveform) == 32000 and noise_db(waveform, hertz) < -100
        assert np.abs(waveform[800:-800]).max() == pytest.approx(1, abs=1e-3)
    if rate > 24000:
        assert np.abs(resample(tone(9500, rate), rate)[800:-800]).max() < 1e-5


def test_both_resamplers_agree_where_both_can(monkeypatch):
    samples = sum(tone(hertz, 44100) for hertz in (200, 440, 1000, 2500)) / 4
    exact = AF.resample(torch.from_numpy(samples), 44100, 16000).numpy()
    np.testing.assert_allclose(resample(samples, 44100), exact, atol=2e-6)
    monkeypatch.setattr(resampling, "EXACT", 1)
    np.testing.assert_allclose(resample(samples, 44100)[100:-100], exact[100:-100], atol=2e-3)


def test_a_change_of_rate_begins_at_its_time():
    low, high = np.full(11025 * 2 + 1, 0.25, np.float32), np.full(44100, 0.75, np.float32)
    waveform = np.concatenate(list(resampling.resampled([(low, 11025), (high, 44100)], 16000)))
    change = round((len(low) / 11025) * 16000)
    assert len(waveform) == change + 16000
    np.testing.assert_allclose(waveform[100 : change - 100], 0.25, atol=2e-3)
    np.testing.assert_allclose(waveform[change + 100 : -100], 0.75, atol=5e-3)


def test_a_lack_of_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone(440, 48000), 48000)

    def exhausted(*arguments):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(AF, "resample", exhausted)
    with pytest.raises(MemoryError):
        read_waveform(tmp_path / "a.wav")

    def full(path):
        raise MemoryError

    monkeypatch.setattr(decoding, "_is_plain", full)
    for work in (lambda: waveforms.read_waveform(tmp_path / "a.wav"), lambda: probe((tmp_path / "a.wav", "audio"))):
        with pytest.raises(MemoryError):
            work()


def test_a_recording_that_was_cut_off_says_so_or_is_refused(tmp_path):
    file, noise = tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 64000)
    soundfile.write(file, noise, 16000)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 7 // 10])
    media = probe((file, "audio"))
    assert media.fault is None and 2.4 < media.duration <= 2.8
    assert media.notes[0] == f"sound: {media.duration:.2f} s are there of 4.00 s by the header"
    waveform = read_waveform(file)
    np.testing.assert_allclose(waveform[:32000], noise[:32000], atol=1e-4)
    file.write_bytes(content[: len(content) * 4 // 10])
    assert "s of 4.00 s only" in probe((file, "audio")).fault
