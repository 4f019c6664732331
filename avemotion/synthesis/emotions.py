"""Emotion in voice and face: by category (RAVDESS half) and by valence and arousal (IEMOCAP half).

The two modalities have independent strength and noise, and neither is complete: voices have little noise in arousal and
much in valence, faces the reverse.
"""

from dataclasses import astuple, dataclass

import numpy as np

from avemotion.synthesis.voice import Prosody


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Intensities 0..1 of facial action units (FACS, Ekman and Friesen 1978). All zero = at rest."""

    inner_brow_raiser: float = 0.0  # AU 1
    outer_brow_raiser: float = 0.0  # AU 2
    brow_lowerer: float = 0.0  # AU 4
    upper_lid_raiser: float = 0.0  # AU 5
    cheek_raiser: float = 0.0  # AU 6
    lid_tightener: float = 0.0  # AU 7
    nose_wrinkler: float = 0.0  # AU 9
    lip_corner_puller: float = 0.0  # AU 12
    lip_corner_depressor: float = 0.0  # AU 15
    lip_stretcher: float = 0.0  # AU 20
    jaw_drop: float = 0.0  # AU 26

    def vector(self) -> np.ndarray:
        """[11] in the order of the fields."""
        return np.array(astuple(self))


@dataclass(frozen=True, kw_only=True)
class Emotion:
    """One category at full strength."""

    prosody: Prosody
    expression: Expression
    arousal: float  # -1..1, drives head motion
    head_down: float = 0.0  # head units


EMOTIONS = {
    "neutral": Emotion(prosody=Prosody(), expression=Expression(), arousal=0.0),
    "calm": Emotion(
        prosody=Prosody(pitch=-1.1, pitch_range=-0.44, rate=-0.13, level=-3.3, tilt=-3.3, breath=0.17),
        expression=Expression(lip_corner_puller=0.3, cheek_raiser=0.1, lid_tightener=0.1),
        arousal=-0.5,
    ),
    "happy": Emotion(
        prosody=Prosody(pitch=2.86, pitch_range=0.55, rate=0.06, level=2.75, tilt=2.2),
        expression=Expression(cheek_raiser=0.75, lip_corner_puller=0.9, jaw_drop=0.15),
        arousal=0.5,
    ),
    "sad": Emotion(
        prosody=Prosody(pitch=-1.32, pitch_range=-0.66, rate=-0.18, level=-4.95, tilt=-3.85, tremor=0.13, breath=0.33),
        expression=Expression(inner_brow_raiser=0.8, brow_lowerer=0.3, lip_corner_depressor=0.8),
        arousal=-0.5,
        head_down=0.05,
    ),
    "angry": Emotion(
        prosody=Prosody(pitch=2.64, pitch_range=0.44, rate=0.09, level=6.05, tilt=5.5),
        expression=Expression(brow_lowerer=0.9, upper_lid_raiser=0.25, lid_tightener=0.75, lip_stretcher=0.1),
        arousal=0.7,
    ),
    "fearful": Emotion(
        prosody=Prosody(pitch=4.62, pitch_range=-0.22, rate=0.18, level=0.55, tilt=0.55, tremor=0.31, breath=0.28),
        expression=Expression(
            inner_brow_raiser=0.8,
            outer_brow_raiser=0.35,
            brow_lowerer=0.4,
            upper_lid_raiser=0.75,
            lip_stretcher=0.85,
            jaw_drop=0.2,
        ),
        arousal=0.6,
    ),
    "disgust": Emotion(
        prosody=Prosody(pitch=-1.1, pitch_range=0.22, rate=-0.13, level=0.88, tilt=0.33, breath=0.06),
        expression=Expression(nose_wrinkler=0.9, brow_lowerer=0.35, lip_corner_depressor=0.35, lid_tightener=0.2),
        arousal=0.1,
    ),
    "surprised": Emotion(
        prosody=Prosody(pitch=4.62, pitch_range=0.88, rate=-0.04, level=2.2, tilt=1.1, breath=0.06),
        expression=Expression(inner_brow_raiser=0.8, outer_brow_raiser=0.85, upper_lid_raiser=0.75, jaw_drop=0.65),
        arousal=0.6,
    ),
}

# Strength of an expression as a share of the category's, random for every clip and modality.
VOICE_STRENGTH = (0.70, 1.20)
FACE_STRENGTH = (0.30, 1.00)
BLEND_SHARE = 0.12  # share of clips whose face is half way to another category
# Standard deviations of the random part of a clip's prosody; [7] in the order of Prosody's fields.
VOICE_NOISE = np.array([1.25, 0.28, 0.06, 2.0, 1.25, 0.0, 0.0])
FACE_NOISE = 0.10  # of an action unit, in half of the action units


def category_prosody(emotion: Emotion, strength: float, rng: np.random.Generator) -> Prosody:
    """strength: of intensity and speaker."""
    strength *= rng.uniform(*VOICE_STRENGTH)
    departure = strength * np.array(astuple(emotion.prosody)) + VOICE_NOISE * rng.standard_normal(len(VOICE_NOISE))
    return _prosody(departure)


def category_expression(emotion: Emotion, strength: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Action units [11] of a clip, and the strength of the expression."""
    strength *= rng.uniform(*FACE_STRENGTH)
    units = strength * emotion.expression.vector() + _stray_units(rng)
    other = list(EMOTIONS.values())[rng.integers(len(EMOTIONS))]
    if rng.random() < BLEND_SHARE:
        units = 0.45 * units + 0.4 * other.expression.vector()
    return np.clip(units, 0, 1), strength


def _stray_units(rng: np.random.Generator) -> np.ndarray:
    size = len(Expression().vector())
    return np.abs(rng.normal(0, FACE_NOISE, size)) * (rng.random(size) < 0.5)


def _prosody(departure: np.ndarray) -> Prosody:
    """[7] in the order of Prosody's fields; tremor and breath are never negative."""
    values = dict(zip(Prosody.__dataclass_fields__, departure.tolist(), strict=True))
    return Prosody(**{**values, "tremor": max(0.0, values["tremor"]), "breath": max(0.0, values["breath"])})


# Standard deviations of (valence, arousal) of a modality around those of the turn, on the -1..1 scale.
VOICE_AFFECT_NOISE = (0.45, 0.25)
FACE_AFFECT_NOISE = (0.42, 0.50)


def affect_prosody(valence: float, arousal: float, strength: float, rng: np.random.Generator) -> Prosody:
    """valence, arousal: on -1..1, before the noise of the voice."""
    valence, arousal = np.array([valence, arousal]) + rng.normal(0, VOICE_AFFECT_NOISE)
    departure = strength * np.array(
        [
            3.6 * arousal + 0.9 * valence,
            0.45 * arousal + 0.5 * valence,
            0.12 * arousal,
            5.0 * arousal,
            3.2 * arousal - 1.5 * valence,
            0.12 * max(0.0, -valence) * max(0.0, 0.3 - arousal),
            0.25 * max(0.0, -arousal),
        ]
    )
    return _prosody(departure + 0.65 * VOICE_NOISE * rng.standard_normal(len(VOICE_NOISE)))


def affect_expression(valence: float, arousal: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Action units [11] of a turn and the arousal of its face; arguments as for affect_prosody."""
    valence, arousal = np.array([valence, arousal]) + rng.normal(0, FACE_AFFECT_NOISE)
    positive, negative = max(0.0, valence), max(0.0, -valence)
    active, passive = max(0.0, arousal), max(0.0, -arousal)
    expression = Expression(
        inner_brow_raiser=0.7 * negative * passive + 0.15 * active,
        outer_brow_raiser=0.25 * active * positive + 0.1 * active,
        brow_lowerer=negative * (0.45 + 0.4 * active),
        upper_lid_raiser=0.45 * active,
        cheek_raiser=0.75 * max(0.0, valence - 0.1),
        lid_tightener=0.65 * negative * active,
        nose_wrinkler=0.35 * negative * active,
        lip_corner_puller=0.95 * positive,
        lip_corner_depressor=0.75 * negative * (0.6 + 0.4 * passive),
        lip_stretcher=0.15 * negative * active,
        jaw_drop=0.18 * active,
    )
    return np.clip(expression.vector() + _stray_units(rng), 0, 1), float(arousal)
