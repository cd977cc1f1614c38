"""How long this process's threads spin for one another before they sleep."""

import os
import sys

SPINS = 10_000
"""Looks at what is waited for: a fraction of a millisecond, which is longer than most of what lies
between two parallel loops of a step. GNU's own number is 300,000, some milliseconds: where other
programs run too, the one that is waited for gets no processor meanwhile (docs, Performance)."""

COUNT = "GOMP_SPINCOUNT"
POLICY = "OMP_WAIT_POLICY"


def spin_briefly() -> bool:
    """Let threads of GNU OpenMP, with which PyTorch computes on Linux, sleep after a short while.

    The library reads this from the environment when it is loaded, with PyTorch, so that the command
    line calls this first. Processes that are started later take it over. Who chose for themselves,
    by ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY``, keeps that.

    Returns:
        Whether it was set here, in time.
    """
    if "torch" in sys.modules or COUNT in os.environ or POLICY in os.environ:
        return False
    os.environ[COUNT] = str(SPINS)
    return True
