"""The code of a library as a process would run it, beside that of the file: breakpoints are where the two differ."""

import os
import time

from servers import Skip

SETTLED_SECONDS = 0.3    # nothing was added for so long: all are there


def mappings(pid, name):
    """(begin, end, offset) of the executable mappings of files with that in their names."""
    found = []
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and "x" in fields[1] and name in os.path.basename(fields[5]):
                begin, end = (int(each, 16) for each in fields[0].split("-"))
                found.append((begin, end, int(fields[2], 16)))
    return found


def breakpoints(pid, name):
    """How many bytes differ. Raises where the library is not mapped."""
    places = mappings(pid, name)
    if not places:
        raise RuntimeError(f"process {pid} has no {name} mapped")
    differing = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, offset in places:
            memory.seek(begin)
            run = memory.read(end - begin)
            with open(f"/proc/{pid}/map_files/{begin:x}-{end:x}", "rb") as file:
                file.seek(offset)
                written = file.read(end - begin)
            differing += sum(a != b for a, b in zip(run, written)) if run[:len(written)] != written else 0
    return differing


def other_tracers():
    """Processes of that name which this one did not start: they set breakpoints too."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if name.startswith("tracer") and int(rest.split()[1]) != os.getpid():
            found.append(int(pid))
    return found


def expect_none(pids, name, when, seconds_max=20):
    """The kernel takes breakpoints away some time after the last reference to them is gone. Raises Skip where somebody
    else may have set them."""
    deadline = time.monotonic() + seconds_max
    while left := {pid: count for pid in pids if (count := breakpoints(pid, name))}:
        if time.monotonic() > deadline:
            if others := other_tracers():
                raise Skip(f"other tracers set breakpoints here: {others}")
            raise AssertionError(f"breakpoints are left {when}: {left}")
        time.sleep(0.05)


def wait_for_breakpoints(pid, name, seconds_max):
    """Until all that are to be set in it are there. How long the first of them took, or None: there are none."""
    began, count, since, first = time.monotonic(), 0, None, None
    while since is None or time.monotonic() - since < SETTLED_SECONDS:
        now = breakpoints(pid, name)
        if now != count:
            count, since = now, time.monotonic()
            first = first or since - began
        if since is None and time.monotonic() - began > seconds_max:
            return None
        time.sleep(0.02)
    return first
