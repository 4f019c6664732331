"""Reading sound: against the writers' own numbers, another library, and hand arithmetic."""

import pickle
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
import torchaudio.functional as AF
from scipy.io import wavfile

from avemotion.media.pictures import read_frames
from avemotion.media.waveforms import read_start, read_waveform
from avemotion.system.media_error import MediaError


def tone(hertz, seconds, rate):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_waveform_equals_other_readers(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32767, 16000).astype(np.int16)
    wavfile.write(tmp_path / "a.wav", 16000, samples)
    waveform = read_waveform(tmp_path / "a.wav")
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, samples / np.float32(32768))
    soundfile.write(tmp_path / "a.flac", samples, 16000)
    np.testing.assert_array_equal(read_waveform(tmp_path / "a.flac"), waveform)


def test_channels_are_averaged(tmp_path):
    left, right = tone(300, 0.5, 16000), tone(700, 0.5, 16000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_waveform(tmp_path / "stereo.wav"), (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [48000, 44100, 8000])
def test_resampling_keeps_frequency_and_amplitude(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(1000, 1, rate), rate, subtype="FLOAT")
    waveform = read_waveform(tmp_path / "a.wav")
    assert len(waveform) == 16000
    spectrum = np.abs(np.fft.rfft(waveform)) / 8000  # one bin per Hz
    assert spectrum.argmax() == 1000
    assert spectrum[1000] == pytest.approx(0.5, rel=0.01)
    assert np.delete(spectrum, range(950, 1050)).max() < 0.01


@pytest.mark.parametrize("rate", [48000, 44100, 8000])
def test_long_sounds_are_resampled_as_a_whole_would_be(tmp_path, rate):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 125 * rate + 77).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    whole = AF.resample(torch.from_numpy(samples), rate, 16000).numpy()
    waveform = read_waveform(tmp_path / "a.wav")
    assert waveform.shape == whole.shape
    np.testing.assert_allclose(waveform, whole, atol=2e-6)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("seconds", [0.5, 60.0, 65.25, 70.0, 99.0])
def test_the_beginning_alone(tmp_path, rate, seconds):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 70 * rate).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    whole = read_waveform(tmp_path / "a.wav")
    np.testing.assert_array_equal(read_waveform(tmp_path / "a.wav", seconds=seconds), whole[: round(seconds * 16000)])
    start, more = read_start(tmp_path / "a.wav", seconds)
    assert more == (seconds < 70) and len(start) == min(len(whole), round(seconds * 16000))


def test_a_fault_survives_the_way_from_a_worker_process():
    error = pickle.loads(pickle.dumps(MediaError(Path("a/b.wav"), "holds no sound")))
    assert str(error) == "a/b.wav: holds no sound" and error.reason == "holds no sound"


def test_sound_of_a_film(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=48000, layout="stereo")
        block = np.stack([tone(440, 1, 48000)] * 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    waveform = read_waveform(tmp_path / "a.mp4")
    assert abs(len(waveform) - 16000) < 1024  # AAC pads to whole blocks
    assert np.abs(np.fft.rfft(waveform, 16000)).argmax() == 440


@pytest.mark.parametrize(
    ("samples", "reason"), [([], "holds no sound"), ([0.1, np.nan], "NaN or infinite"), ([np.inf], "NaN or infinite")]
)
def test_unusable_sound_is_named(tmp_path, samples, reason):
    soundfile.write(tmp_path / "bad.wav", np.array(samples), 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match=rf"bad\.wav.*{reason}"):
        read_waveform(tmp_path / "bad.wav")


def test_files_that_do_not_decode_are_named(tmp_path):
    for name in ("broken.wav", "broken.mp4"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1")
        with pytest.raises(ValueError, match=name.replace(".", r"\.")):
            read_waveform(tmp_path / name)
        with pytest.raises(ValueError, match=r"absent\.wav"):
            read_waveform(tmp_path / "absent.wav")
    with pytest.raises(ValueError, match=r"broken\.mp4"):
        read_frames(tmp_path / "broken.mp4", 4)
