"""Length of the windows of a recording, and the time from one to the next, as a user may give them."""

import math

WINDOW = 4.0  # seconds, about a clip of the emotion corpora
LEAST_WINDOW, LEAST_HOP = 0.5, 0.1  # seconds


def check(window: float | None, hop: float | None) -> None:
    """
    Args:
        window, hop: seconds; None = the usual.

    Raises:
        ValueError: a window below LEAST_WINDOW, or a hop that is below LEAST_HOP or longer than the window.
    """
    if window is not None and not LEAST_WINDOW <= window < math.inf:
        raise ValueError(f"window is {window}; give {LEAST_WINDOW} seconds or more")
    if hop is not None and not LEAST_HOP <= hop <= (window or WINDOW):
        raise ValueError(f"hop is {hop}; give {LEAST_HOP} seconds to the window ({window or WINDOW:g})")
