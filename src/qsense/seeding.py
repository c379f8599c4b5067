"""One number to seed a run, or one epoch of it, from (seed, fold) alone."""

from __future__ import annotations

import numpy as np


def derive(seed: int, fold: int, *stream: int) -> int:
    """A 32-bit seed for a stream of randomness of run (seed, fold): nothing for its start, (epoch,) for an epoch.

    Reseeding at each epoch makes a run that resumes at an epoch's end bit-identical to one that never stopped, with no
    generator state to save.

    >>> derive(0, 0) != derive(0, 1) != derive(0, 0, 0)
    True
    """
    # The stream's length is part of it: SeedSequence takes trailing zeros for nothing.
    return int(np.random.SeedSequence([seed, fold, len(stream), *stream]).generate_state(1)[0])
