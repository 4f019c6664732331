"""A person before a camera: head motion over a clip, framing, exposure and sensor noise."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from avemotion.synthesis import drawing, head
from avemotion.synthesis.face import Moment, draw_face
from avemotion.synthesis.head import HeadLayer, Looks

HEAD_SHARE = 0.30  # a head unit as a share of the picture's height; the face has two thirds of the height
SENSOR_NOISE = 2.0  # standard deviation in 0..255


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Head and eyes over the N frames of a clip, each [N]."""

    x: np.ndarray  # head units
    y: np.ndarray  # head units, down
    roll: np.ndarray  # degrees
    turn: np.ndarray  # to the side, about -0.3..0.3
    gaze_x: np.ndarray  # -1..1
    gaze_y: np.ndarray  # -1..1, down
    blink: np.ndarray  # 0 open .. 1 closed


def draw_motion(
    frames: int, fps: float, rng: np.random.Generator, *, arousal: np.ndarray | float, head_down: float = 0.0
) -> Motion:
    """Slow swaying, wider and faster with higher arousal (-1..1, a number or [N]); head_down in head units."""
    seconds = np.arange(frames) / fps
    liveliness = 0.35 + 0.65 * np.clip(0.5 + 0.5 * np.broadcast_to(arousal, frames), 0, 1.2)

    def sway(width: float) -> np.ndarray:
        pace = 1 + 0.5 * float(np.mean(arousal))
        waves = [
            rng.uniform(0.4, 1)
            * np.sin(2 * np.pi * rng.uniform(0.25, 1.1) * pace * seconds + rng.uniform(0, 2 * np.pi))
            for _ in range(2)
        ]
        return width * liveliness * sum(waves)

    return Motion(
        x=sway(0.045),
        y=sway(0.03) + head_down,
        roll=sway(2.2) + rng.normal(0, 1.5),
        turn=sway(0.16) + rng.normal(0, 0.12),
        gaze_x=sway(0.25) + rng.normal(0, 0.2),
        gaze_y=sway(0.15) + 6 * head_down,
        blink=_blinks(frames, fps, rng),
    )


def _blinks(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Closed for about a fifth of a second every 1.6-4 s."""
    seconds, closed = np.arange(frames) / fps, np.zeros(frames)
    moment = rng.uniform(0.2, 2.5)
    while moment < frames / fps:
        closed = np.maximum(closed, np.clip(1.25 - np.abs(seconds - moment) / 0.1, 0, 1))
        moment += rng.uniform(1.6, 4.0)
    return closed


def mouth_opening(waveform: np.ndarray, sample_rate: int, fps: float, frames: int) -> np.ndarray:
    """[frames] 0..1.1: loudness of the sound during each picture, relative to the clip's loud parts."""
    edges = (np.arange(frames + 1) * sample_rate / fps).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(waveform**2)])
    energy = np.diff(energy[np.minimum(edges, len(waveform))]) / np.diff(edges)
    loudness = np.sqrt(np.maximum(energy, 0))
    opening = np.clip(loudness / (np.percentile(loudness, 95) + 1e-9) - 0.12, 0, 1.1)
    return np.convolve(np.pad(opening, 1), [0.2, 0.6, 0.2], "valid")  # smoothed over neighbours, because lips have mass


class Portrait:
    """One person in pictures of rows x columns: the still layers are painted once, the rest for every frame."""

    def __init__(self, looks: Looks, rows: int, columns: int, rng: np.random.Generator) -> None:
        self.looks, self.rows, self.columns = looks, rows, columns
        self.scale = HEAD_SHARE * rows * rng.uniform(0.95, 1.05)  # pixels a head unit
        self.layer: HeadLayer = head.paint_head(looks, self.scale * 1.05)
        fall_off = np.linspace(1.05, 0.88, rows)[:, None, None]
        side_light = 1 + 0.4 * looks.light * np.linspace(-1, 1, columns)[None, :, None]
        wall = np.asarray(looks.wall) * fall_off * side_light
        self.background = np.rint(np.clip(wall, 0, 255)).astype(np.uint8)

    def picture(self, units: np.ndarray, motion: Motion, index: int, mouth: float) -> np.ndarray:
        """Frame index of the motion with action units [11] -> [rows, columns, 3] uint8 (blue, green, red)."""
        x = self.columns / 2 + motion.x[index] * self.scale
        y = self.rows * 0.53 + (motion.y[index] - 0.03 * mouth) * self.scale
        angle = np.radians(motion.roll[index])
        rotation = self.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        pose = np.column_stack([rotation, [x, y]])
        picture = self.background.copy()
        self._draw_shoulders(picture, x)
        self._lay_head(picture, pose)
        moment = Moment(
            mouth_opening=0.8 * mouth,
            blink=motion.blink[index],
            turn=motion.turn[index],
            gaze=(motion.gaze_x[index], motion.gaze_y[index]),
        )
        draw_face(picture, pose, self.looks, units, moment)
        return picture

    def _draw_shoulders(self, picture: np.ndarray, x: float) -> None:
        half_way = 0.5 * x + 0.25 * self.columns  # the trunk sways less than the head
        pose = np.array([[self.scale, 0, half_way], [0, self.scale, 0.53 * self.rows]])
        width = 1.45 if self.looks.female else 1.65
        outline = drawing.mirror([(0, 1.22), (0.5, 1.25), (0.8 * width, 1.45), (width, 1.75), (width + 0.1, 2.4)])
        drawing.fill(picture, pose, outline, self.looks.shirt)

    def _lay_head(self, picture: np.ndarray, pose: np.ndarray) -> None:
        corners = np.array([(x, y) for x in (head.LEFT, head.RIGHT) for y in (head.TOP, head.BOTTOM)])
        pixels = corners @ pose[:, :2].T + pose[:, 2]
        left, top = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(pixels.max(axis=0)).astype(int), (self.columns, self.rows))
        # layer pixels -> head units -> pixels of the region
        linear = pose[:, :2] / self.layer.scale
        offset = pose[:, :2] @ (head.LEFT, head.TOP) + pose[:, 2] - (left, top)
        warp, size = np.column_stack([linear, offset]), (int(right - left), int(bottom - top))
        colour = cv2.warpAffine(self.layer.colour, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.merge([cv2.warpAffine(self.layer.alpha, warp, size, flags=cv2.INTER_LINEAR)] * 3)
        region = picture[top:bottom, left:right]
        over = cv2.multiply(colour, alpha, scale=1 / 255)
        region[:] = cv2.add(over, cv2.multiply(region, cv2.bitwise_not(alpha), scale=1 / 255))


@lru_cache
def _noise_field(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, SENSOR_NOISE, (rows + 64, columns + 64)).astype(np.float32)


def develop(picture: np.ndarray, exposure: float, rng: np.random.Generator) -> np.ndarray:
    """[rows, columns, 3] -> I420 [3/2 rows, columns] with exposure and luminance noise; black stays black."""
    rows, columns = picture.shape[:2]
    i420 = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    top, left = rng.integers(0, 64, 2)  # a random window of one noise field: new noise would take longer than the face
    luma = i420[:rows].astype(np.float32)
    noise = _noise_field(rows, columns)[top : top + rows, left : left + columns]
    i420[:rows] = np.where(luma > 16, np.clip(luma * exposure + noise, 16, 240), luma).astype(np.uint8)
    return i420
