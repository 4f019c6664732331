"""Seeds that depend on content, not on the number of workers or the order of draws."""

import hashlib

import numpy as np


def seed_for(*parts: object) -> int:
    """A 63-bit seed from any parts, the same on every machine and in every process.

    A seed by content (seed, clip id, epoch) instead of by draw order makes augmentation independent of the number
    of workers.
    """
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator seeded by seed_for(*parts)."""
    return np.random.default_rng(seed_for(*parts))
