"""Workers of a Ray cluster."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

from hodor.errors import HodorError
from hodor.jobs.outcomes import RETRIES, JobT, Outcome, ResultT, attempt, lost
from hodor.types import Untyped

LOCAL = "local"
CONNECT_SECONDS = 5.0


def on_ray(
    work: Callable[[JobT], ResultT],
    jobs: Mapping[str, JobT],
    address: str,
    workers: int,
    gpus: float,
) -> Iterator[Outcome[ResultT]]:
    """See ``run_jobs``."""
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError as error:
        raise HodorError("--ray needs the package ray: pip install 'hodor-vos[ray]'") from error
    _connect(ray, address, workers)
    task: Untyped = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(attempt)
    try:
        pending = {task.remote(work, name, argument): name for name, argument in jobs.items()}
        while pending:
            (done,), _ = ray.wait(list(pending), num_returns=1)
            name = pending.pop(done)
            try:
                yield ray.get(done)
            except RayError as error:
                if hasattr(error, "cause") and getattr(error, "cause", None) is not None:
                    raise  # a defect of ours, with its traceback
                yield lost(name, RETRIES + 1)
    finally:
        ray.shutdown()


def _connect(ray: ModuleType, address: str, workers: int) -> None:
    # Ray opens ports and prints a banner; users of a command want neither its log nor its page.
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if address == LOCAL:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            _reach(address)
            ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise HodorError(
            f"--ray {address}: no cluster answers ({first}); start one with 'ray start --head', "
            "or give 'local' for one on this machine"
        ) from error


def _reach(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
