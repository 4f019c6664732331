"""A synthetic corpus in the layout of RAVDESS (speech): actors speak two statements in eight emotions."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from avemotion.params.sample import RavdessParams
from avemotion.synthesis import camera, emotions, head, media_files, voice
from avemotion.system.seeds import seed_for

SAMPLE_RATE = 48_000  # Hz
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
MARGIN = 0.06  # seconds of silence before and after the sentence; the real recordings have about one
INTENSITY_STRENGTH = {1: 0.8, 2: 1.15}  # normal, strong


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recording, by the fields of its file name."""

    emotion: int  # 1-8
    intensity: int  # 1 normal, 2 strong
    statement: int  # 1 or 2
    repetition: int
    actor: int

    @property
    def name(self) -> str:
        """File name without modality and ending: speech channel, then the fields."""
        return f"01-{self.emotion:02d}-{self.intensity:02d}-{self.statement:02d}-{self.repetition:02d}-{self.actor:02d}"


def list_trials(actor: int, params: RavdessParams) -> Iterator[Trial]:
    """The trials of an actor, in the order of their names; neutral has one intensity."""
    for emotion in range(1, len(emotions.EMOTIONS) + 1):
        for intensity in (1,) if emotion == 1 else (1, 2):
            for statement in (1, 2):
                for repetition in range(1, params.repetitions + 1):
                    turn = (emotion + intensity + statement + repetition + actor) % 2 == 0
                    if emotion == 1 or params.trials == "all" or turn:
                        yield Trial(
                            emotion=emotion,
                            intensity=intensity,
                            statement=statement,
                            repetition=repetition,
                            actor=actor,
                        )


def write_actor(actor: int, *, root: Path, params: RavdessParams, seed: int) -> int:
    """Write Actor_XX below root; returns the number of trials."""
    female = actor % 2 == 0
    rng = np.random.default_rng(seed_for(seed, "ravdess", actor))
    speaker = voice.draw_voice(rng, female=female, index=(actor - 1) // 2)
    looks = head.draw_looks(rng, female=female)
    facial_expressiveness = rng.uniform(0.85, 1.15)
    trials = list(list_trials(actor, params))
    for trial in trials:
        clip_seed = seed_for(seed, "ravdess", trial.name)
        waveform = _speak_trial(trial, speaker, clip_seed)
        folder = root / f"Actor_{actor:02d}"
        media_files.write_wav(folder / f"03-{trial.name}.wav", waveform, SAMPLE_RATE)
        pictures = _film_trial(trial, looks, facial_expressiveness, waveform, params, clip_seed)
        media_files.write_mp4(folder / f"02-{trial.name}.mp4", pictures, Fraction(params.fps).limit_denominator(1001))
    return len(trials)


def _emotion(trial: Trial) -> tuple[str, emotions.Emotion]:
    return list(emotions.EMOTIONS.items())[trial.emotion - 1]


def _speak_trial(trial: Trial, speaker: voice.Voice, clip_seed: int) -> np.ndarray:
    name, emotion = _emotion(trial)
    rng = np.random.default_rng(seed_for(clip_seed, "voice"))
    strength = speaker.expressiveness * INTENSITY_STRENGTH[trial.intensity]
    prosody = emotions.category_prosody(emotion, strength, rng)
    ending = {"angry": "!", "happy": "!", "surprised": "?" if rng.random() < 0.5 else "!"}.get(name, ".")
    return voice.speak(
        speaker,
        STATEMENTS[trial.statement - 1] + ending,
        prosody,
        sample_rate=SAMPLE_RATE,
        margin=MARGIN,
        seed=seed_for(clip_seed, "sound"),
    )


def _film_trial(
    trial: Trial,
    looks: head.Looks,
    expressiveness: float,
    waveform: np.ndarray,
    params: RavdessParams,
    clip_seed: int,
) -> Iterator[np.ndarray]:
    _, emotion = _emotion(trial)
    rng = np.random.default_rng(seed_for(clip_seed, "face"))
    strength = expressiveness * INTENSITY_STRENGTH[trial.intensity]
    units, shown = emotions.category_expression(emotion, strength, rng)
    frames = max(1, int(len(waveform) / SAMPLE_RATE * params.fps))
    motion = camera.draw_motion(
        frames,
        params.fps,
        rng,
        arousal=float(np.clip(emotion.arousal * shown + rng.normal(0, 0.35), -1, 1)),
        head_down=emotion.head_down * shown + rng.normal(0, 0.015),
    )
    mouth = camera.mouth_opening(waveform, SAMPLE_RATE, params.fps, frames)
    portrait = camera.Portrait(looks, params.height, params.width, rng)
    exposure = rng.uniform(0.88, 1.10)
    for index in range(frames):
        onset = min(1.0, 0.45 + 0.55 * index / (0.3 * frames))  # the expression grows over the first third
        yield camera.develop(portrait.picture(onset * units, motion, index, mouth[index]), exposure, rng)
