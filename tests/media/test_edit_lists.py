"""Any edit list that a file may carry is read back: offsets, holes, rates of frames and samples, tracks."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.timed_cases import Timed, check
from benchmarks.timed_media import Pictures, Sound, write

SLOTS = 6  # seconds of a recording
offsets = st.sampled_from([0.0, 0.5, 1.3, 2.75, 4.0])
pitches = st.lists(st.sampled_from([None, 330.0, 550.0, 1200.0, 2500.0]), min_size=SLOTS, max_size=SLOTS)
frame_rates = st.lists(st.sampled_from([25, 12.5, 5, 0]), min_size=SLOTS, max_size=SLOTS).filter(
    lambda r: r[0] and r[-1]
)


@st.composite
def recordings(draw):
    """(suffix, sound, film, whether a silent track comes first, seconds of the hole in the sound)."""
    suffix = draw(st.sampled_from([".mkv", ".mp4", ".ts", ".webm", ".flv"]))
    beeps = [(slot + 0.4, pitch) for slot, pitch in enumerate(draw(pitches)) if pitch]
    hole = draw(st.sampled_from([(0.0, 0.0), (2.0, 3.0), (1.0, 4.0)]))
    rate = draw(st.sampled_from([48000] if suffix == ".webm" else [22050, 44100]))
    sound = Sound(beeps=beeps, seconds=SLOTS, offset=draw(offsets), hole=hole, rate=rate)
    frames = [slot + i / rate for slot, rate in enumerate(draw(frame_rates)) if rate for i in range(int(rate))]
    film = Pictures(times=frames, offset=draw(offsets), rate=draw(st.sampled_from([25, 1000])))
    return suffix, sound, film, suffix != ".flv" and draw(st.booleans())


def read_back(recording) -> str:
    suffix, sound, film, with_silence = recording
    beeps = [(t + sound.offset, pitch) for t, pitch in sound.beeps if not sound.hole[0] <= t < sound.hole[1]]
    frames = [time + film.offset for time in film.times]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"a{suffix}"
        silent = [Sound(beeps=(), seconds=1.0, offset=sound.offset, rate=sound.rate, default=False)]
        shift = write(file, [*(silent if with_silence and beeps else []), sound], [film])
        first, last = frames[0] - shift, frames[-1] - shift
        spans = [(first, last), (first + 1.1, first + 3.7), (first + 2.0, last)]
        return check(Timed(kind="", file=file, shift=shift, beeps=beeps, frames=frames, spans=spans))


@settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings())
def test_an_edit_list_is_read_back(recording):
    assert read_back(recording) == "right"


@pytest.mark.slow
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings())
def test_many_edit_lists_are_read_back(recording):
    assert read_back(recording) == "right"
