"""Writes a graph as an ONNX file with torch's exporter, and compares what both compute."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TOLERANCE = 1e-4  # largest difference of an output
REMEDY = "run with `uv run --extra export python -m commands.export ...`"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A size that may differ from call to call."""

    name: str
    low: int
    high: int
    example: int


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of a graph."""

    name: str
    shape: tuple[int | Span, ...]
    meaning: str  # with its unit
    boolean: bool = False

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON; a size that may differ is its name, lowest and highest value."""
        sizes = [[size.name, size.low, size.high] if isinstance(size, Span) else size for size in self.shape]
        return {"name": self.name, "dtype": "bool" if self.boolean else "float32", "shape": sizes} | {
            "meaning": self.meaning
        }


class Graph(nn.Module):
    """A network whose inputs and outputs have names; in eval mode."""

    inputs: list[Port]
    outputs: list[Port]

    @abstractmethod
    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name -> outputs by name."""


def write(graph: Graph, file: Path) -> int:
    """Write the graph; returns the version of the operators.

    Raises:
        ValueError: the packages are missing, or the exporter lacks an operator.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(f"the export needs the package {error.name}; {REMEDY}") from error
    example = drawn(graph, 0, {})
    dimensions = {
        port.name: {
            axis: torch.export.Dim(size.name, min=size.low, max=size.high)
            for axis, size in enumerate(port.shape)
            if isinstance(size, Span)
        }
        for port in graph.inputs
    }
    try:
        with _exportable():
            program = torch.onnx.export(
                graph,
                (example, {}),  # a last dict is that of keywords
                dynamic_shapes=(dimensions,),
                input_names=[port.name for port in graph.inputs],
                output_names=[port.name for port in graph.outputs],
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ValueError(f"torch's exporter cannot write this model: {str(cause).splitlines()[0]}") from error
    assert program is not None
    program.save(file, external_data=False)
    return int(program.model.opset_imports[""])


def largest_difference(graph: Graph, file: Path) -> float:
    """The largest difference between the outputs of the graph and of its file, for random inputs of three lengths.

    Raises:
        ValueError: it is above TOLERANCE.
    """
    import onnxruntime

    session, largest = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]), 0.0
    spans = {size.name: size for port in graph.inputs for size in port.shape if isinstance(size, Span)}
    lengths: list[dict[str, int]] = [{}, {name: span.low for name, span in spans.items()}]
    lengths.append({name: min(span.high, 2 * span.example + 1) for name, span in spans.items()})
    for seed, sizes in enumerate(lengths):
        given = drawn(graph, seed, sizes)
        with torch.inference_mode():
            expected = graph(given)
        found = session.run(None, {name: value.numpy() for name, value in given.items()})
        for port, value in zip(graph.outputs, found, strict=True):
            difference = np.abs(expected[port.name].numpy().astype(float) - value.astype(float))
            largest = max(largest, float(difference.max()))
    if not largest <= TOLERANCE:
        raise ValueError(f"{file.name}: an output differs by {largest:.1e} from the project's own; this is a fault")
    return largest


def drawn(graph: Graph, seed: int, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Random inputs: uniform in 0..1, booleans True."""
    random = torch.Generator().manual_seed(seed)
    given = {}
    for port in graph.inputs:
        shape = [sizes.get(s.name, s.example) if isinstance(s, Span) else s for s in port.shape]
        given[port.name] = torch.ones(shape, dtype=torch.bool) if port.boolean else torch.rand(shape, generator=random)
    return given


@contextmanager
def _exportable() -> Iterator[None]:
    """Replaces what ONNX has no operator for by something of the same values.

    These are the fused attention of torch's inference, and adaptive max pooling (of the masks of log-mel encoders).
    """
    fused, pooling = torch.backends.mha.get_fastpath_enabled(), nn.functional.adaptive_max_pool1d
    torch.backends.mha.set_fastpath_enabled(False)
    nn.functional.adaptive_max_pool1d = adaptive_max_pool  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        nn.functional.adaptive_max_pool1d = pooling  # type: ignore[assignment]


def adaptive_max_pool(rows: Tensor, size: int) -> Tensor:
    """rows [..., T] -> [..., size]: largest value of each bin [floor(i T / size), ceil((i + 1) T / size))."""
    length = rows.shape[-1]
    bins = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    return torch.stack([rows[..., start:stop].amax(-1) for start, stop in bins], -1)
