"""What a checkpoint's preprocessor_config.json says of the waveforms that its model takes."""

from typing import Any

from avemotion.models.speech import strict_loading
from avemotion.models.speech.families import Family

FILE = "preprocessor_config.json"
SAMPLE_RATE = 16_000  # Hz, of the waveforms that models take here


def refuse(family: Family, name: str, param: str) -> None:
    """Check a model's sampling rate.

    Args:
        name: hub id or folder of the model. param: key of params.yaml that gives it.

    Raises:
        ValueError: another rate than 16 kHz; or the file is absent in a family that needs it.
    """
    stated = _stated(name)
    if stated is None and family.states_normalisation:
        raise _absent(name, param)
    rate = (stated or {}).get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise ValueError(
            f"{param} is {name!r}, whose {FILE} has sampling_rate {rate}; sound is read at {SAMPLE_RATE} Hz, so give a "
            "model of that rate"
        )


def normalises(name: str, param: str) -> bool:
    """Whether waveforms are scaled to zero mean and unit variance.

    Raises:
        ValueError: there is no such file.
    """
    if (stated := _stated(name)) is None:
        raise _absent(name, param)
    return bool(stated.get("do_normalize", True))  # the default of transformers' Wav2Vec2FeatureExtractor


def _stated(name: str) -> dict[str, Any] | None:
    """The fields of the file; None where there is none, or no network to look for it."""
    from transformers import Wav2Vec2FeatureExtractor

    try:
        place, revision = strict_loading.split(name)
        stated, _ = Wav2Vec2FeatureExtractor.get_feature_extractor_dict(place, revision=revision)
    except (OSError, ValueError):
        return None
    return stated


def _absent(name: str, param: str) -> ValueError:
    return ValueError(
        f"{param} is {name!r}, but its {FILE}, which says whether waveforms are normalised, is not beside config.json, "
        "nor in the local cache, nor downloadable; put it there, or connect to the network once"
    )
