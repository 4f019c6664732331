"""A synthetic corpus in the layout of IEMOCAP: five sessions of dialogues, filmed side by side.

It has no sound of whole dialogues (`dialog/wav`): this would repeat `sentences/wav`, which all readers of the corpus
use, and double the size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from avemotion.params.sample import IemocapParams
from avemotion.synthesis import annotation, camera, dialogue, emotions, head, media_files, voice
from avemotion.synthesis.dialogue import Turn
from avemotion.system.seeds import seed_for

SAMPLE_RATE = 16_000  # Hz
SESSIONS = (1, 2, 3, 4, 5)
MARGIN = 0.05  # seconds of silence inside an utterance's file, before and after the sentence
BAND = (0.254, 0.75)  # rows with picture, as fractions of the height; the rest is black
FADE = 0.2  # seconds in which a face changes


@dataclass(frozen=True, kw_only=True)
class Person:
    """A speaker of a session, the same in all its dialogues."""

    voice: voice.Voice
    looks: head.Looks


def dialogue_names(session: int, dialogues: int) -> list[str]:
    """Improvised dialogues; of four or more, the last two are scripted. The letters F and M alternate."""
    improvised = dialogues if dialogues < 4 else dialogues - 2
    names = [f"impro{index // 2 + 1:02d}" for index in range(improvised)] + ["script01_1", "script01_1"]
    return [f"Ses{session:02d}{'FM'[index % 2]}_{name}" for index, name in enumerate(names[:dialogues])]


def list_dialogues(params: IemocapParams) -> list[tuple[int, int]]:
    """(session, index of the dialogue) of the whole corpus."""
    return [(session, index) for session in SESSIONS for index in range(params.dialogues)]


def write_dialogue(place: tuple[int, int], *, root: Path, params: IemocapParams, seed: int) -> int:
    """Write one dialogue's sentences, labels, transcript and film below root; returns its number of turns."""
    session, index = place
    name = dialogue_names(session, params.dialogues)[index]
    people = {letter: _draw_person(session, letter, seed) for letter in "FM"}
    rng = np.random.default_rng(seed_for(seed, "iemocap", name))
    turns = dialogue.draw_turns(name, params.turns, rng, phase=_phase(session, index, params.dialogues, seed, rng))
    folder = root / f"Session{session}"
    sounds = {}
    moment = rng.uniform(0.5, 0.9)
    for turn in turns:
        sounds[turn.id] = _speak_turn(turn, people[turn.speaker].voice, seed)
        media_files.write_wav(folder / "sentences/wav" / name / f"{turn.id}.wav", sounds[turn.id], SAMPLE_RATE)
        turn.start, turn.end = moment, moment + len(sounds[turn.id]) / SAMPLE_RATE
        moment = turn.end + rng.uniform(0.1, 0.4)
    _write_text(folder / "dialog/EmoEvaluation" / f"{name}.txt", annotation.evaluation_text(turns))
    _write_text(folder / "dialog/transcriptions" / f"{name}.txt", annotation.transcription_text(turns))
    pictures = _film(name, turns, sounds, people, params, rng)
    media_files.write_avi(
        folder / "dialog/avi/DivX" / f"{name}.avi", pictures, Fraction(params.fps).limit_denominator(1001)
    )
    return len(turns)


def _draw_person(session: int, letter: str, seed: int) -> Person:
    rng = np.random.default_rng(seed_for(seed, "iemocap", session, letter))
    female = letter == "F"
    return Person(
        voice=voice.draw_voice(rng, female=female, index=session + 2),
        looks=head.draw_looks(rng, female=female),
    )


def _phase(session: int, index: int, dialogues: int, seed: int, rng: np.random.Generator) -> np.ndarray:
    """The arcs of a session's dialogues have evenly spaced phases, so that every session covers the scale."""
    shared = np.random.default_rng(seed_for(seed, "iemocap", session, "arcs"))
    starts = np.stack([(shared.permutation(dialogues) + shared.uniform()) / dialogues for _ in range(2)], axis=1)
    return 2 * np.pi * starts[index] + rng.normal(0, 0.25, 2)


def _centred(turn: Turn) -> tuple[float, float]:
    """Valence and arousal from 1..5 to -1..1."""
    return (turn.valence - 3) / 2, (turn.arousal - 3) / 2


def _speak_turn(turn: Turn, speaker: voice.Voice, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed_for(seed, "iemocap", turn.id, "voice"))
    prosody = emotions.affect_prosody(*_centred(turn), speaker.expressiveness, rng)
    return voice.speak(
        speaker,
        turn.text,
        prosody,
        sample_rate=SAMPLE_RATE,
        margin=MARGIN,
        seed=seed_for(seed, "iemocap", turn.id, "sound"),
    )


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _film(
    name: str,
    turns: list[Turn],
    sounds: dict[str, np.ndarray],
    people: dict[str, Person],
    params: IemocapParams,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Pictures of both speakers; the one of the dialogue's letter, who wears the markers, is on the left."""
    frames = int((turns[-1].end + 0.3) * params.fps)
    top, bottom = (round(share * params.height) for share in BAND)
    half = params.width // 2
    exposure = rng.uniform(0.88, 1.08)
    sides = []
    for letter in (name[5], "M" if name[5] == "F" else "F"):
        own = [turn for turn in turns if turn.speaker == letter]
        units, motion, mouth = _act(own, sounds, frames, params.fps, rng)
        sides.append((camera.Portrait(people[letter].looks, bottom - top, half, rng), units, motion, mouth))
    for index in range(frames):
        picture = np.zeros((params.height, params.width, 3), np.uint8)
        for side, (portrait, units, motion, mouth) in enumerate(sides):
            columns = slice(side * half, (side + 1) * half)
            picture[top:bottom, columns] = portrait.picture(units[index], motion, index, mouth[index])
        yield camera.develop(picture, exposure, rng)


def _act(
    turns: list[Turn], sounds: dict[str, np.ndarray], frames: int, fps: float, rng: np.random.Generator
) -> tuple[np.ndarray, camera.Motion, np.ndarray]:
    """One speaker's face over the dialogue: action units [frames, 11], motion, mouth opening [frames].

    A listener has the face of his or her last turn; before the first turn, the face is at rest.
    """
    units, arousal, mouth = np.zeros((frames, 11)), np.zeros(frames), np.zeros(frames)
    for turn in turns:
        start, end = int(turn.start * fps), min(frames, int(np.ceil(turn.end * fps)))
        units[start:], shown = emotions.affect_expression(*_centred(turn), rng)
        arousal[start:] = np.clip(shown, -1, 1)
        mouth[start:end] = camera.mouth_opening(sounds[turn.id], SAMPLE_RATE, fps, end - start)
    width = max(1, round(FADE * fps))
    padded = np.concatenate([units[:1].repeat(width - 1, axis=0), units])
    faded = np.mean([padded[shift : shift + frames] for shift in range(width)], axis=0)
    motion = camera.draw_motion(frames, fps, rng, arousal=arousal)
    return faded, motion, mouth
