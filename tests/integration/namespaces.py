"""Two hosts of their own on one machine: network namespaces of Linux, joined by a wire that can be cut."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

FIRST, SECOND = "10.77.0.1", "10.77.0.2"
"""Addresses of the hosts. Nobody outside of them sees these, so every pair of hosts has the same."""
_WIRE = "wire"
_NAME = "nightshift-{owner}-{address}"
_OWNER = re.compile(r"nightshift-(\d+)-")


@dataclass(frozen=True)
class Host:
    """A network of its own; all else, the disk too, is the machine's."""

    name: str

    @property
    def place(self) -> tuple[str, ...]:
        """Return the words before a command that runs it there."""
        return ("ip", "netns", "exec", self.name)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Take the wire out of its socket for a while: what is sent is lost, and neither end is told."""
        self.wire("down")
        try:
            yield
        finally:
            self.wire("up")

    def wire(self, state: str) -> None:
        """Have the wire ``up`` or ``down``."""
        _ip("-netns", self.name, "link", "set", _WIRE, state)

    def commands(self) -> list[str]:
        """Return the command lines of what runs there."""
        found = []
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                found.append(" ".join(psutil.Process(process).cmdline()))
        return found

    def kill(self) -> None:
        """Kill everything that runs there."""
        while processes := self._processes():
            for process in processes:
                with suppress(ProcessLookupError):  # it died with one killed before
                    os.kill(process, signal.SIGKILL)

    def _processes(self) -> list[int]:
        return [int(process) for process in _ip("netns", "pids", self.name).split()]


@contextmanager
def two_hosts() -> Iterator[dict[str, Host]]:
    """Make two hosts, by address, and remove them with all that runs there; also those that a killed run left."""
    _remove(lambda owner: not psutil.pid_exists(owner))
    made = {address: Host(_NAME.format(owner=os.getpid(), address=address)) for address in (FIRST, SECOND)}
    try:
        for host in made.values():
            _ip("netns", "add", host.name)
        names = [host.name for host in made.values()]
        _ip(*f"link add {_WIRE} netns {names[0]} type veth peer name {_WIRE} netns {names[1]}".split())
        for address, host in made.items():
            _ip("-netns", host.name, "address", "add", f"{address}/30", "dev", _WIRE)
            _ip("-netns", host.name, "link", "set", "lo", "up")
            host.wire("up")
        yield made
    finally:
        _remove(lambda owner: owner == os.getpid())


def _remove(whose: Callable[[int], bool]) -> None:
    for name in _ip("netns", "list").split():
        owner = _OWNER.match(name)
        if owner is not None and whose(int(owner[1])):
            Host(name).kill()
            _ip("netns", "delete", name)


def _ip(*arguments: str) -> str:
    command = ["ip", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AssertionError("there is no command `ip`. This test needs it: install iproute2.") from None
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.stderr}This test needs the right to make networks: run it as root."
    )
    return done.stdout
