"""What goes wrong during a soak, from one seed: processes killed with -9 and started again, a store that is silent."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from typing import Self

from devphone.processes.service import Service, StartError, free_port
from tests.soak.stack import Stack

PAUSE_S = (0.3, 2.5)
"""The shortest and the longest time between two troubles."""

OUTAGE_S = (1.0, 6.0)


class Trouble:
    """Makes trouble in a thread of its own until told to stop; then everything runs again. `counts` tells what."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.fault: StartError | None = None
        self._stack = stack
        self._dice = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trouble")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a process that did not start again is an error of the service."""
        self._over.set()
        self._thread.join()
        if self.fault is not None:
            raise self.fault

    def _run(self) -> None:
        kinds = [self._kill_a_service, self._kill_a_service, self._kill_both_services, self._kill_a_sweeper]
        if self._stack.emulator is not None:
            kinds.append(self._silence_the_store)
        try:
            while not self._over.wait(self._dice.uniform(*PAUSE_S)):
                self._dice.choice(kinds)()
        except StartError as error:
            self.fault = error

    def _kill_a_service(self) -> None:
        self._kill(self._dice.choice(self._stack.services))

    def _kill_both_services(self) -> None:
        self._kill(*self._stack.services)

    def _kill_a_sweeper(self) -> None:
        self._kill(self._dice.choice(self._stack.sweepers))

    def _kill(self, *services: Service) -> None:
        for service in services:
            service.stop(signal.SIGKILL)
            self.counts[f"{service.target} killed"] += 1
        for service in services:
            _start_again(service)

    def _silence_the_store(self) -> None:
        emulator = self._stack.emulator
        if emulator is None:
            return
        seconds = self._dice.uniform(*OUTAGE_S)
        self.counts["outages"] += 1
        emulator.pause()
        try:
            time.sleep(seconds)  # the outage itself; the rest of the run goes on meanwhile
            if self._dice.random() < 0.5:
                self._kill_a_service()
        finally:
            emulator.resume()


def _start_again(service: Service) -> None:
    """Start a killed process, elsewhere: its port may have become the near end of somebody's connection."""
    for is_last in (False, False, True):
        service.port = free_port()
        try:
            service.start()
        except StartError:
            if is_last:
                raise
        else:
            return
