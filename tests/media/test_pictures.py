"""Reading pictures: which frames, which part of the picture, which libraries."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from avemotion.media.pictures import read_frames

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
    for module in ("waveforms", "pictures"):
        ran = subprocess.run([sys.executable, "-c", check.format(module)], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"
