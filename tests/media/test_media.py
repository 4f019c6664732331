"""Reading sound and pictures: against the writers' own numbers, another library, and hand arithmetic."""

import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
import torchaudio.functional as AF
from scipy.io import wavfile

from avemotion.system.media_error import MediaError
from avemotion.media.pictures import read_frames
from avemotion.media.waveforms import read_start, read_waveform


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


@pytest.mark.parametrize("rate", [48000, 44100, 8000, 7919])
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


FORMATS = {
    "h264": ("a.mp4", "libx264", {"g": "250", "bf": "3", "crf": "10"}, Fraction(30000, 1001)),
    "divx": ("a.avi", "mpeg4", {"g": "30", "qmin": "1", "qmax": "2"}, Fraction(30)),
    "with B-frames": ("b.avi", "mpeg4", {"g": "12", "bf": "2", "qmin": "1", "qmax": "2"}, Fraction(25)),
}


def brightness(index):
    """Luma of frame `index`: neighbours differ clearly, and no two within 220 / 7 frames agree."""
    return 16 + (index * 7) % 220


@pytest.fixture(scope="module", params=FORMATS)
def film(request, tmp_path_factory):
    """(path, frames per second) of a film of 400 frames whose brightness tells their number; right half black."""
    name, codec, options, rate = FORMATS[request.param]
    path = tmp_path_factory.mktemp("film") / name
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(400):
            picture = np.full((72, 64), 128, np.uint8)  # I420: luma, then chroma at half resolution
            picture[:48, :32], picture[:48, 32:] = brightness(index), 16
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path, float(rate)


def shown(picture):
    """Luma of the left half, from full-range RGB."""
    return 16 + picture[24, 10].mean() * 219 / 255


@pytest.mark.parametrize(("start", "end"), [(None, None), (0.0, 1.0), (3.3, 5.1), (10.01, 12.3), (7.7, 7.75)])
def test_frames_are_the_middles_of_equal_parts(film, start, end):
    path, rate = film
    frames, times = read_frames(path, 8, start, end)
    assert frames.shape == (8, 48, 64, 3) and frames.dtype == np.uint8
    first, stop = (0, 400) if start is None else (np.ceil(start * rate), np.ceil(end * rate))
    expected = [int(first + (i + 0.5) * (stop - first) / 8) for i in range(8)]
    np.testing.assert_allclose(times, np.array(expected) / rate - (start or 0), atol=1e-5)
    np.testing.assert_allclose([shown(frame) for frame in frames], [brightness(i) for i in expected], atol=2)


def test_end_beyond_the_film_and_no_frame_at_all(film):
    path, rate = film
    _, times = read_frames(path, 2, 300 / rate, 1e4)
    np.testing.assert_allclose(times, [25 / rate, 75 / rate], atol=1e-4)
    with pytest.raises(ValueError, match=r"no frame in 100 to 101 s"):
        read_frames(path, 2, 100.0, 101.0)


def test_crop_keeps_its_part_of_the_picture(film):
    path, _ = film
    whole, _ = read_frames(path, 1)
    left, _ = read_frames(path, 1, crop=(0.0, 0.25, 0.5, 1.0))
    np.testing.assert_array_equal(left, whole[:, 12:48, 0:32])
    assert left.mean() > 5 * whole[:, :, 34:].mean()


def test_sound_and_picture_do_not_load_each_others_libraries():
    loaded = "[name for name in ('cv2', 'av', 'torch', 'soundfile') if name in sys.modules]"
    check = f"import sys, avemotion.media.{{}}; print({loaded})"
    for module in ("audio", "video"):
        ran = subprocess.run([sys.executable, "-c", check.format(module)], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"
