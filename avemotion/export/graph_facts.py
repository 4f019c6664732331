"""preprocessing.json of an exported model: inputs and outputs, and how the inputs are made."""

from collections.abc import Mapping
from typing import Any

from avemotion.export.onnx_file import Graph
from avemotion.faces import detection
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.prediction import output
from avemotion.prediction.trained_models import Models

FACES = "grown by `margin` of the side; without a face the central square"


def describe(graph: Graph, models: Models, file: str, opset: int) -> dict[str, Any]:
    """Plain values; `trim_db` and `sample_rate` are those of the input `waveform`."""
    settings, names = models.settings, {port.name for port in graph.inputs}
    mel = models.audio is not None and "mel" in settings and "probabilities" in {port.name for port in graph.outputs}
    content: dict[str, Any] = {
        "file": file,
        "opset": opset,
        "models": output.about(models),
        "inputs": [port.facts() for port in graph.inputs],
        "outputs": [port.facts() for port in graph.outputs],
        "sample_rate": SAMPLE_RATE,
        "trim_db": settings["mel"]["params"]["trim_db"] if mel else None,
    }
    if "frames" in names:
        frames: Mapping[str, Any] = settings["frames"]["params"]
        of_faces = f"{detection.description(frames['detector'])}, {FACES}"
        content["frames"] = dict(frames) | ({"face_detector": of_faces} if frames["face"] else {})
    if "prosody" in names:
        content["prosody"] = models.extractors["prosody"].facts() | dict(settings["prosody"]["params"])
    if "speaker" in names:
        content["speaker"] = models.extractors["speaker"].facts() | dict(settings["speaker"]["params"])
    return content
