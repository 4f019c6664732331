"""Classic features of the sample corpora for the probes: eGeMAPS of the voice, HOG of the face."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FACE = 64  # pixels of a face crop's side
PICTURES = 8  # per clip
TURN = re.compile(r"\[(\d+\.\d+) - (\d+\.\d+)\]\t(\w+)\t(\w+)\t\[(\d+\.\d+), (\d+\.\d+), (\d+\.\d+)\]")


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance with its features; without a detected face, `face` is all zeros."""

    id: str
    group: str  # actor or session; a group is never in training and test
    speaker: str
    dialogue: str
    start: float  # seconds within the dialogue
    truth: np.ndarray  # [1] emotion 0-7, or [2] valence and arousal 1-5
    voice: np.ndarray  # [88] eGeMAPSv02 functionals
    face: np.ndarray  # [3528] mean and standard deviation of HOG over the pictures
    has_face: bool  # whether a face was detected


def ravdess_clips(folder: Path) -> list[Clip]:
    """The clips of one Actor_XX."""
    clips = []
    for sound in sorted(folder.glob("03-*.wav")):
        fields = sound.stem.split("-")
        pictures, _ = read_pictures(sound.with_name(f"02-{sound.stem[3:]}.mp4"))
        face, has_face = face_features(pictures)
        clips.append(
            Clip(
                id=sound.stem,
                group=folder.name,
                speaker=folder.name,
                dialogue="",
                start=0.0,
                truth=np.array([int(fields[2]) - 1.0]),
                voice=voice_features(sound),
                face=face,
                has_face=has_face,
            )
        )
    return clips


def iemocap_clips(labels: Path) -> list[Clip]:
    """The turns of one dialogue, from its EmoEvaluation file."""
    session, dialogue = labels.parents[2], labels.stem
    pictures, fps = read_pictures(session / "dialog/avi/DivX" / f"{dialogue}.avi")
    rows, columns = pictures[0].shape
    clips = []
    for match in TURN.finditer(labels.read_text(encoding="utf-8")):
        start, end = float(match[1]), float(match[2])
        speaker = match[3].split("_")[-1][0]
        left = 0 if speaker == dialogue[5] else columns // 2
        area = slice(rows // 4, 3 * rows // 4), slice(left, left + columns // 2)
        own = [np.ascontiguousarray(picture[area]) for picture in pictures[int(start * fps) : int(end * fps) + 1]]
        face, has_face = face_features(own)
        clips.append(
            Clip(
                id=match[3],
                group=session.name,
                speaker=dialogue[:5] + speaker,
                dialogue=dialogue,
                start=start,
                truth=np.array([float(match[5]), float(match[6])]),
                voice=voice_features(session / "sentences/wav" / dialogue / f"{match[3]}.wav"),
                face=face,
                has_face=has_face,
            )
        )
    return clips


def voice_features(path: Path) -> np.ndarray:
    """eGeMAPSv02 functionals [88]."""
    import opensmile
    import soundfile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, num_workers=1)
    waveform, sample_rate = soundfile.read(path, dtype="float32")
    return np.nan_to_num(smile.process_signal(waveform, sample_rate).to_numpy()[0])


def read_pictures(path: Path) -> tuple[list[np.ndarray], float]:
    """Grey pictures [rows, columns] and the frame rate."""
    import cv2

    file, pictures = cv2.VideoCapture(str(path)), []
    while True:
        more, picture = file.read()
        if not more:
            return pictures, file.get(cv2.CAP_PROP_FPS)
        pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def face_features(pictures: list[np.ndarray]) -> tuple[np.ndarray, bool]:
    """HOG statistics over equally spaced pictures, cropped to the first detected face box."""
    import cv2

    cv2.setNumThreads(1)
    detector = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    hog = cv2.HOGDescriptor((FACE, FACE), (16, 16), (8, 8), (8, 8), 9)
    chosen = [pictures[index] for index in np.linspace(0, len(pictures) - 1, PICTURES).round().astype(int)]
    for picture in chosen:
        boxes = detector.detectMultiScale(picture, 1.1, 4, minSize=(picture.shape[0] // 4,) * 2)
        if len(boxes):
            x, y, width, height = max(boxes, key=lambda box: box[2])
            crops = [cv2.resize(p[y : y + height, x : x + width], (FACE, FACE)) for p in chosen]
            features = np.array([hog.compute(crop).ravel() for crop in crops])
            return np.concatenate([features.mean(0), features.std(0)]), True
    return np.zeros(2 * hog.getDescriptorSize()), False
