"""A queue simulation of the service: jobs that are posted, wait for a training process, and are trained.

A POST takes CPU time of its client, the API, the broker and the database, and waits for the commit; a job takes CPU
time of its training process and the database, and waits for its commits. All these times are measured
(`bench.capacity`) and taken as constant; only the arrivals are random.
"""

import random
from collections.abc import Generator, Mapping
from math import inf
from typing import Any, NamedTuple

import simpy

SLICE = 0.001  # seconds of CPU time, after which another program has its turn
FIRST, LATER = 0, 1  # who has a core first: training processes have a lower priority than all others

Steps = Generator[simpy.Event, Any, Any]


class Site(NamedTuple):
    """How many of each there are, and the cores of the machine that runs all programs: infinite for machines enough."""

    api: int
    slots: int
    database: int
    cores: float = inf


class Outcome(NamedTuple):
    """Seconds that each job waited for a training process, and the seconds until the last one was trained."""

    waits: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """Trained jobs per second."""
        return len(self.waits) / self.seconds


class Costs(NamedTuple):
    """Seconds of CPU time of each program, and of the rest, `idle`, for a POST and a job; and of waking a worker."""

    post: Mapping[str, float]
    job: Mapping[str, float]
    wake_up: float


def posted_at_random_times(costs: Costs, site: Site, rate: float, jobs: int, seed: int = 0) -> Outcome:
    """`jobs` jobs, on average `rate` a second."""
    return _Simulation(costs, site, jobs).run_open(rate, random.Random(seed))


def posted_one_after_the_other(costs: Costs, site: Site, jobs: int, clients: int) -> Outcome:
    """`jobs` jobs of `clients` clients, each of which posts its next job when the last one was answered."""
    return _Simulation(costs, site, jobs).run_closed(clients)


class _Simulation:
    def __init__(self, costs: Costs, site: Site, jobs: int) -> None:
        self.costs, self.jobs, self.waits, self.trained = costs, jobs, list[float](), 0
        self.env = simpy.Environment()
        self.cores = simpy.PriorityResource(self.env, site.cores)
        numbers = {"client": inf, "api": site.api, "broker": 1, "database": site.database, "worker": site.slots}
        self.programs = {name: simpy.Resource(self.env, number) for name, number in numbers.items()}
        self.queue, self.end = simpy.Store(self.env), self.env.event()
        for _ in range(site.slots):
            self.env.process(self._train())

    def run_open(self, rate: float, random_: random.Random) -> Outcome:
        def arrive() -> Steps:
            for _ in range(self.jobs):
                yield self.env.timeout(random_.expovariate(rate))
                self.env.process(self._post())

        return self._run(arrive())

    def run_closed(self, clients: int) -> Outcome:
        def post() -> Steps:
            for _ in range(self.jobs // clients):
                yield from self._post()

        return self._run(*(post() for _ in range(clients)))

    def _run(self, *arrivals: Steps) -> Outcome:
        for each in arrivals:
            self.env.process(each)
        self.env.run(self.end)
        return Outcome(self.waits, self.env.now)

    def _post(self) -> Steps:
        yield from self._work(self.costs.post, ("client", "api", "broker", "database"))
        self.queue.put(self.env.now)

    def _train(self) -> Steps:
        """A training process: it takes job after job, and has to be woken after there was none."""
        while True:
            was_idle = not self.queue.items
            queued = yield self.queue.get()
            if was_idle:
                yield self.env.timeout(self.costs.wake_up)
            self.waits.append(self.env.now - queued)
            yield from self._work(self.costs.job, ("worker", "database"))
            self.trained += 1
            if self.trained == self.jobs:
                self.end.succeed()

    def _work(self, seconds: Mapping[str, float], programs: tuple[str, ...]) -> Steps:
        for program in programs:
            yield from self._compute(program, seconds[program])
        yield self.env.timeout(seconds["idle"])

    def _compute(self, program: str, seconds: float) -> Steps:
        """CPU time of a program, in slices: requests of one program, and programs on the same cores, take turns."""
        priority = LATER if program == "worker" else FIRST
        while seconds > 0:
            with self.programs[program].request() as process:
                yield process
                with self.cores.request(priority) as core:
                    yield core
                    yield self.env.timeout(min(seconds, SLICE))
            seconds -= SLICE
