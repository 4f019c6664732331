"""espeak-ng through its C interface; the espeakng-loader wheel has the library and its voices."""

import ctypes
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

SAMPLE_RATE = 22050  # Hz, of every espeak-ng voice
LONGEST = 38  # characters of a voice name; espeak-ng copies it into a 40 byte buffer

# From speak_lib.h
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_CHARACTERS, _UTF8 = 1, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def synthesise(text: str, *, voice: str, rate: float, pitch: float, pitch_range: float, seed: int) -> np.ndarray:
    """One synthetic sentence.

    espeak-ng has oscillator phases and random state in C globals that no call resets, so its output depends on earlier
    sentences. Every sentence therefore loads its own copy of the library (about a millisecond): equal arguments give
    equal samples in every process and order.

    Args:
        voice: language and variant, such as "en-us+f2".
        rate: words a minute, 80-450.
        pitch, pitch_range: espeak-ng's own scales, 0-99.

    Returns:
        waveform [samples] float32 in -1..1 at SAMPLE_RATE.
    """
    assert len(voice) <= LONGEST, voice
    with tempfile.TemporaryDirectory(prefix="espeak-") as folder:
        copy = Path(folder, _library().name)
        shutil.copyfile(_library(), copy)
        library = ctypes.CDLL(str(copy))
    try:
        return _speak(library, text.encode(), voice.encode(), (rate, pitch, pitch_range), seed)
    finally:
        library.espeak_Terminate()
        unload = ctypes.CDLL(None).dlclose
        unload.argtypes = [ctypes.c_void_p]
        unload(library._handle)


@lru_cache
def _library() -> Path:
    import espeakng_loader

    return Path(espeakng_loader.get_library_path())


def _speak(library: ctypes.CDLL, text: bytes, voice: bytes, settings: tuple[float, ...], seed: int) -> np.ndarray:
    import espeakng_loader

    chunks: list[np.ndarray] = []

    def receive(samples, count, _events) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # continue

    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    data = espeakng_loader.get_data_path().encode()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT) != SAMPLE_RATE:
        raise RuntimeError(f"espeak-ng did not start with its voices in {data.decode()}; reinstall espeakng-loader")
    callback = _CALLBACK(receive)  # referenced until the end, because C has only its address
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    library.espeak_ng_SetRandSeed(seed % 2**31)
    if library.espeak_SetVoiceByName(voice) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice.decode()}")
    for parameter, value in zip((_RATE, _PITCH, _RANGE, _VOLUME), (*settings, 90), strict=True):
        library.espeak_SetParameter(parameter, round(value), 0)
    size = ctypes.c_size_t(len(text) + 1)  # with the final zero
    library.espeak_Synth(text, size, 0, _CHARACTERS, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(chunks).astype(np.float32) / 32768
