"""Where a model looked and listened in chosen test clips, on one time axis in seconds.

attention_<direction>.csv, and pictures over the clip's frames and mel spectrogram. Weights are drawn
relative to uniform ones, that is weight x number of steps: 1 means no preference, whatever the length.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.lib.compute import seed_for
from stages.lib.plots import canvas

Array = NDArray[np.floating]
COLUMNS = ["clip", "rank", "label", "predicted", "time_s", "weight", "relative"]
RELATIVE = "relative weight\n(1 = uniform)"
NO_ATTENTION = "no attention in this fusion mode"
NO_SPEECH_ATTENTION = "no attention over speech in this model"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A chosen test clip.

    attention: what results.attention returns; {} where the model has none. frames [N, H, W, 3] uint8 at
    frame_times [N] s (N may be 0). mel [T, M] dB, one row every hop seconds from 0 s (T may be 0). peaks [P, 2], the
    lowest and highest sample of each hop.
    """

    id: str
    rank: str  # best, median, worst or a percentage
    label: str
    predicted: str
    attention: dict[str, Array]
    frames: NDArray[np.uint8]
    frame_times: Array
    mel: Array
    peaks: Array
    hop: float

    @property
    def end(self) -> float:
        """Seconds that the picture spans."""
        ends = [max(len(self.mel), len(self.peaks)) * self.hop, *(times[-1] for times in self._times() if len(times))]
        return float(max(ends)) or 1.0

    def _times(self) -> list[Array]:
        return [self.frame_times, *(self.attention[name] for name in self.attention if name.endswith("times"))]


def choose(error: pd.Series, count: int, seed: int) -> dict[str, str]:
    """Clip ids evenly spaced from the lowest to the highest error: id -> rank.

    Args:
        error: by clip id.
        seed: decides between equal errors, by clip id: neither their order nor other clips change the choice.
    """
    ties = {clip: seed_for(seed, "choose", clip) for clip in error.index}
    order = sorted(error.index, key=lambda clip: (error[clip], ties[clip]))
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    names = {0.0: "best", 0.5: "median", 1.0: "worst"}
    shares = [round(place / max(len(order) - 1, 1), 3) for place in places]
    return {order[round(place)]: names.get(share, f"{share:.0%}") for place, share in zip(places, shares, strict=True)}


def save_emotion(folder: Path, clips: list[Shown]) -> None:
    """attention_video_to_audio.csv, attention_audio_to_video.csv and attention_emotion.png."""
    for name, keys in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
        rows = [_rows(clip, clip.attention[name].mean(0), clip.attention[keys]) for clip in clips if _has(clip, name)]
        canvas.table(folder / f"attention_{name}.csv", _joined(rows), NO_ATTENTION)
    with canvas.picture(folder / "attention_emotion.png", 0.8 + 4.4 * len(clips), 8.2) as figure:
        strip = 4.0 / max([len(clip.frames) for clip in clips] + [6])  # inches: about square frames
        heights = [strip, 0.7, 1.4, 1.4, 1.4, 1.6]
        axes = figure.subplots(6, len(clips), squeeze=False, sharex="col", gridspec_kw={"height_ratios": heights})
        top = max([_highest(clip) for clip in clips] or [1.0])
        for column, clip in zip(axes.T, clips, strict=True):
            column[0].set_title(f"{clip.rank}: {clip.id}\ntrue {clip.label}, predicted {clip.predicted}")
            _frames(column[0], clip)
            _waveform(column[1], clip)
            _mel(column[2], clip)
            image = _maps(column[3], column[4], clip, top)
            _profiles(column[5], clip)
        for axis in axes[5]:
            axis.set_ylim(0, max(axis.get_ylim()[1] for axis in axes[5]))  # clips compare at one scale
        labels = ["", "waveform", "mel band", "frame\n(video→audio)", "frame\n(audio→video)", RELATIVE]
        for axis, label in zip(axes[:, 0], labels, strict=True):
            axis.set_ylabel(label)
        if image is not None:
            figure.colorbar(image, ax=axes[3:5, -1], label=RELATIVE, aspect=15)
            figure.legend(*axes[5, -1].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def save_affect(folder: Path, turns: list[Shown]) -> None:
    """attention_prosody_to_speech.csv and attention_affect.png."""
    name = "prosody_to_speech"
    rows = [_rows(turn, turn.attention[name], turn.attention["times"]) for turn in turns if _has(turn, name)]
    canvas.table(folder / f"attention_{name}.csv", _joined(rows), NO_SPEECH_ATTENTION)
    with canvas.picture(folder / "attention_affect.png", 0.8 + 4.4 * len(turns), 4.6) as figure:
        heights = {"height_ratios": [0.7, 1.6, 1.6]}
        axes = figure.subplots(3, len(turns), squeeze=False, sharex="col", gridspec_kw=heights)
        for column, turn in zip(axes.T, turns, strict=True):
            column[0].set_title(f"{turn.rank}: {turn.id}\ntrue {turn.label}\npredicted {turn.predicted}")
            _waveform(column[0], turn)
            _mel(column[1], turn)
            if _has(turn, name):
                weights = turn.attention[name]
                column[2].fill_between(turn.attention["times"], weights * len(weights), color=canvas.BLUE, alpha=0.35)
                column[2].plot(turn.attention["times"], weights * len(weights), color=canvas.BLUE)
            else:
                _note(column[2], NO_SPEECH_ATTENTION)
            _finish(column[2], turn)
        axes[0, 0].set_ylabel("waveform")
        axes[1, 0].set_ylabel("mel band")
        axes[2, 0].set_ylabel(f"prosody→speech\n{RELATIVE}")
        for axis in axes[2]:
            axis.set_ylim(0, max(axis.get_ylim()[1] for axis in axes[2]))


def _has(clip: Shown, name: str) -> bool:
    return name in clip.attention and clip.attention[name].size > 0


def _rows(clip: Shown, weights: Array, times: Array) -> pd.DataFrame:
    """weights [T] at times [T]."""
    facts = {"clip": clip.id, "rank": clip.rank, "label": clip.label, "predicted": clip.predicted}
    return pd.DataFrame(facts | {"time_s": times, "weight": weights, "relative": weights * len(weights)})


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _highest(clip: Shown) -> float:
    maps = [clip.attention[name] for name in ("video_to_audio", "audio_to_video") if _has(clip, name)]
    return max([float(weights.max() * weights.shape[1]) for weights in maps] or [1.0])


def _frames(axis, clip: Shown) -> None:
    """Each frame over the stretch of time that it stands for."""
    axis.grid(False)
    axis.set_yticks([])
    axis.tick_params(bottom=False)
    axis.spines[:].set_visible(False)
    left, right = _edges(clip.frame_times, clip.end)
    widest = float((right - left).max(initial=0))
    for frame, start, stop in zip(clip.frames, left, right, strict=True):
        columns = round(frame.shape[1] * (stop - start) / widest) if widest else 0
        if columns:  # a short video repeats frames
            edge = (frame.shape[1] - columns) // 2  # cut, for a narrower stretch would squeeze the face
            middle = frame[:, edge : edge + columns]
            axis.imshow(middle, extent=(start, stop, 0, 1), aspect="auto", interpolation="antialiased")
    if not len(clip.frames):
        _note(axis, "no picture")
    axis.set_xlim(0, clip.end)
    axis.set_ylim(0, 1)


def _waveform(axis, clip: Shown) -> None:
    axis.grid(False)
    axis.set_yticks([])
    axis.set_xlim(0, clip.end)
    if not len(clip.peaks):
        _note(axis, "no sound")
        return
    lowest, highest = clip.peaks.T.astype(np.float32)
    axis.fill_between((np.arange(len(lowest)) + 0.5) * clip.hop, lowest, highest, color=canvas.GREY, linewidth=0.3)
    reach = float(np.abs(clip.peaks).max())
    axis.set_ylim(-reach or -1, reach or 1)


def _mel(axis, clip: Shown) -> None:
    axis.grid(False)
    if not len(clip.mel):
        _note(axis, "no sound")
        return
    extent = (0, len(clip.mel) * clip.hop, 0, clip.mel.shape[1])
    mel = clip.mel.T.astype(np.float32)
    axis.imshow(mel, origin="lower", extent=extent, aspect="auto", cmap="magma", interpolation="nearest")
    axis.set_xlim(0, clip.end)


def _maps(first, second, clip: Shown, top: float):
    """Both directions as heat maps of frame against audio time; returns an image for the colour bar."""
    image = None
    for axis, name in ((first, "video_to_audio"), (second, "audio_to_video")):
        axis.grid(False)
        if not _has(clip, name):
            _note(axis, NO_ATTENTION)
            continue
        weights = clip.attention[name]
        relative = weights * weights.shape[1]  # rows are queries
        relative = relative if name == "video_to_audio" else relative.T
        left, right = _edges(clip.attention["audio_times"], clip.end)
        numbers = np.arange(len(relative) + 1) + 0.5
        image = axis.pcolormesh(np.append(left, right[-1]), numbers, relative, cmap="viridis", vmin=0, vmax=top)
        axis.set_yticks(range(1, len(relative) + 1, max(1, len(relative) // 4)))
        axis.set_xlim(0, clip.end)
    return image


def _profiles(axis, clip: Shown) -> None:
    """Mean over the queries of each direction."""
    if _has(clip, "video_to_audio"):
        heard = clip.attention["video_to_audio"].mean(0)
        axis.plot(
            clip.attention["audio_times"],
            heard * len(heard),
            color=canvas.BLUE,
            label="video→audio: which sound the frames attend to",
        )
        seen = clip.attention["audio_to_video"].mean(0)
        times = clip.attention["video_times"]
        axis.plot(
            times,
            seen * len(seen),
            "o-",
            color=canvas.VERMILION,
            markersize=4,
            label="audio→video: which frames the sound attends to",
        )
    else:
        _note(axis, NO_ATTENTION)
    _finish(axis, clip)


def _finish(axis, clip: Shown) -> None:
    axis.axhline(1, color=canvas.GREY, linewidth=0.8, linestyle=":")
    axis.set_xlim(0, clip.end)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("time in s")


def _note(axis, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=canvas.GREY)
    axis.set_yticks([])


def _edges(times: Array, end: float) -> tuple[Array, Array]:
    """Left and right ends [T] of the stretches that times [T] stand for: half-way to the neighbours."""
    times = np.asarray(times, float)
    if not len(times):
        return times, times
    half_way = (times[1:] + times[:-1]) / 2
    step = float(np.diff(times).mean()) if len(times) > 1 else end
    first, last = max(0.0, times[0] - step / 2), min(end, times[-1] + step / 2)
    return np.concatenate([[first], half_way]), np.concatenate([half_way, [last]])
