"""Types and checks that several sections share."""

from typing import Literal

Precision = Literal["fp32", "bf16"]  # of matrix products


def probabilities(section: object, *names: str) -> None:
    """Check that fields of a section are probabilities.

    Raises:
        ValueError: a field is outside 0 to 1.
    """
    for name in names:
        if not 0.0 <= getattr(section, name) <= 1.0:
            raise ValueError(f"{name} is {getattr(section, name)}; it lies in 0 to 1")
