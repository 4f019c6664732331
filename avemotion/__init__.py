import importlib
from typing import Any

import avemotion.system.environment  # noqa: F401  sets what must be set before torch is loaded


def __getattr__(name: str) -> Any:
    """`avemotion.load`, imported on first use (PEP 562): stages and `--help` import this package without torch."""
    if name == "load":
        return importlib.import_module("avemotion.prediction.predictor").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
