"""Attention in selected test clips: attention_emotion.png, attention_{video_to_audio,audio_to_video}.csv."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from avemotion.plots.common import canvas, clip_attention

NO_ATTENTION = "no attention in this fusion mode"


def save(folder: Path, clips: list[clip_attention.Shown]) -> None:
    """Write attention_video_to_audio.csv, attention_audio_to_video.csv and attention_emotion.png."""
    for name, keys in (("video_to_audio", "audio_times"), ("audio_to_video", "video_times")):
        attended = [clip for clip in clips if clip_attention.has(clip, name)]
        rows = [clip_attention.rows(clip, clip.attention[name].mean(0), clip.attention[keys]) for clip in attended]
        canvas.table(folder / f"attention_{name}.csv", clip_attention.joined(rows), NO_ATTENTION)
    with canvas.picture(folder / "attention_emotion.png", 0.8 + 4.4 * len(clips), 8.2) as figure:
        strip = 4.0 / max([len(clip.frames) for clip in clips] + [6])  # inches: about square frames
        heights = [strip, 0.7, 1.4, 1.4, 1.4, 1.6]
        axes = figure.subplots(6, len(clips), squeeze=False, sharex="col", gridspec_kw={"height_ratios": heights})
        top = max([_highest(clip) for clip in clips] or [1.0])
        for column, clip in zip(axes.T, clips, strict=True):
            column[0].set_title(f"{clip.rank}: {clip.id}\ntrue {clip.label}, predicted {clip.predicted}")
            _frames(column[0], clip)
            clip_attention.waveform(column[1], clip)
            clip_attention.mel(column[2], clip)
            image = _maps(column[3], column[4], clip, top)
            _profiles(column[5], clip)
        for axis in axes[5]:
            axis.set_ylim(0, max(axis.get_ylim()[1] for axis in axes[5]))  # one scale for all clips
        labels = ["", "waveform", "mel band", "frame\n(video→audio)", "frame\n(audio→video)", clip_attention.RELATIVE]
        for axis, label in zip(axes[:, 0], labels, strict=True):
            axis.set_ylabel(label)
        if image is not None:
            figure.colorbar(image, ax=axes[3:5, -1], label=clip_attention.RELATIVE, aspect=15)
            figure.legend(*axes[5, -1].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _highest(clip: clip_attention.Shown) -> float:
    maps = [clip.attention[name] for name in ("video_to_audio", "audio_to_video") if clip_attention.has(clip, name)]
    return max([float(weights.max() * weights.shape[1]) for weights in maps] or [1.0])


def _frames(axis: Axes, clip: clip_attention.Shown) -> None:
    """Draw each frame over its time interval."""
    axis.grid(False)
    axis.set_yticks([])
    axis.tick_params(bottom=False)
    axis.spines[:].set_visible(False)
    left, right = _edges(clip.frame_times, clip.end)
    widest = float((right - left).max(initial=0))
    for frame, start, stop in zip(clip.frames, left, right, strict=True):
        columns = round(frame.shape[1] * (stop - start) / widest) if widest else 0
        if columns:  # a short video repeats frames
            edge = (frame.shape[1] - columns) // 2  # a narrow interval crops the frame instead of squeezing the face
            middle = frame[:, edge : edge + columns]
            axis.imshow(middle, extent=(start, stop, 0, 1), aspect="auto", interpolation="antialiased")
    if not len(clip.frames):
        clip_attention.note(axis, "no picture")
    axis.set_xlim(0, clip.end)
    axis.set_ylim(0, 1)


def _maps(first: Axes, second: Axes, clip: clip_attention.Shown, top: float) -> Any:
    """Draw both directions as heat maps of frame against audio time; returns an image for the colour bar."""
    image = None
    for axis, name in ((first, "video_to_audio"), (second, "audio_to_video")):
        axis.grid(False)
        if not clip_attention.has(clip, name):
            clip_attention.note(axis, NO_ATTENTION)
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


def _profiles(axis: Axes, clip: clip_attention.Shown) -> None:
    """Draw the mean over the queries of each direction."""
    if clip_attention.has(clip, "video_to_audio"):
        over_audio = clip.attention["video_to_audio"].mean(0)
        axis.plot(
            clip.attention["audio_times"],
            over_audio * len(over_audio),
            color=canvas.BLUE,
            label="video→audio: which sound the frames attend to",
        )
        over_video = clip.attention["audio_to_video"].mean(0)
        times = clip.attention["video_times"]
        axis.plot(
            times,
            over_video * len(over_video),
            "o-",
            color=canvas.VERMILION,
            markersize=4,
            label="audio→video: which frames the sound attends to",
        )
    else:
        clip_attention.note(axis, NO_ATTENTION)
    clip_attention.finish(axis, clip)


def _edges(times: clip_attention.Array, end: float) -> tuple[clip_attention.Array, clip_attention.Array]:
    """Left and right ends [T] of the intervals around times [T]: half-way to the neighbours."""
    times = np.asarray(times, float)
    if not len(times):
        return times, times
    half_way = (times[1:] + times[:-1]) / 2
    step = float(np.diff(times).mean()) if len(times) > 1 else end
    first, last = max(0.0, times[0] - step / 2), min(end, times[-1] + step / 2)
    return np.concatenate([[first], half_way]), np.concatenate([half_way, [last]])
