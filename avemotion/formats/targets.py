"""Targets of the stage va: columns of labels.csv."""

from typing import Final

TARGETS: Final = ["valence", "arousal"]  # a list, because pandas reads a tuple as one column name
