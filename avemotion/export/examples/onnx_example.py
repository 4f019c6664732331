"""Runs the exported model: python example.py RECORDING.wav ... [INPUTS.npz]

Needs numpy, onnxruntime and soundfile. Recordings are 16 kHz and one clip each; for valence and arousal they are the
turns of one dialogue, in time order. INPUTS.npz has one row per recording for other inputs: frames [files, N, 3, H, W],
prosody [files, P], speaker [files, S]. Without frames there is no picture. preprocessing.json describes all inputs.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

here = Path(__file__).parent
facts = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(here / facts["file"])
ports = {port["name"]: port for port in facts["inputs"]}


def sound(file: str) -> np.ndarray:
    """The waveform [samples]: mean over channels, ends trimmed where the features are, cut or padded to the limits."""
    waveform, rate = soundfile.read(file, dtype="float32", always_2d=True)
    if rate != 16000:
        sys.exit(f"{file} has {rate} Hz; convert it first: ffmpeg -i {file} -ac 1 -ar 16000 converted.wav")
    waveform, trim_db = waveform.mean(1), facts["trim_db"]
    if trim_db is not None and len(waveform) >= 400:  # from the first to the last loud frame, and 50 ms around them
        frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), 400)[::160]
        power = np.square(frames).mean(1)
        loud = np.flatnonzero(power >= power.max() * 10 ** (-trim_db / 10)) * 160
        waveform = waveform[max(0, loud[0] - 800) : loud[-1] + 400 + 800]
    _, low, high = ports["waveform"]["shape"][0]
    return np.pad(waveform[:high], (0, max(0, low - len(waveform))))


files = [name for name in sys.argv[1:] if not name.endswith(".npz")]
others = [np.load(name) for name in sys.argv[1:] if name.endswith(".npz")]
rows = {name: values for archive in others for name, values in archive.items()}
if missing := [name for name in ("prosody", "speaker") if name in ports and name not in rows]:
    sys.exit(f"give INPUTS.npz with {' and '.join(missing)} of each recording; preprocessing.json describes them")
state: dict[str, np.ndarray] = {}
for i, file in enumerate(files):
    least = {name: [n if isinstance(n, int) else n[1] for n in port["shape"]] for name, port in ports.items()}
    given = {name: np.zeros(shape, ports[name]["dtype"]) for name, shape in least.items()} | state
    given |= {name: values[i].astype(np.float32) for name, values in rows.items()}
    if "waveform" in ports:
        given["waveform"] = sound(file)
    present = {"has_sound": "waveform" in ports, "has_picture": "frames" in rows}
    given |= {name: np.array(value) for name, value in present.items() if name in ports}
    found = dict(zip([port["name"] for port in facts["outputs"]], session.run(None, given), strict=True))
    state = {name.removeprefix("next_"): value for name, value in found.items() if name.startswith("next_")}
    shown = {name: found[name].astype(float).round(6).tolist() for name in found if not name.startswith("next_")}
    print(json.dumps({"file": file, **shown}))
