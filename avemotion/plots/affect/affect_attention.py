"""Attention over speech in selected test turns: attention_affect.png and attention_prosody_to_speech.csv."""

from pathlib import Path

from avemotion.plots.common import canvas, clip_attention

NO_SPEECH_ATTENTION = "no attention over speech in this model"


def save(folder: Path, turns: list[clip_attention.Shown]) -> None:
    """Write attention_prosody_to_speech.csv and attention_affect.png."""
    name = "prosody_to_speech"
    attended = [turn for turn in turns if clip_attention.has(turn, name)]
    rows = [clip_attention.rows(turn, turn.attention[name], turn.attention["times"]) for turn in attended]
    canvas.table(folder / f"attention_{name}.csv", clip_attention.joined(rows), NO_SPEECH_ATTENTION)
    with canvas.picture(folder / "attention_affect.png", 0.8 + 4.4 * len(turns), 4.6) as figure:
        heights = {"height_ratios": [0.7, 1.6, 1.6]}
        axes = figure.subplots(3, len(turns), squeeze=False, sharex="col", gridspec_kw=heights)
        for column, turn in zip(axes.T, turns, strict=True):
            column[0].set_title(f"{turn.rank}: {turn.id}\ntrue {turn.label}\npredicted {turn.predicted}")
            clip_attention.waveform(column[0], turn)
            clip_attention.mel(column[1], turn)
            if clip_attention.has(turn, name):
                weights = turn.attention[name]
                column[2].fill_between(turn.attention["times"], weights * len(weights), color=canvas.BLUE, alpha=0.35)
                column[2].plot(turn.attention["times"], weights * len(weights), color=canvas.BLUE)
            else:
                clip_attention.note(column[2], NO_SPEECH_ATTENTION)
            clip_attention.finish(column[2], turn)
        axes[0, 0].set_ylabel("waveform")
        axes[1, 0].set_ylabel("mel band")
        axes[2, 0].set_ylabel(f"prosody→speech\n{clip_attention.RELATIVE}")
        for axis in axes[2]:
            axis.set_ylim(0, max(axis.get_ylim()[1] for axis in axes[2]))
