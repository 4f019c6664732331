"""The relative error of states in half precision against those in float32.

Relative error of an array = ||rounded - float32|| / ||float32||, Euclidean norms over all values of all clips.
"""

from collections.abc import Mapping

import numpy as np

TYPES = ("float16", "bfloat16", "computed")  # computed: error of an arithmetic other than float32, before any rounding


def sums(name: str, rows: np.ndarray, reference: np.ndarray | None = None) -> dict[str, float]:
    """Sums of squares of an array's float32 rows, of its rounding errors, and of its distance from reference.

    Keys are <array>/<kind>; the sums of several clips add up to those of all.
    """
    exact = rows.astype(np.float64)
    rounded = {"float16": rows.astype(np.float16), "bfloat16": to_bfloat16(rows)}
    squares = {f"{name}/squares": float(np.square(exact).sum())}
    for kind, values in rounded.items():
        squares[f"{name}/{kind}"] = float(np.square(values - exact).sum())
    if reference is not None:
        squares[f"{name}/computed"] = float(np.square(exact - reference).sum())
        squares[f"{name}/reference"] = float(np.square(reference, dtype=np.float64).sum())
    return squares


def to_bfloat16(rows: np.ndarray) -> np.ndarray:
    """float32 values rounded to the nearest bfloat16 (8 bits of mantissa), ties to even, as float32."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return rounded.astype(np.uint32).view(np.float32)


def is_sum(name: str) -> bool:
    """Whether a clip's count is one of `sums`."""
    return "/" in name


def errors(total: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Totals of `sums` -> array -> kind -> relative error, to three digits; {} without totals."""
    relative: dict[str, dict[str, float]] = {}
    for key in sorted(total):
        array, _, kind = key.partition("/")
        against = total.get(f"{array}/{'reference' if kind == 'computed' else 'squares'}")
        if kind in TYPES and against:
            relative.setdefault(array, {})[kind] = float(f"{(total[key] / against) ** 0.5:.3g}")
    return relative
