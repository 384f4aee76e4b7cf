"""`ray`: workers on the machines of a Ray cluster, or on this one; Ray core's actors, one for each worker.

Texts go to a worker and come back, no frame does. Secrets go to each worker in a call, from process to process: Ray
logs the variables of a runtime environment, and keeps what an actor is made of.
"""

import logging
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pydantic import Field

import maxi_core
from maxi_core import Engine, Failed, MaxiError, UsageError, Work, hookimpl
from maxi_core.system.secrets import is_secret

log = logging.getLogger("maxi")

POLL = 2.0  # seconds between two looks whether there is room for more workers
PATIENCE = 60.0  # seconds without any worker, after which it is said
GRACE = 5.0  # seconds that idle workers have to close what they hold
STARTS = 3  # workers in a row that die before they answer anything
ROOM_FOR_OBJECTS = 100 * 2**20  # bytes; only short texts go through


class Ray(Engine):
    """Share the work out to actors on a Ray cluster; each keeps its models, and one that dies costs a share."""

    name = "ray"

    class Options(maxi_core.Options):
        """Which cluster, and what a worker takes of it."""

        address: str | None = Field(
            None,
            description="auto: the cluster that this machine is in; local: one on this machine, for this run; or "
            "HOST:PORT; none: RAY_ADDRESS, else local",
        )
        actors: int | None = Field(None, ge=1, description="workers; none: as many as the cluster has room for")
        cpus: int = Field(2, ge=1, description="cores of a worker; it decodes with as many processes, up to 8")
        gpus: float | None = Field(
            None, ge=0, allow_inf_nan=False, description="GPUs of a worker, such as 0.5; none: 1 where there are any"
        )
        env: tuple[str, ...] = Field(
            ("OPENAI_*", "HF_*", "AWS_*", "*_PROXY", "*_proxy"),
            description="variables that workers get besides MAXI_* and those with secrets",
        )

        EFFORT = ("address", "actors", "cpus", "gpus", "env")

    options: Options

    def __init__(self, options: Options | None = None) -> None:
        """Begin without workers."""
        super().__init__(options)
        self._ray: Any = None
        self._put: Any = None  # reference to the work
        self._mine = False  # whether we are the ones who connected
        self._starting: dict[Any, Any] = {}  # reference to the first answer of an actor -> the actor
        self._idle: list[_Actor] = []
        self._busy: dict[Any, tuple[int, _Actor]] = {}  # reference to a result -> place of the item, who is at it
        self._died = 0  # while they started, one after the other
        self._alone = 0.0  # since when nobody works

    def check(self) -> None:
        """Raise UsageError if Ray is not installed."""
        if find_spec("ray") is None:
            raise UsageError("engine 'ray' needs the package ray, which is not installed", "pip install 'maxi[ray]'")

    def cores(self) -> int:
        """Return the cores of a worker."""
        return self.options.cpus

    def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
        """Yield the place of each item with its result."""
        ray = self._connected()
        self._put = self._put or ray.put(work)
        self._alone = time.monotonic()
        try:
            yield from self._shared_out(enumerate(items))
        finally:
            left, self._busy = self._busy, {}  # of a run that was left: nobody wants what they are at
            for _, worker in left.values():
                with suppress(Exception):
                    ray.kill(worker.handle)

    def _shared_out(self, rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str | Failed]]:
        ray, more = self._ray, True
        while True:
            if more:
                self._start_missing()
            while more and self._idle:
                if (taken := next(rest, None)) is None:
                    more = False
                    break
                worker = self._idle.pop()
                self._busy[worker.handle.work.remote(taken[1])] = (taken[0], worker)
            if not more and not self._busy:
                return
            self._complain_if_alone()
            waiting = [*self._starting, *self._busy]
            if not waiting:
                time.sleep(POLL)
                continue
            for ref in ray.wait(waiting, timeout=POLL)[0]:
                if ref in self._starting:
                    self._begun(ref)
                else:
                    place, worker = self._busy.pop(ref)
                    yield place, self._result(ref, worker)

    def close(self) -> None:
        """End all workers, and the cluster if it was started for this run."""
        if self._ray is None:
            return
        ray, self._ray = self._ray, None
        closing = [worker.handle.close.remote() for worker in self._idle]
        with suppress(Exception):  # whoever is gone has nothing to close
            if closing and not self._busy:
                ray.wait(closing, num_returns=len(closing), timeout=GRACE)
        for handle in (*self._starting.values(), *(worker.handle for _, worker in self._busy.values())):
            with suppress(Exception):
                ray.kill(handle)
        self._starting, self._idle, self._busy, self._put = {}, [], {}, None
        if self._mine:
            with _undisturbed():
                ray.shutdown()

    def _connected(self) -> Any:
        """Return Ray, connected to the cluster; raises MaxiError if there is none."""
        if self._ray is not None:
            return self._ray
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        self._ray = ray = import_module("ray")
        if not ray.is_initialized():
            address = self.options.address or os.environ.get("RAY_ADDRESS") or "local"
            local = {"object_store_memory": ROOM_FOR_OBJECTS, "include_dashboard": False} if address == "local" else {}
            try:
                _silence()
                with _undisturbed():
                    ray.init(address, log_to_driver=False, configure_logging=False, **local)
            except Exception as error:  # Ray raises whatever it likes
                fix = "see whether this machine has room" if local else "ray start there, or -o ray.address=local"
                raise MaxiError(f"no Ray cluster at {address}: {_last_line(error)}", fix) from None
            self._mine = True
        return ray

    def _room(self) -> int:
        """Return how many workers the machines of the cluster have room for."""
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        gpus = self._gpus()
        return sum(
            int(min(of.get("CPU", 0) / self.options.cpus, of.get("GPU", 0) / gpus if gpus else 2**31)) for of in alive
        )

    def _gpus(self) -> float:
        if self.options.gpus is not None:
            return float(self.options.gpus)
        return 1.0 if self._ray.cluster_resources().get("GPU") else 0.0

    def _start_missing(self) -> None:
        """Start workers until there are as many as there should be; where there is no room they wait for it."""
        have = len(self._starting) + len(self._idle) + len(self._busy)
        wanted = self.options.actors or self._room()
        if not have and not wanted and not self._died:
            raise UsageError(f"no machine of the Ray cluster has room for a worker: {self._needs()}", "-o ray.cpus=1")
        with _undisturbed():
            for _ in range(wanted - have):
                actor = self._ray.remote(_Remote).options(num_cpus=self.options.cpus, num_gpus=self._gpus()).remote()
                self._starting[actor.begin.remote(self._put, self._environment())] = actor

    def _environment(self) -> Mapping[str, str]:
        known = ("MAXI_*", *self.options.env)
        wanted = [name for name in os.environ if is_secret(name) or any(fnmatchcase(name, one) for one in known)]
        return {name: os.environ[name] for name in wanted if not name.startswith("RAY_")}

    def _begun(self, ref: Any) -> None:
        """Take in a worker that has started; raises MaxiError if it cannot, or has another maxi."""
        actor, ray = self._starting.pop(ref), self._ray
        try:
            host, pid, version = ray.get(ref)
        except ray.exceptions.RayActorError as error:
            self._died += 1
            if self._died >= STARTS or "ModuleNotFoundError" in str(error):
                raise MaxiError(f"a worker cannot start: {_last_line(error)}", "install maxi on all machines") from None
            return
        except ray.exceptions.RayError as error:
            raise MaxiError(f"a worker cannot start: {_last_line(error)}", "install maxi on all machines") from None
        if version != maxi_core.__version__:
            raise MaxiError(f"maxi is {version} on {host}, and {maxi_core.__version__} here", "install the same there")
        self._idle.append(_Actor(actor, f"process {pid} on {host}"))

    def _result(self, ref: Any, worker: "_Actor") -> str | Failed:
        try:
            result: str = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            with suppress(Exception):
                self._ray.kill(worker.handle)
            memory = " of too little memory" if "low on memory" in str(error) else ""
            return Failed(f"a worker died{memory} ({worker.where})")
        self._idle.append(worker)
        self._died = 0
        return result

    def _complain_if_alone(self) -> None:
        if self._busy:
            self._alone = time.monotonic()
        elif time.monotonic() - self._alone > PATIENCE:
            log.warning("no worker has started for %.0f s; %s; Ctrl-C stops the run", PATIENCE, self._needs())
            self._alone = time.monotonic()

    def _needs(self) -> str:
        has = self._ray.cluster_resources()
        return (
            f"each takes {self.options.cpus} CPU and {self._gpus():g} GPU, and all machines together have "
            f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g}"
        )


@dataclass(frozen=True, eq=False)
class _Actor:
    """An actor that has started, and where."""

    handle: Any
    where: str


class _Remote:
    """What runs in a worker."""

    def begin(self, work: Work, env: Mapping[str, str]) -> tuple[str, int, str]:
        """Take the work and the variables; return host, process and the version of maxi."""
        os.environ.update(env)
        self._work = work
        return socket.gethostname(), os.getpid(), maxi_core.__version__

    def work(self, item: str) -> str:
        """Return the result of an item."""
        return self._work(item)

    def close(self) -> None:
        """Close what the work holds."""
        self._work.close()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep our handlers of signals, which Ray replaces, and the state of `random`, from which it draws."""
    main = threading.current_thread() is threading.main_thread()
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT) if main}
    drawn = random.getstate()
    try:
        yield
    finally:
        random.setstate(drawn)
        for number, handler in before.items():
            signal.signal(number, handler)


def _silence() -> None:
    """Have Ray print nothing: neither its logs nor what its daemons say of a worker that died, which we say."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    worker: Any = import_module("ray._private.worker")
    if hasattr(worker, "listen_error_messages"):
        worker.listen_error_messages = lambda *_: None


@hookimpl
def maxi_register_engines() -> Iterable[type[Engine]]:
    """Offer `ray`."""
    return [Ray]
