"""A synthetic speaker's voice and the shaping of a sentence by prosody."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from avemotion.synthesis import engine

# Intelligible variants of espeak-ng of similar pitch; the speakers use them in turn.
FEMALE_VARIANTS = ("f1", "f2", "f4", "f3")
MALE_VARIANTS = ("m2", "m5", "m6", "m3")
PITCH_POINTS = 4.6  # points of espeak-ng's pitch scale per semitone (measured)
ROOM = (26, 34)  # dB from neutral speech down to the room noise of a recording
SPEECH_LEVEL = -27.0  # dB re full scale (rms) of a neutral sentence; +12 dB still do not clip


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """The difference of a sentence from its speaker's neutral way of speaking. All zero = neutral."""

    pitch: float = 0.0  # semitones
    pitch_range: float = 0.0  # octaves (log2 of the range factor)
    rate: float = 0.0  # natural log of the rate factor
    level: float = 0.0  # dB
    tilt: float = 0.0  # dB above 1 kHz: positive = tense, negative = lax
    tremor: float = 0.0  # depth of a 5.5 Hz loudness modulation, 0..1
    breath: float = 0.0  # share of aspiration noise, 0..1


@dataclass(frozen=True, kw_only=True)
class Voice:
    """The constant properties of a speaker's voice."""

    name: str  # espeak-ng voice
    tract: float  # factor on all frequencies, formants included: vocal tract length
    pitch: float  # espeak-ng scale
    pitch_range: float  # espeak-ng scale
    rate: float  # words per minute
    level: float  # dB
    tilt: float  # dB
    expressiveness: float  # factor of every difference from neutral


def draw_voice(rng: np.random.Generator, *, female: bool, index: int) -> Voice:
    """A speaker's voice; index picks the variant, so that neighbouring speakers sound different."""
    variants = FEMALE_VARIANTS if female else MALE_VARIANTS
    return Voice(
        name=f"en-us+{variants[index % len(variants)]}",
        tract=float(np.exp(rng.uniform(-0.035, 0.035))),
        pitch=46 + rng.uniform(-2, 2),
        pitch_range=45 + rng.uniform(-4, 4),
        rate=184 * float(np.exp(rng.uniform(-0.04, 0.04))),
        level=rng.uniform(-0.5, 0.5),
        tilt=rng.uniform(-0.5, 0.5),
        expressiveness=rng.uniform(0.93, 1.10),
    )


def speak(voice: Voice, text: str, prosody: Prosody, *, sample_rate: int, margin: float, seed: int) -> np.ndarray:
    """A sentence as a recording.

    Args:
        sample_rate: Hz of the result.
        margin: seconds of room noise before and after the speech.

    Returns:
        waveform [samples] float64, within -1..1, never clipped.
    """
    rng = np.random.default_rng(seed)
    raw = engine.synthesise(
        text,
        voice=voice.name,
        rate=np.clip(voice.rate * np.exp(prosody.rate) / voice.tract, 85, 400),
        pitch=np.clip(voice.pitch + PITCH_POINTS * prosody.pitch, 2, 99),
        pitch_range=np.clip(voice.pitch_range * 2**prosody.pitch_range, 4, 99),
        seed=seed,
    )
    speech = _resample(_trim(raw), sample_rate / engine.SAMPLE_RATE / voice.tract)
    speech = _shape(speech, prosody, voice.tilt, sample_rate, rng)
    speech *= 10 ** ((SPEECH_LEVEL + voice.level + prosody.level) / 20) / np.sqrt(np.mean(speech**2))
    pause = np.zeros(round(margin * sample_rate))
    return _record(np.concatenate([pause, speech, pause]), rng)


def _trim(waveform: np.ndarray) -> np.ndarray:
    """The waveform without the synthesiser's leading and trailing silence."""
    loud = np.flatnonzero(np.abs(waveform) > 0.004)
    return waveform[max(0, loud[0] - 200) : loud[-1] + 600].astype(np.float64)


def _resample(waveform: np.ndarray, factor: float) -> np.ndarray:
    from scipy.signal import resample_poly

    ratio = Fraction(factor).limit_denominator(160)
    return resample_poly(waveform, ratio.numerator, ratio.denominator)


def _shape(
    speech: np.ndarray, prosody: Prosody, voice_tilt: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Add spectral tilt, breathiness, tremor and a slow swell, which espeak-ng does not have."""
    from scipy.signal import butter, lfilter

    low = lfilter(*butter(1, 1000 / (sample_rate / 2)), speech)
    speech = low + (speech - low) * 10 ** ((voice_tilt + prosody.tilt) / 20)
    if prosody.breath > 0:
        envelope = np.sqrt(np.maximum(lfilter([0.004], [1, -0.996], speech**2), 0))
        aspiration = lfilter([1, -0.7], [1], rng.standard_normal(len(speech))) * envelope
        speech = speech * (1 - 0.25 * prosody.breath) + 0.22 * prosody.breath * aspiration
    seconds = np.arange(len(speech)) / sample_rate
    tremor_rate, tremor_phase = 5.5 + rng.uniform(-0.7, 0.7), rng.uniform(0, 2 * np.pi)
    speech = speech * (1 + 0.9 * max(0.0, prosody.tremor) * np.sin(2 * np.pi * tremor_rate * seconds + tremor_phase))
    swells, swell_phase = rng.uniform(0.5, 1.0), rng.uniform(0, 2 * np.pi)
    return speech * (1 + 0.12 * np.sin(2 * np.pi * swells * seconds / seconds[-1] + swell_phase))


def _record(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add room noise and a soft limiter."""
    from scipy.signal import lfilter

    noise = lfilter([1], [1, -0.85], rng.standard_normal(len(speech)))
    noise *= 10 ** ((SPEECH_LEVEL - rng.uniform(*ROOM)) / 20) / noise.std()
    return np.tanh(speech + noise)
