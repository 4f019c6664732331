"""What holds for every kind of feature."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recordings import extract, voice

from avemotion.extraction import extraction
from avemotion.features.parts import noise
from stages import features


@pytest.mark.parametrize("kind", ["wavlm", "mel", "prosody", "speaker"])
def test_of_a_long_recording_only_the_beginning_is_read(kind, monkeypatch):
    monkeypatch.setattr(noise, "MEASURED", 2.0)
    changes = {"views.emotion": [20]}
    changes |= {f"features.{name}.max_seconds": 2.0 for name in ("wavlm", "prosody", "speaker")}
    long = voice(5, 130, 0)
    _, found = extract(kind, {"a": long, "b": long[:32000]}, changes | {"features.mel.seconds": 2.0})
    assert found["a"][1]["cut"] == 1 and found["b"][1]["cut"] == 0
    if kind != "mel":  # each mixes noise by its id
        changed = found["a"][0]["clean"]
        for name, rows in found["b"][0]["clean"].items():
            np.testing.assert_array_equal(rows, changed[name])


@pytest.mark.parametrize("kind", ["wavlm", "mel", "prosody", "speaker"])
def test_a_waveform_and_a_file_that_holds_it_have_the_same_rows(kind):
    """Also for an extractor from the settings in a checkpoint, whose only view is the clean one."""
    waveform = voice(1.3, 140, 2).astype(np.float32)
    extractor, found = extract(kind, {"a": waveform}, {"views.emotion": [20], "features.wavlm.layers": [0]})
    views, counts = found["a"]
    in_memory, counted = extractor.extract_waveform("a", waveform)
    assert counted == counts and in_memory.keys() == views.keys()
    settings = json.loads(json.dumps(extraction.settings(extractor)))
    restored, _ = (
        importlib.import_module(f"avemotion.features.{kind}")
        .restore(settings, "cpu")
        .extract_waveform("another name", waveform)
    )
    assert list(restored) == ["clean"]
    for view, rows in views.items():
        assert in_memory[view].keys() == rows.keys() == restored["clean"].keys()
        for name, values in rows.items():
            np.testing.assert_array_equal(in_memory[view][name], values)
            if view == "clean":
                np.testing.assert_array_equal(restored[view][name], values)


def test_prosody_and_frames_do_not_load_torch():
    repo = Path(features.__file__).resolve().parents[1]
    for kind in ("prosody", "frames"):
        code = f"import sys, stages.features, avemotion.features.{kind}; print('torch' in sys.modules)"
        ran = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "False"
