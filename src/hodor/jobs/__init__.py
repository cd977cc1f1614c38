"""Independent jobs on several processes of this machine, or on a Ray cluster."""

from hodor.jobs.outcomes import RETRIES, Outcome, attempt
from hodor.jobs.run import run_jobs

__all__ = ["RETRIES", "Outcome", "attempt", "run_jobs"]
