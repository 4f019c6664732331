"""Reading pictures: which frames, which part of the picture, which libraries."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from avemotion.media.film.film import Film
from avemotion.media.pictures import read_frames

FORMATS = {
    "h264": ("a.mp4", "libx264", {"g": "250", "bf": "3", "crf": "10"}, Fraction(30000, 1001)),
    "divx": ("a.avi", "mpeg4", {"g": "30", "qmin": "1", "qmax": "2"}, Fraction(30)),
    "with B-frames": ("b.avi", "mpeg4", {"g": "12", "bf": "2", "qmin": "1", "qmax": "2"}, Fraction(25)),
    "packed B-frames": ("packed.avi", "mpeg4", {"g": "30", "bf": "1", "qmin": "1", "qmax": "2"}, Fraction(25)),
}
VOP, USER_DATA = b"\0\0\1\xb6", b"\0\0\1\xb2"  # start codes of MPEG-4 part 2 (ISO/IEC 14496-2)
# A P-VOP that is not coded: type 01, modulo_time_base 0, marker, time increment (5 bits at 25 Hz), marker, vop_coded 0.
NOT_CODED = VOP + bytes([0b01010000, 0b01001111])


def brightness(index):
    """Luma of frame `index`: neighbours differ clearly, and no two within 220 / 7 frames agree."""
    return 16 + (index * 7) % 220


@pytest.fixture(scope="module", params=FORMATS)
def film(request, tmp_path_factory):
    """(path, frames per second) of a film of 400 frames whose brightness tells their number; right half black."""
    name, codec, options, rate = FORMATS[request.param]
    path = tmp_path_factory.mktemp("film") / name
    write(path, codec, options, rate)
    return path, float(rate)


def write(path, codec, options, rate, count=400):
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for index in range(count):
            picture = np.full((72, 64), 128, np.uint8)  # I420: luma, then chroma at half resolution
            picture[:48, :32], picture[:48, 32:] = brightness(index), 16
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
            packets += stream.encode(frame)
        packets += stream.encode()
        file.mux(packed(packets, stream) if path.stem == "packed" else packets)


def packed(packets, stream):
    """The packets as DivX and XviD store B-frames in AVI: with the frame before, and an empty frame in their place."""
    contents = []
    for packet in packets:
        content = bytes(packet)
        if content[content.index(VOP) + 4] >> 6 == 2:  # a B-VOP
            contents[-1] += content
            content = NOT_CODED
        contents.append(content)
    assert NOT_CODED in contents
    begin = contents[0].index(USER_DATA)
    encoder = contents[0][begin : contents[0].index(b"\0\0\1", begin + 4)]
    made = []
    for tick, content in enumerate(contents):
        packet = av.Packet(content.replace(encoder, USER_DATA + b"DivX503b1393p"))  # p = packed
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, tick, tick, packets[0].time_base
        packet.is_keyframe = content[content.index(VOP) + 4] >> 6 == 0
        made.append(packet)
    return made


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


SKIPPING = {
    "libx264": (".mp4", {"g": "60", "bf": "3"}),
    "libx265": (".mp4", {"g": "60", "x265-params": "log-level=none"}),
    "mpeg4": (".mkv", {"g": "30", "bf": "2"}),
    "mpeg2video": (".ts", {"g": "30", "bf": "2"}),
    "libvpx": (".webm", {"g": "60", "auto-alt-ref": "1"}),
    "libvpx-vp9": (".webm", {"g": "60", "auto-alt-ref": "1", "deadline": "realtime"}),
    "libsvtav1": (".mkv", {"g": "60", "preset": "12", "svtav1-params": "lp=1"}),
}


@pytest.mark.parametrize("codec", SKIPPING)
def test_frames_that_are_not_needed_change_none_that_is(tmp_path, codec):
    """Frames on which no other depends are not decoded; the wanted ones are those of a full decoding."""
    suffix, options = SKIPPING[codec]
    write(tmp_path / f"a{suffix}", codec, options, Fraction(25), count=120)
    with Film(tmp_path / f"a{suffix}") as film:
        ticks = [frame.tick for frame in film.frames(None, None)]
        keys = [frame.tick for frame in film.frames(None, None) if frame.key]
        every, decoded = film.scan(ticks, 0, ticks[-1])
        assert sorted(decoded) == ticks and len(ticks) == 120
        for first in range(4):
            wanted = ticks[first::17]
            picked = film.pick(wanted, keys)
            assert sorted(picked) == wanted
            for tick in wanted:
                np.testing.assert_array_equal(picked[tick], every[tick])


def test_sound_and_picture_do_not_load_each_others_libraries():
    loaded = "[name for name in ('cv2', 'av', 'torch', 'soundfile') if name in sys.modules]"
    check = f"import sys, avemotion.media.{{}}; print({loaded})"
    for module in ("waveforms", "pictures"):
        ran = subprocess.run([sys.executable, "-c", check.format(module)], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"
