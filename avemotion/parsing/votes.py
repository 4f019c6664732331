"""Votes of raters: how many of them named each category of emotion in a clip."""

from collections.abc import Mapping

Votes = Mapping[str, float]  # category -> number of votes, of at least one rater


def majority(votes: Votes) -> str | None:
    """The category with the most votes; None for a tie."""
    first = max(votes.values())
    leading = [name for name, count in votes.items() if count == first]
    return leading[0] if len(leading) == 1 else None


def parse(cell: str) -> dict[str, float]:
    """Votes of a cell such as "angry 3, sad 1.5".

    Raises:
        ValueError: another form, a category twice, a number below 0, or no vote at all.
    """
    votes: dict[str, float] = {}
    for part in cell.split(","):
        name, _, count = part.strip().rpartition(" ")
        name = name.strip()
        try:
            value = float(count)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value < float("inf"):
            raise ValueError(f"{part.strip()!r} is no category with a number of votes; write: angry 3, sad 1")
        if name in votes:
            raise ValueError(f"{name} occurs twice; add its votes up")
        votes[name] = value
    if not sum(votes.values()):
        raise ValueError("no vote in it; leave the cell empty")
    return {name: value for name, value in votes.items() if value}
