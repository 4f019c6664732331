"""Recordings as people make them, with what is right for each: when beeps sound, which frame is on screen when."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from avemotion.media.film.showing import LATE
from avemotion.media.pictures import read_frames
from avemotion.media.waveforms import read_sound
from avemotion.system.media_error import MediaError
from benchmarks.timed_media import FORMATS, Pictures, Sound, beep, beeps_of, time_of, write

BEEPS = ((1.0, 440.0), (3.0, 660.0), (5.0, 880.0), (7.0, 550.0))
VOICE = Sound(beeps=BEEPS, seconds=8.0)
SILENCE = Sound(beeps=(), seconds=8.0)
EVEN = tuple(i / 25 for i in range(200))  # 8 s of 25 frames per second
VARYING = tuple(t for i, t in enumerate(EVEN) if t < 4 or i % 6 == 0)
INTERRUPTED = tuple(t for t in EVEN if t < 2 or t >= 6)
WITH_TIMES = (".webm", ".mkv", ".mp4", ".mov", ".flv", ".wmv", ".ts")  # timestamps for every packet
WITH_TRACKS = (".mkv", ".mp4", ".mov", ".ts", ".webm")
FRAME = 1 / 25  # seconds
PRIMING = -1024 / 44_100  # seconds; begin of what the encoder of AAC adds
SPANS = ((0.0, 8.0), (2.5, 4.5), (4.0, 8.0))


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A file, and the truth about it on the file's clock."""

    kind: str
    file: Path
    beeps: Sequence[tuple[float, float]] | None = BEEPS  # (seconds, Hz); None = no sound to be read
    frames: Sequence[float] = ()  # seconds at which frames appear; empty = no picture to be read
    shift: float = 0.0  # seconds of the track at zero of the file's clock
    spans: Sequence[tuple[float, float]] = SPANS  # intervals from which frames are read
    blank: Sequence[tuple[float, float]] = ()  # intervals without a picture
    note: str = ""  # part of a note that must be given


def check(case: Timed) -> str:
    """`right`, `refused: ` with the reason, or `wrong: ` with the values."""
    try:
        wrong = _sound(case) or _frames(case)
    except MediaError as error:
        return f"refused: {error.reason}"
    return f"wrong: {wrong}" if wrong else "right"


def _sound(case: Timed) -> str:
    if case.beeps is None:
        return ""
    waveform, notes = read_sound(case.file)
    found, expected = beeps_of(waveform), [(time - case.shift, pitch) for time, pitch in case.beeps]
    right = len(found) == len(expected) and all(
        abs(time - at) <= 0.05 and abs(pitch - hertz) <= 0.01 * hertz
        for (time, pitch), (at, hertz) in zip(found, expected, strict=True)
    )
    if right and case.note and not any(case.note in note for note in notes):
        return f"no note {case.note!r} in {notes}"
    return "" if right else f"beeps {found} for {expected}"


def _frames(case: Timed) -> str:
    """Every frame shows its time, and is the one on screen at the middle of its part of the interval."""
    if not case.frames:
        return ""
    truth = np.array(case.frames)
    for begin, end in case.spans:
        pictures, times = read_frames(case.file, 8, begin, end)
        for i, (picture, time) in enumerate(zip(pictures, times.tolist(), strict=True)):
            claimed, shows = begin + time + case.shift, time_of(picture)
            held = time < FRAME / 2 and shows == truth[truth <= begin + case.shift + FRAME / 2].max(initial=-1)
            if abs(claimed - shows) > FRAME / 2 + 0.002 and not held:
                return f"the frame of {shows:.2f} s at {claimed:.2f} s"
            middle = begin + case.shift + (i + 0.5) * (end - begin) / 8
            # Parts begin and end with frames, so their middles are up to LATE away.
            first, last = (truth[truth <= at].max(initial=truth[0]) for at in (middle - LATE, middle + LATE))
            if not case.blank and not first - FRAME / 2 <= shows <= last + FRAME / 2:
                return f"the frame of {shows:.2f} s where that of {first:.2f} to {last:.2f} s is on screen"
    for begin, end in case.blank:
        try:
            shown = [time_of(picture) for picture in read_frames(case.file, 2, begin, end)[0]]
        except MediaError:
            continue
        return f"frames of {shown} s from {begin} to {end} s, where there is no picture"
    return ""


def cases(folder: Path, parts: Sequence[str] | None = None, formats: Sequence[str] | None = None) -> Iterator[Timed]:
    """All recordings, written into folder one by one.

    Args:
        parts: names of groups; formats: suffixes; None = all.
    """
    for name in PARTS if parts is None else parts:
        (folder / name).mkdir(parents=True)
        yield from PARTS[name](folder / name, tuple(FORMATS) if formats is None else formats)


def _of(suffixes: Sequence[str], formats: Sequence[str]) -> list[str]:
    return [suffix for suffix in suffixes if suffix in formats]


def _film(suffix: str, times: Sequence[float] = EVEN) -> list[Pictures]:
    return [Pictures(times=times)] if FORMATS[suffix].video else []


def _clean(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    for suffix in formats:
        file, films = folder / f"clean{suffix}", _film(suffix)
        yield Timed(kind="clean", file=file, shift=write(file, [VOICE], films), frames=EVEN if films else ())


def _times(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Variable frame rate, holes, late streams, a clock that starts late."""
    for suffix in _of(WITH_TIMES, formats):
        file = folder / f"varying{suffix}"
        shift = write(file, [VOICE], _film(suffix, VARYING))
        yield Timed(kind="variable frame rate", file=file, shift=shift, frames=VARYING)
        file = folder / f"hole{suffix}"
        away = tuple(t + 4 * (t >= 6) for t in INTERRUPTED)  # none from 2 to 10 s
        shift = write(file, [VOICE], _film(suffix, away))
        spans, blank = ((0.0, 1.9), (1.0, 3.0), (10.1, 11.9), (4.0, 9.0)), ((7.2, 9.8), (8.0, 9.0))
        yield Timed(kind="hole in the picture", file=file, shift=shift, frames=away, spans=spans, blank=blank)
        if suffix != ".mov":  # its PCM is counted in samples
            file, sound = folder / f"gap{suffix}", replace(VOICE, hole=(3.5, 6.0))
            shift, beeps = write(file, [sound], _film(suffix)), [one for one in BEEPS if one[0] != 5.0]
            yield Timed(kind="hole in the sound", file=file, shift=shift, beeps=beeps, frames=EVEN, note="are silence")
        file, sound = folder / f"late_sound{suffix}", replace(VOICE, offset=4.0)
        shift, beeps = write(file, [sound], _film(suffix)), [(time + 4, pitch) for time, pitch in BEEPS]
        yield Timed(kind="late sound", file=file, shift=shift, beeps=beeps, frames=EVEN, note="starts at")
        file = folder / f"late_picture{suffix}"
        shift = write(file, [VOICE], [Pictures(times=EVEN, offset=3.0)])
        late = [t + 3 for t in EVEN]
        spans, blank = ((8.0, 10.0), (5.0, 11.0)), ((0.5, 2.5),)
        yield Timed(kind="late picture", file=file, shift=shift, frames=late, spans=spans, blank=blank)
        file = folder / f"all_late{suffix}"
        shift = write(file, [replace(VOICE, offset=20.0)], [Pictures(times=EVEN, offset=20.0)])
        beeps, late = [(time + 20, pitch) for time, pitch in BEEPS], [t + 20 for t in EVEN]
        yield Timed(kind="clock starts late", file=file, shift=shift, beeps=beeps, frames=late)


def _headers(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Wrong frame rates, no duration."""
    for suffix in _of((".mkv", ".webm", ".wmv", ".mp4", ".flv"), formats):
        file = folder / f"thousand{suffix}"
        shift = write(file, [VOICE], [Pictures(times=EVEN, rate=1000)])
        yield Timed(kind="header of 1000 fps", file=file, shift=shift, frames=EVEN)
    for suffix, form, options in (
        (".webm", "webm", {"live": "1"}),
        (".mkv", "matroska", {"live": "1"}),
        (".mp4", "mp4", {"movflags": "frag_keyframe+delay_moov+default_base_moof"}),
        (".flv", "flv", {"flvflags": "no_duration_filesize"}),
    ):
        if suffix not in formats:
            continue
        file = folder / f"live{suffix}"
        shift = write(file, [VOICE], _film(suffix), form=form, options=options)
        yield Timed(kind="no duration", file=file, shift=shift, frames=EVEN)


def _rates(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Rates that change in mid-file, odd rates."""
    joined = {".mp3": ((1.0, 440.0), (5.05, 660.0)), ".aac": ((1.046, 440.0), (5.11, 660.0))}  # with encoder padding
    for suffix, beeps in (joined | {".opus": ((1.0, 440.0), (5.0, 660.0))}).items():
        if suffix not in formats:
            continue
        parts = []
        for i, rate in enumerate((48000, 48000) if suffix == ".opus" else (22050, 44100)):
            write(folder / f"part{i}{suffix}", [Sound(beeps=((1.0, 440.0 + 220 * i),), seconds=4.0, rate=rate)])
            parts.append((folder / f"part{i}{suffix}").read_bytes())
        file = folder / f"joined{suffix}"
        file.write_bytes(b"".join(parts))
        yield Timed(kind="joined files", file=file, beeps=beeps)
    yield from _joined_films(folder, formats)
    for rate in (8000, 11025, 22050, 37800, 44099, 48000, 95999, 192000):
        for suffix in _of((".wav", ".flac") if rate < 95999 else (".wav",), formats):
            file = folder / f"rate{rate}{suffix}"
            soundfile.write(file, beep(BEEPS, 8.0, rate), rate)
            yield Timed(kind="odd sample rates", file=file)


def _joined_films(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Two films of 4 s, the timestamps of both from zero on; their sound is shorter than their picture."""
    for suffix in _of((".ts", ".mkv", ".webm"), formats):
        times, join = EVEN[:100], 4.0
        contents = []
        for i, pitch in enumerate((440.0, 660.0)):
            film, sound = Pictures(times=times, ahead=i * join), Sound(beeps=((1.0, pitch),), seconds=3.8)
            shift = write(folder / f"film{i}{suffix}", [sound], [film])
            contents.append((folder / f"film{i}{suffix}").read_bytes())
            join = 4.0 - (PRIMING if suffix == ".mkv" else shift)
        file = folder / f"films{suffix}"
        file.write_bytes(b"".join(contents))
        beeps, frames = ((1.0, 440.0), (1.0 + join, 660.0)), (*times, *(time + join for time in times))
        yield Timed(kind="joined films", file=file, shift=shift, beeps=beeps, frames=frames, note="start anew")


def _packets(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Tags between the frames, a damaged packet, a recorder that was killed."""
    for suffix in _of((".mp3", ".aac", ".flac", ".ts", ".mkv", ".mp4", ".avi", ".ogg"), formats):
        file, films = folder / f"damaged{suffix}", _film(suffix)
        shift = write(file, [VOICE], films)
        content = bytearray(file.read_bytes())
        at = len(content) * 45 // 100  # between two beeps
        if suffix in (".mp3", ".aac"):
            content[at:at] = b"TAG" + bytes(2000) + b"a tag between the frames of sound"
        else:
            content[at : at + 60] = bytes(60)
        file.write_bytes(content)
        # Beeps alone: a damaged frame of the picture may show anything until the next key frame. A page of Ogg holds a
        # second and more, here with a beep.
        lost = ((3.0, 660.0),) if suffix == ".ogg" else ()
        beeps, note = [one for one in BEEPS if one not in lost], "are silence" if lost else ""
        yield Timed(kind="damaged packet", file=file, shift=shift, beeps=beeps, note=note)
    file = folder / "killed.wav"
    soundfile.write(file, beep(BEEPS, 8.0, 16000), 16000)
    content = bytearray(file.read_bytes())
    content[4:8] = struct.pack("<I", 0)
    content[content.index(b"data") + 4 :][:4] = bytes(4)
    place = content.index(b"data") + 4
    content[place : place + 4] = bytes(4)
    file.write_bytes(content)
    yield Timed(kind="sizes of 0", file=file)


def _names(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Every format under the name of another one."""
    for suffix in formats:
        for name in (".wav", ".flac", ".mp4"):
            if suffix != name:
                written = folder / f"named{suffix}"
                shift, film = write(written, [VOICE], _film(suffix)), FORMATS[suffix].video
                file = written.rename(folder / f"{suffix[1:]}_as{name}")
                yield Timed(kind="wrong extension", file=file, shift=shift, frames=EVEN if film else ())


def _tracks(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Several tracks of sound and picture."""
    black = Pictures(times=EVEN[::5], black=True)
    for suffix in _of(WITH_TRACKS, formats):
        file = folder / f"silent_first{suffix}"
        shift = write(file, [replace(SILENCE, default=False), VOICE], _film(suffix))
        yield Timed(kind="silent first track", file=file, shift=shift, frames=EVEN, note="track 2 of 2")
        file = folder / f"silent_default{suffix}"
        shift = write(file, [SILENCE, replace(VOICE, default=False)], _film(suffix))
        yield Timed(kind="silent default track", file=file, shift=shift, frames=EVEN, note="is silent")
        file, picture = folder / f"black_first{suffix}", Pictures(times=EVEN, default=False)
        shift = write(file, [VOICE], [black, picture])
        yield Timed(kind="black first track", file=file, shift=shift, frames=EVEN)


def _phases(folder: Path, formats: Sequence[str]) -> Iterator[Timed]:
    """Channels in opposite phase, the voice in one of many channels."""
    voice = beep(BEEPS, 8.0, 48000)
    noise = np.random.default_rng(0).uniform(-0.001, 0.001, voice.shape)
    forms = {
        "opposite phase": (np.stack([voice, -voice], 1), "cancel"),
        "opposite phase, with noise": (np.stack([voice, noise - voice], 1), "cancel"),
        "one channel of two": (np.stack([voice, 0 * voice], 1), ""),
    }
    for kind, (samples, note) in forms.items():
        for suffix in _of((".wav", ".flac"), formats):
            file = folder / f"{kind.replace(' ', '_')}{suffix}"
            soundfile.write(file, samples, 48000)
            yield Timed(kind=kind, file=file, note=note)


PARTS = {
    "clean": _clean,
    "times": _times,
    "headers": _headers,
    "rates": _rates,
    "packets": _packets,
    "names": _names,
    "tracks": _tracks,
    "phases": _phases,
}
