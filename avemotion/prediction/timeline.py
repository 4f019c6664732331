"""A picture of a recording and its predictions, on one time axis in seconds."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from avemotion.features.mel import Params, log_mels
from avemotion.formats.targets import listed
from avemotion.media.pictures import read_frames
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.plots.common import canvas
from avemotion.prediction import output
from avemotion.prediction.recording import Recording
from avemotion.prediction.trained_models import Models
from avemotion.prediction.windows import Prediction, Window
from avemotion.system.media_error import MediaError

COLUMNS = 1200  # of the spectrogram, at most
STRIP = 7.0  # width of the strip of frames as a multiple of its height
ATTENTION = {
    "video_to_audio": ("video→audio", canvas.BLUE),
    "audio_to_video": ("audio→video", canvas.VERMILION),
    "prosody_to_speech": ("prosody→speech", canvas.GREEN),
}


def save(file: Path, prediction: Prediction, models: Models) -> None:
    """Draw frames, waveform, spectrogram, emotions, valence and arousal, attention; an axis without data has a note."""
    classes, scale = models.classes, models.affect.scale if models.affect else None
    warnings = output.warnings(models)
    recording, windows = prediction.recording, prediction.windows
    with canvas.picture(file, 11, 10.5) as figure:
        ratios = [1.1, 0.7, 1.1, 2.0, 1.5, 1.5]
        axes = figure.subplots(6, 1, sharex=True, gridspec_kw={"height_ratios": ratios})
        figure.suptitle("\n".join([recording.path.name, *warnings]), fontsize=10)
        _frames(axes[0], recording)
        _waveform(axes[1], recording)
        _spectrogram(axes[2], recording)
        _emotions(axes[3], windows, classes)
        _affect(axes[4], windows, prediction.targets, scale)
        _attention(axes[5], windows)
        for axis in axes[3:]:
            for window in windows[1:] if len(windows) < 60 else []:
                axis.axvline(window.start, color="white", linewidth=0.8, alpha=0.7)
        axes[5].set_xlabel("time in s")
        axes[5].set_xlim(0, recording.seconds)


def _frames(axis: Axes, recording: Recording) -> None:
    _bare(axis)
    if not recording.has_picture:
        _note(axis, "no picture")
        return
    seconds = recording.picture_end - recording.picture_start
    try:
        height, width = read_frames(recording.path, 1)[0].shape[1:3]
        across = STRIP * seconds / recording.seconds  # pictures of the strip's height, side by side
        pictures, times = read_frames(recording.path, min(24, max(1, round(across * height / width))))
    except MediaError as error:  # damage further on; the notes of the prediction name it
        _note(axis, error.reason)
        return
    half = seconds / len(pictures) / 2
    for picture, time in zip(pictures, times.tolist(), strict=True):  # each around its time
        axis.imshow(picture, extent=(time - half, time + half, 0, 1), aspect="auto", interpolation="antialiased")
    axis.set_ylim(0, 1)


def _waveform(axis: Axes, recording: Recording) -> None:
    """Draw the highest and lowest sample of every interval."""
    axis.set_yticks([])
    axis.set_ylabel("sound")
    if recording.waveform is None:
        _note(axis, "no sound")
        return
    intervals = np.array_split(recording.waveform, min(COLUMNS, len(recording.waveform)))
    times = (np.arange(len(intervals)) + 0.5) * len(recording.waveform) / SAMPLE_RATE / len(intervals)
    low, high = ([edge(part) for part in intervals] for edge in (np.min, np.max))
    axis.fill_between(times, low, high, color=canvas.GREY, linewidth=0)


def _spectrogram(axis: Axes, recording: Recording) -> None:
    axis.grid(False)
    axis.set_ylabel("mel band")
    if recording.waveform is None:
        _note(axis, "no sound")
        return
    seconds = len(recording.waveform) / SAMPLE_RATE
    hop = max(160, math.ceil(len(recording.waveform) / COLUMNS))
    n_fft = max(400, hop)
    wanted = Params(
        trim_db=None,
        seconds=seconds,
        n_fft=n_fft,
        window=n_fft,
        hop=hop,
        mels=64,
        low=0.0,
        high=SAMPLE_RATE / 2,
        top_db=80.0,
        dtype="float32",
    )
    mel, _ = log_mels(recording.waveform[None], wanted)
    axis.imshow(mel[0].T, origin="lower", extent=(0, seconds, 0, 64), aspect="auto", cmap="magma")


def _emotions(axis: Axes, windows: list[Window], classes: list[str]) -> None:
    """Draw stacked probabilities, constant over a window (with overlap, until the next window begins)."""
    axis.set_ylabel("emotion\nprobability")
    if all(window.emotion is None for window in windows):
        _note(axis, "no emotion: the model needs what this recording lacks")
        return
    colours = [*canvas.COLOURS, canvas.YELLOW, canvas.GREY, "#333333", "#B0B0B0"]
    nothing = np.full(len(classes), np.nan)
    shares = np.array([nothing if window.emotion is None else window.emotion for window in windows])
    starts, ends = _intervals(windows)
    bottom = np.zeros(len(windows))
    for i, name in enumerate(classes):
        colour = colours[i % len(colours)]
        axis.bar(starts, shares[:, i], ends - starts, bottom, align="edge", color=colour, label=name, linewidth=0)
        bottom = bottom + shares[:, i]
    axis.set_ylim(0, 1)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _affect(axis: Axes, windows: list[Window], targets: list[str], scale: dict[str, list[float]] | None) -> None:
    """Draw the mean over the folds' models as one step per window, and the standard deviation as a band."""
    axis.set_ylabel(listed([target[0].upper() for target in targets]))
    if all(window.affect is None for window in windows):
        _note(axis, "no valence and arousal without sound" if windows else "")
        return
    starts, ends = _intervals(windows)
    for k, target in enumerate(targets):
        colour = canvas.COLOURS[k]
        for window, start, end in zip(windows, starts, ends, strict=True):
            if window.affect is not None:
                mean, spread = window.affect[:, k].mean(), window.affect[:, k].std()
                axis.fill_between([start, end], mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
        means = [np.nan if window.affect is None else window.affect[:, k].mean() for window in windows]
        axis.stairs(means, np.append(starts, ends[-1]), color=colour, baseline=None, linewidth=2, label=target)
    if scale:  # predictions may be outside of it
        low, high = axis.get_ylim()
        ends = [scale[target] for target in targets]
        axis.set_ylim(min(low, *(end[0] for end in ends)), max(high, *(end[1] for end in ends)))
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="mean ± sd over folds")


def _attention(axis: Axes, windows: list[Window]) -> None:
    """Draw each window's weights relative to uniform ones, until the next window begins."""
    axis.set_ylabel("relative weight\n(1 = uniform)")
    axis.axhline(1, color=canvas.GREY, linewidth=0.8, linestyle=":")
    for name, (label, colour) in ATTENTION.items():
        style, shown = "o-" if name == "audio_to_video" else "-", False
        for window, end in zip(windows, _intervals(windows)[1], strict=True):
            if name in window.attention:
                times, weights = window.attention[name]
                own = times < end
                axis.plot(
                    times[own],
                    (weights * len(weights))[own],
                    style,
                    color=colour,
                    markersize=3,
                    label=None if shown else label,
                )
                shown = True
    if not axis.get_legend_handles_labels()[1]:
        _note(axis, "no attention in these models, or nothing to attend to")
        return
    axis.set_ylim(bottom=0)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _intervals(windows: list[Window]) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each window's part of the time axis: until the next window begins."""
    starts = np.array([window.start for window in windows])
    return starts, np.append(starts[1:], windows[-1].end)


def _bare(axis: Axes) -> None:
    axis.grid(False)
    axis.set_yticks([])
    axis.tick_params(bottom=False)
    axis.spines[:].set_visible(False)


def _note(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=canvas.GREY)
    axis.set_yticks([])
