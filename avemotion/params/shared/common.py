"""Types and checks that several sections share."""

from typing import Literal

Precision = Literal["fp32", "bf16"]  # of matrix products


def frozen_or_positive(section: object, *names: str) -> None:
    """Check learning rates of encoders; 0 and None freeze.

    Raises:
        ValueError: a rate is below 0.
    """
    for name in names:
        if (getattr(section, name) or 0.0) < 0:
            raise ValueError(f"{name} is {getattr(section, name)}; give a number above 0, or 0 or null to freeze")


def probabilities(section: object, *names: str) -> None:
    """Check that fields of a section are probabilities.

    Raises:
        ValueError: a field is outside 0 to 1.
    """
    for name in names:
        if not 0.0 <= getattr(section, name) <= 1.0:
            raise ValueError(f"{name} is {getattr(section, name)}; it lies in 0 to 1")
