"""Independent jobs on several processes of this machine, or on a Ray cluster."""

from hodor.jobs.outcomes import RETRIES, Outcome
from hodor.jobs.run import run_jobs

__all__ = ["RETRIES", "Outcome", "run_jobs"]
