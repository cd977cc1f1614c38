"""One door to all ways of running jobs."""

from collections.abc import Callable, Iterator, Mapping

from hodor.jobs.outcomes import JobT, Outcome, ResultT, attempt
from hodor.jobs.processes import in_processes


def run_jobs(
    work: Callable[[JobT], ResultT],
    jobs: Mapping[str, JobT],
    *,
    workers: int = 1,
    ray_address: str | None = None,
    gpus: float = 0,
) -> Iterator[Outcome[ResultT]]:
    """Do independent jobs, and give each outcome as soon as it is there, in any order.

    A job whose worker is lost begins again on another, ``RETRIES`` times at most; no other job is
    disturbed, and none that is finished is done again. A ``HodorError`` ends its job only.

    Args:
        work: a function at the top of a module, called with a job's argument.
        jobs: arguments by name; they and the results must be picklable.
        workers: processes of this machine; 1 is this process itself. With ``ray_address`` "local"
            the size of the cluster that is started here.
        ray_address: of a Ray cluster, such as "auto" or "ray://HOST:10001", or "local".
        gpus: that each job takes, for Ray to plan with.

    Raises:
        HodorError: Ray is missing or cannot be reached.
    """
    if ray_address is not None:
        from hodor.jobs.on_ray import on_ray

        return on_ray(work, jobs, ray_address, workers, gpus)
    if workers <= 1 or len(jobs) <= 1:
        return (attempt(work, name, argument) for name, argument in jobs.items())
    return in_processes(work, jobs, min(workers, len(jobs)))
