"""Drawn faces, a detector whose faces are known beforehand, and a YuNet whose one face follows from arithmetic."""

from pathlib import Path

import numpy as np

from avemotion.faces import detection
from avemotion.synthesis import camera, head


def portrait(seed: int, height: int = 360, width: int = 480) -> np.ndarray:
    """A drawn head and shoulders, [height, width, 3] RGB."""
    rng = np.random.default_rng(seed)
    motion = camera.draw_motion(20, 10, rng, arousal=0.0)
    person = camera.Portrait(head.draw_looks(rng, female=bool(seed % 2)), height, width, rng)
    return np.ascontiguousarray(person.picture(np.zeros(11), motion, 0, 0.1)[..., ::-1])


def detect_as(monkeypatch, faces_of):
    """Replaces every detector by faces_of(picture) -> list of Face."""
    monkeypatch.setattr(detection, "detector", lambda name, model, digest: faces_of)


def write_yunet(file: Path, size: tuple[float, float] = (40.0, 48.0)) -> Path:
    """A network with YuNet's outputs. Its score is the brightness of each cell of 8 x 8 pixels; larger cells score 0.

    The face of a cell has the cell's corner as its centre and this width and height. Of its points the right eye is a
    cell to the left, the left eye a cell to the right, and both half a cell above.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, values, outputs = [], [], []

    def constant(name: str, value: np.ndarray) -> str:
        values.append(numpy_helper.from_array(value, name))
        return name

    width, height = np.log(np.array(size) / 8)
    points = np.zeros(10)
    points[:4] = -1, -0.5, 1, -0.5
    bias = {"cls": [0], "obj": [1], "bbox": [0, 0, width, height], "kps": points}
    for stride in (8, 16, 32):
        pooled = f"pooled_{stride}"
        kernel = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["input"], [pooled], **kernel))
        for kind, of in bias.items():
            name, channels = f"{kind}_{stride}", len(of)
            weight = np.full((channels, 3, 1, 1), 1 / 765 if (kind, stride) == ("cls", 8) else 0, np.float32)
            wired = [pooled, constant(f"w_{name}", weight), constant(f"b_{name}", np.array(of, np.float32))]
            nodes.append(helper.make_node("Conv", wired, [f"map_{name}"]))
            nodes.append(helper.make_node("Transpose", [f"map_{name}"], [f"rows_{name}"], perm=[0, 2, 3, 1]))
            shape = constant(f"shape_{name}", np.array([1, -1, channels], np.int64))
            nodes.append(helper.make_node("Reshape", [f"rows_{name}", shape], [name]))
    for kind in bias:
        for stride in (8, 16, 32):
            cells = (320 // stride) ** 2
            outputs.append(
                helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [1, cells, len(bias[kind])])
            )
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "yunet", [picture], outputs, values)
    file.parent.mkdir(exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6), str(file))
    return file
