"""The label and transcript files of a dialogue in IEMOCAP's text formats."""

from avemotion.synthesis.dialogue import Rating, Turn, consensus, majority

_NAMES = {
    "neu": "Neutral state",
    "hap": "Happiness",
    "sad": "Sadness",
    "ang": "Anger",
    "fru": "Frustration",
    "exc": "Excited",
}


def evaluation_text(turns: list[Turn]) -> str:
    """EmoEvaluation file: a header, then each turn with its rater lines.

    As in the original, turns are sorted by speaker (the dialogue's letter first), then by time.
    """
    first = turns[0].id[5]
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for turn in sorted(turns, key=lambda turn: (turn.speaker != first, turn.start)):
        valence, arousal, dominance = consensus(turn.ratings)
        lines = [
            f"[{turn.start:.4f} - {turn.end:.4f}]\t{turn.id}\t{majority(turn.ratings)}"
            f"\t[{valence:.4f}, {arousal:.4f}, {dominance:.4f}]"
        ]
        lines += [f"C-{rating.rater}:\t{_NAMES[rating.category]};\t()" for rating in turn.ratings if rating.category]
        lines += [_attributes(rating) for rating in turn.ratings if rating.valence is not None]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _attributes(rating: Rating) -> str:
    dominance = "" if rating.dominance is None else rating.dominance
    return f"A-{rating.rater}:\tval {rating.valence}; act {rating.arousal}; dom  {dominance};\t()"


def transcription_text(turns: list[Turn]) -> str:
    """transcriptions file: one line per turn, in time order."""
    ordered = sorted(turns, key=lambda turn: turn.start)
    return "".join(f"{turn.id} [{turn.start:08.4f}-{turn.end:08.4f}]: {turn.text}\n" for turn in ordered)
