"""Predictions as annotations for players and annotation tools: SubRip, WebVTT, Praat TextGrid, CSV.

The annotations of overlapping windows would overlap, which TextGrid forbids and players stack. So each is shown until
the next window starts. CSV has the true ends.
"""

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avemotion.prediction.windows import Prediction, Window

Span = tuple[float, float, "Window"]  # seconds in which a window is shown


def srt(prediction: "Prediction") -> str:
    """SubRip; windows without any prediction have no subtitle."""
    cues = [
        f"{i}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n"
        for i, (start, end, text) in enumerate(_cues(prediction), 1)
    ]
    return "\n".join(cues)


def vtt(prediction: "Prediction") -> str:
    """WebVTT (W3C), with the notes of the recording as comments."""
    notes = [f"NOTE {note.replace('-->', '->')}\n" for note in prediction.notes]
    cues = [
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{_escaped(text)}\n" for start, end, text in _cues(prediction)
    ]
    return "\n".join(["WEBVTT\n", *notes, *cues])


def textgrid(prediction: "Prediction") -> str:
    """Praat TextGrid, which ELAN imports too: tiers with the emotion, its probability, the share of audio, and the mean
    of each value over the models; an empty label where there is none."""
    tiers: dict[str, Callable[[Window], str]] = {}
    if prediction.classes:
        tiers["emotion"] = lambda window: _predicted(window, prediction) or ""
        tiers["probability"] = lambda window: "" if window.emotion is None else f"{window.emotion.max():.3f}"
    if any(window.gate is not None for window in prediction.windows):
        tiers["audio share"] = lambda window: "" if window.gate is None else f"{window.gate:.3f}"
    if prediction.affect is not None:
        for k, target in enumerate(prediction.targets):
            tiers[target] = lambda w, k=k: "" if w.affect is None else f"{w.affect[:, k].mean():.3f}"
    spans = _spans(prediction)
    bounds = f"xmin = {spans[0][0]:.6f}", f"xmax = {spans[-1][1]:.6f}"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *bounds]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for i, (name, label) in enumerate(tiers.items(), 1):
        lines += [f"    item [{i}]:", '        class = "IntervalTier"', f'        name = "{_quoted(name)}"']
        lines += [*(f"        {bound}" for bound in bounds), f"        intervals: size = {len(spans)}"]
        for j, (start, end, window) in enumerate(spans, 1):
            lines += [f"        intervals [{j}]:", f"            xmin = {start:.6f}", f"            xmax = {end:.6f}"]
            lines.append(f'            text = "{_quoted(label(window))}"')
    return "\n".join(lines) + "\n"


def table(prediction: "Prediction", header: bool = True) -> str:
    """CSV: one row per window; an empty cell is missing. Recordings of the same models have the same columns."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    if header:
        columns = ["file", "start", "end", "sound", "picture", "face", "predicted"]
        columns += [*(f"p_{name}" for name in prediction.classes), "audio_share"]
        write([*columns, *(name for target in prediction.targets for name in (target, f"{target}_sd"))])
    for window in prediction.windows:
        row = [prediction.recording.name, _number(window.start), _number(window.end)]
        row += ["" if flag is None else int(flag) for flag in (window.sound, window.picture, window.face)]
        row.append(_predicted(window, prediction))
        row += [""] * len(prediction.classes) if window.emotion is None else map(_number, window.emotion)
        row.append("" if window.gate is None else _number(window.gate))
        if window.affect is None:
            row += [""] * (2 * len(prediction.targets))
        else:
            row += [_number(value) for of in window.affect.T for value in (of.mean(), of.std())]
        write(row)
    return text.getvalue()


def _spans(prediction: "Prediction") -> list[Span]:
    windows = prediction.windows
    ends = [window.start for window in windows[1:]] + [windows[-1].end]
    return [(window.start, end, window) for window, end in zip(windows, ends, strict=True)]


def _cues(prediction: "Prediction") -> list[tuple[float, float, str]]:
    """Start, end and text of the windows with a prediction."""
    cues = []
    for start, end, window in _spans(prediction):
        lines = []
        if window.emotion is not None:
            lines.append(f"{_predicted(window, prediction)} {window.emotion.max():.0%}")
        if window.affect is not None:
            values = zip(prediction.targets, window.affect.mean(0), window.affect.std(0), strict=True)
            lines.append(", ".join(f"{target} {mean:.2f} ± {sd:.2f}" for target, mean, sd in values))
        if lines:
            cues.append((start, end, "\n".join(lines)))
    return cues


def _predicted(window: "Window", prediction: "Prediction") -> str | None:
    return None if window.emotion is None else prediction.classes[int(window.emotion.argmax())]


def _clock(seconds: float, point: str) -> str:
    """HH:MM:SS and milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def _number(value: float) -> str:
    return f"{value:.6f}"
