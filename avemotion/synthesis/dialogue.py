"""The course of a synthetic dialogue: speakers, turns, moods and ratings."""

from dataclasses import dataclass, field

import numpy as np

SENTENCES = (
    "I can't believe you did that.",
    "So what did he say to you?",
    "I have been waiting for an hour.",
    "It's going to be fine.",
    "You never listen to me.",
    "We should leave tomorrow morning.",
    "Do you remember that summer?",
    "I got the letter this morning.",
    "Please just tell me the truth.",
    "That's not what I meant.",
    "I don't know what to do anymore.",
    "They moved to another city.",
    "Can you bring me the form?",
    "That was the best day of all.",
    "Nobody told me about it.",
    "I think we made it.",
    "Let's talk about it later.",
    "He left without a word.",
    "You have to stand in that line.",
    "I'm so happy for you.",
)

MOOD_MEMORY = 0.85  # correlation of a mood's random part with that of the previous turn
MOOD_SPREAD = 0.25  # standard deviation of that part, in points of the 1-5 scale
TURN_SPREAD = 0.16  # of a turn around the mood
RATER_SPREAD = 0.4  # of a rater around the turn, before rounding to whole points
DOUBLE_TURNS = 0.15  # share of turns that follow a turn of the same speaker


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One rating of a turn; a self-rating if the speaker is the rater."""

    rater: str  # E2, E3, E4: outside raters; F1 or M1: the speaker
    category: str | None  # three letters; None = no category
    valence: int | None  # 1-5; None together with arousal = no attributes
    arousal: int | None
    dominance: int | None  # may be missing alone


@dataclass(kw_only=True)
class Turn:
    """One utterance. Its times in seconds are set when the sentence has been synthesised."""

    id: str
    speaker: str  # F or M
    text: str
    valence: float  # 1-5, as intended
    arousal: float  # 1-5, as intended
    ratings: list[Rating] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0


def draw_turns(name: str, count: int, rng: np.random.Generator, *, phase: np.ndarray) -> list[Turn]:
    """The turns of a dialogue in time order, without times.

    Valence and arousal are the sum of a slow arc of both speakers, a first-order autoregressive mood, an offset of the
    speaker and noise of the turn.

    Args:
        name: of the dialogue, such as Ses01F_impro01; its letter is the first speaker.
        phase: [2] of the valence and arousal arcs at the first turn, radians.
    """
    arcs, height = rng.uniform(0.35, 0.70, 2), rng.uniform((1.0, 0.95), (1.6, 1.5))
    offsets = {letter: rng.normal(0, 0.12, 2) for letter in "FM"}
    spoken = {"F": 0, "M": 0}
    speaker, mood = name[5], rng.normal(0, MOOD_SPREAD, 2)
    turns = []
    for index in range(count):
        if index and rng.random() >= DOUBLE_TURNS:
            speaker = "M" if speaker == "F" else "F"
        mood = MOOD_MEMORY * mood + np.sqrt(1 - MOOD_MEMORY**2) * rng.normal(0, MOOD_SPREAD, 2)
        arc = height * np.cos(phase + 2 * np.pi * arcs * index / count)
        valence, arousal = np.clip(3 + arc + mood + offsets[speaker] + rng.normal(0, TURN_SPREAD, 2), 1, 5)
        turn = Turn(
            id=f"{name}_{speaker}{spoken[speaker]:03d}",
            speaker=speaker,
            text=SENTENCES[rng.integers(len(SENTENCES))],
            valence=float(valence),
            arousal=float(arousal),
        )
        turn.ratings = _rate(turn, rng)
        spoken[speaker] += 1
        turns.append(turn)
    return turns


def _rate(turn: Turn, rng: np.random.Generator) -> list[Rating]:
    """Three outside raters give categories, two of them also attributes; the speaker gives both."""
    dominance = 3 + 0.6 * (turn.arousal - 3) + 0.25 * (turn.valence - 3) + rng.normal(0, 0.3)

    def points(value: float) -> int:
        return int(np.clip(round(value + rng.normal(0, RATER_SPREAD)), 1, 5))

    ratings = []
    for rater in ("E2", "E3", "E4", f"{turn.speaker}1"):
        category = _category(turn.valence + rng.normal(0, 0.3), turn.arousal + rng.normal(0, 0.3))
        valence, arousal, rated = points(turn.valence), points(turn.arousal), points(dominance)
        blank = rater == "E4" and rng.random() < 0.05  # E4 sometimes leaves dominance out
        if rater == "E2":
            valence, arousal, rated = None, None, None
        ratings.append(
            Rating(
                rater=rater,
                category=category,
                valence=valence,
                arousal=arousal,
                dominance=None if blank else rated,
            )
        )
    return ratings


def _category(valence: float, arousal: float) -> str:
    if valence > 3.45:
        return "exc" if arousal > 3.35 else "hap"
    if valence >= 2.6:
        return "neu"
    if arousal > 3.5:
        return "ang"
    return "sad" if arousal < 2.65 else "fru"


def outside(ratings: list[Rating]) -> list[Rating]:
    """The ratings that count: all except the speaker's own."""
    return [rating for rating in ratings if rating.rater.startswith("E")]


def majority(ratings: list[Rating]) -> str:
    """The category of at least two of the three outside raters; xxx if there is none."""
    votes = [rating.category for rating in outside(ratings) if rating.category]
    winner = max(sorted(set(votes)), key=votes.count)
    return winner if 2 * votes.count(winner) > len(votes) else "xxx"


def consensus(ratings: list[Rating]) -> tuple[float, float, float]:
    """Mean valence, arousal and dominance over the outside raters with attributes."""
    rated = [rating for rating in outside(ratings) if rating.valence is not None]
    dominance = [rating.dominance for rating in rated if rating.dominance is not None]
    return (
        float(np.mean([rating.valence for rating in rated])),
        float(np.mean([rating.arousal for rating in rated])),
        float(np.mean(dominance)),
    )
