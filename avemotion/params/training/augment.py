"""Section `augment`: augmentation of training clips, seeded by clip and epoch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpecAugmentParams:
    """Masks on the log-mel spectrogram (Park et al. 2019)."""

    p: float  # probability that a clip gets any mask; 0 switches masks off
    masks: int  # of each kind
    freq: int  # widest frequency mask, mel bands
    time: int  # longest time mask, frames

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise ValueError(f"p is {self.p}; a probability lies in 0 to 1")
        if min(self.masks, self.freq, self.time) < 0:
            raise ValueError("masks, freq and time must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class WarpParams:
    """A random affine map of the log-mel spectrogram; each number is drawn evenly between minus and plus its value."""

    scale: float  # of the frequency axis about its centre, as by the length of the vocal tract
    shift: float  # along the frequency axis, in halves of that axis
    tempo: float  # of the time axis

    def __post_init__(self) -> None:
        for name in ("scale", "shift", "tempo"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 (off) to less than 1")


@dataclass(frozen=True, kw_only=True)
class AudioAugmentParams:
    """Audio of training clips: a view, then warp, crop and masks of its log-mel."""

    views: dict[str, float]  # relative weight of each cached view (clean, snr_20 ...); empty means clean only
    warp: WarpParams  # for mel encoders of any length
    crop: int | None  # frames, a random part of a longer clip; null = the whole clip; for mel encoders of any length
    spec_augment: SpecAugmentParams  # for the mel encoders

    def __post_init__(self) -> None:
        if any(weight < 0 for weight in self.views.values()) or (self.views and sum(self.views.values()) <= 0):
            raise ValueError(f"views is {self.views}; weights must be 0 or more and not all 0")
        if self.crop is not None and self.crop < 1:
            raise ValueError(f"crop is {self.crop}; give 1 or more frames, or null for whole clips")


@dataclass(frozen=True, kw_only=True)
class FrameAugmentParams:
    """Frames of training clips. Each change has its own probability and applies to all frames of a clip."""

    draw: int | None  # frames of a clip in one epoch, drawn anew each epoch; null = all
    flip: float  # probability of mirroring left and right
    blur: float  # probability of a Gaussian blur, kernel 3, 5 or 7
    darken: float  # probability of darkening by a factor of 0.2 to 0.6
    noise: float  # probability of Gaussian noise, standard deviation 0.02

    def __post_init__(self) -> None:
        if self.draw is not None and self.draw < 1:
            raise ValueError(f"draw is {self.draw}; give 1 or more, or null for all frames")
        for name in ("flip", "blur", "darken", "noise"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a probability lies in 0 to 1")


@dataclass(frozen=True, kw_only=True)
class StillAugmentParams:
    """Still pictures of training clips. Turn, scale and shift are drawn evenly between minus and plus their value."""

    turn: float  # degrees
    scale: float  # change of size
    shift: float  # share of a side
    flip: float  # probability of mirroring left and right
    erase: float  # probability of erasing a square of an eighth to a third of a side (Zhong et al. 2020)

    def __post_init__(self) -> None:
        for name, highest in (("turn", 180.0), ("scale", 0.9), ("shift", 0.5), ("flip", 1.0), ("erase", 1.0)):
            if not 0.0 <= getattr(self, name) <= highest:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies in 0 to {highest:g}")
