"""A free alternative to eGeMAPS: pitch, level, voice quality, spectral balance and timing, with numpy and scipy.

Frames of 40 ms every 10 ms. Statistics of voiced (unvoiced) frames are 0 if there are none, as in eGeMAPS. Definitions
follow Eyben et al. 2016 (doi 10.1109/TAFFC.2015.2457417), for those statistics that the paper defines.
"""

import numpy as np
from scipy.fft import dct
from scipy.signal import find_peaks, medfilt

from avemotion.media.waveforms import SAMPLE_RATE

WINDOW, HOP = 640, 160  # samples at 16 kHz: 40 ms is longer than two periods of 60 Hz
FRAME_RATE = SAMPLE_RATE / HOP
FFT = 2048
F0_RANGE = (60.0, 500.0)  # Hz
VOICED_STRENGTH = 0.5  # lowest normalised autocorrelation at the period
VOICED_LEVEL = 35.0  # dB below the loudest frame
OCTAVE_COST = 0.02  # per octave of lag: of two equal peaks, the shorter period is used

CONTOURS = (
    "level_db",
    "alpha_ratio_db",
    "hammarberg_db",
    "slope_0_500_db_per_khz",
    "slope_500_1500_db_per_khz",
    "centroid_hz",
    "flux_db",
    "mfcc1",
    "mfcc2",
    "mfcc3",
    "mfcc4",
)
SPREAD = ("mean", "std", "p20", "p50", "p80", "range", "rise_per_s", "fall_per_s")
FREE_NAMES = (
    *(f"f0_semitone_{name}" for name in SPREAD),
    *(f"level_db_{name}" for name in SPREAD),
    "jitter",
    "shimmer_db",
    "hnr_db_mean",
    "hnr_db_std",
    *(f"voiced_{name}_{statistic}" for name in CONTOURS[1:] for statistic in ("mean", "std")),
    *(f"unvoiced_{name}_mean" for name in CONTOURS[1:7]),
    "voiced_ratio",
    "voiced_segments_per_s",
    "voiced_length_mean_s",
    "voiced_length_std_s",
    "unvoiced_length_mean_s",
    "unvoiced_length_std_s",
    "level_peaks_per_s",
)


def free_functionals(waveform: np.ndarray) -> np.ndarray:
    """waveform [samples] at 16 kHz, at least 40 ms -> float64 [len(FREE_NAMES)], all finite."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), WINDOW)[::HOP]
    level = 10 * np.log10((frames**2).mean(1) + 1e-10)
    f0, strength = pitch(frames)
    voiced = (strength > VOICED_STRENGTH) & (level > level.max() - VOICED_LEVEL)
    voiced = medfilt(voiced.astype(float), 5) > 0
    semitone = 12 * np.log2(medfilt(f0, 5).clip(*F0_RANGE) / 27.5)
    contours = _contours(frames, level)
    pairs = voiced[1:] & voiced[:-1]
    period, clean = 1 / f0, strength.clip(1e-3, 1 - 1e-3)
    hnr = 10 * np.log10(clean / (1 - clean))[voiced]
    voiced_lengths, unvoiced_lengths = _runs(voiced), _runs(~voiced)
    peaks, _ = find_peaks(np.convolve(level, np.ones(7) / 7, "same"), prominence=3)
    seconds = len(waveform) / SAMPLE_RATE
    values = [
        *_spread(semitone, voiced),
        *_spread(level, np.ones_like(voiced)),
        _mean(np.abs(np.diff(period))[pairs]) / (_mean(period[voiced]) or 1.0),
        _mean(np.abs(np.diff(level))[pairs]),
        _mean(hnr),
        _std(hnr),
        *(f(contours[name][voiced]) for name in CONTOURS[1:] for f in (_mean, _std)),
        *(_mean(contours[name][~voiced]) for name in CONTOURS[1:7]),
        voiced.mean(),
        len(voiced_lengths) / seconds,
        _mean(voiced_lengths),
        _std(voiced_lengths),
        _mean(unvoiced_lengths),
        _std(unvoiced_lengths),
        len(peaks) / seconds,
    ]
    return np.array(values)


def pitch(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """frames [T, WINDOW] -> F0 [T] in Hz and its strength [T], about 0 (noise) to 1 (periodic).

    The autocorrelation of the windowed frame divided by that of the window (Boersma 1993).
    """
    window = np.hanning(WINDOW)
    centred = (frames - frames.mean(1, keepdims=True)) * window

    def autocorrelation(signal: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.abs(np.fft.rfft(signal, FFT)) ** 2, FFT)[..., : WINDOW // 2 + 16]

    raw, of_window = autocorrelation(centred), autocorrelation(window)
    normalised = raw / (raw[:, :1] + 1e-9) / (of_window / of_window[0])
    shortest, longest = int(SAMPLE_RATE / F0_RANGE[1]), int(SAMPLE_RATE / F0_RANGE[0])
    lags = np.arange(shortest, longest + 1)
    best = shortest + np.argmax(normalised[:, lags] - OCTAVE_COST * np.log2(lags), axis=1)
    rows = np.arange(len(frames))
    left, peak, right = (normalised[rows, best + shift] for shift in (-1, 0, 1))
    curvature = left - 2 * peak + right
    shift = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, 1.0), 0.0)  # parabola
    return SAMPLE_RATE / (best + shift.clip(-0.5, 0.5)), peak.clip(0, 1)


def _contours(frames: np.ndarray, level: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> [T]."""
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), FFT)) ** 2 + 1e-10
    hertz = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)
    decibel = 10 * np.log10(power)

    def band(low: float, high: float) -> slice:
        return slice(np.searchsorted(hertz, low), np.searchsorted(hertz, high))

    def slope(low: float, high: float) -> np.ndarray:
        x = hertz[band(low, high)] / 1000
        return decibel[:, band(low, high)] @ (x - x.mean()) / ((x - x.mean()) ** 2).sum()

    energy = {edge: power[:, band(*edge)].sum(1) for edge in ((50, 1000), (1000, 5000))}
    bands = np.log(_band_energies(power, hertz))
    cepstrum = dct(bands, norm="ortho", axis=1)
    flux = np.abs(np.diff(bands - bands.mean(1, keepdims=True), axis=0, prepend=bands[:1] - bands[:1].mean())).mean(1)
    values = (
        level,
        10 * np.log10(energy[50, 1000] / energy[1000, 5000]),
        decibel[:, band(0, 2000)].max(1) - decibel[:, band(2000, 5000)].max(1),
        slope(0, 500),
        slope(500, 1500),
        (power @ hertz) / power.sum(1),
        flux * 10 / np.log(10),
        *cepstrum[:, 1:5].T,
    )
    return dict(zip(CONTOURS, values, strict=True))


def _band_energies(power: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """[T, 26] energies in triangular bands, equally spaced in mel (HTK) from 20 Hz to 8 kHz."""
    mel = 2595 * np.log10(1 + hertz / 700)
    edges = np.linspace(2595 * np.log10(1 + 20 / 700), mel[-1], 28)
    rising = (mel[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - mel[:, None]) / np.diff(edges)[1:]
    return power @ np.minimum(rising, falling).clip(0) + 1e-10


def _spread(contour: np.ndarray, use: np.ndarray) -> list[float]:
    """The statistics of SPREAD over the frames in use; slopes use pairs of neighbours that are both in use."""
    values = contour[use]
    if not len(values):
        return [0.0] * len(SPREAD)
    low, middle, high = np.percentile(values, [20, 50, 80])
    steps = np.diff(contour)[use[1:] & use[:-1]] * FRAME_RATE
    return [
        values.mean(),
        values.std(),
        low,
        middle,
        high,
        high - low,
        _mean(steps[steps > 0]),
        _mean(steps[steps < 0]),
    ]


def _runs(flags: np.ndarray) -> np.ndarray:
    """Lengths in seconds of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return (edges[1::2] - edges[::2]) / FRAME_RATE


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _std(values: np.ndarray) -> float:
    return float(values.std()) if len(values) else 0.0
