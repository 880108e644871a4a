"""Conformance on another kernel: traces made in one guest of scripts/vm, one after the other, and read back here."""

import json
import os
import re
import shlex
import subprocess
import tarfile

from tracer_process import TracerFailed, first_line, read_records

HERE = os.path.dirname(os.path.abspath(__file__))
VM = os.path.join(HERE, "..", "..", "scripts", "vm")
SKIPPED = 77                # of scripts/vm: no guest on this machine
SCENARIO_SECONDS_MAX = 60   # without KVM everything is several times slower
TRACER_SECONDS_MAX = 60
BOOT_SECONDS_MAX = 120
TRACE_SECONDS_MAX = 150
TIME_TOLERANCE_NS = 1_000_000_000    # a thread may wait for its processor between the event and the look at the clock


class NoGuest(Exception):
    """This machine cannot boot one; scripts/vm says why."""


class GuestFailed(Exception):
    """The guest did not come to its end."""


class GuestTrace:
    """What one trace left: the same things that a trace on this machine leaves."""

    exit_code_expected = 130    # after SIGINT
    reference = None            # nobody else watched

    def __init__(self, folder):
        self.folder = folder
        self.output = self.path("tracer.ndjson")

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        try:
            with open(self.path(name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def exit_code(self):
        """Raises TracerFailed, in the words of tests/support/tracer_process.py, if it did not start or end."""
        status, errors = self.text("tracer.status").strip(), self.text("tracer.stderr")[-2000:]
        if first_line(self.output) is None:
            raise TracerFailed(f"it ended with {status} before it captured: {errors}" if status else
                               f"no trace_start within {TRACER_SECONDS_MAX} s: {errors}")
        if not status:
            raise TracerFailed(f"it did not end within {TRACER_SECONDS_MAX} s: {self.text('tracer.stuck')}")
        return int(status)

    def records(self):
        return read_records(self.output)

    def ended(self, name):
        """The workload's exit code and what it wrote to stderr."""
        return int(self.text(f"{name}.status")), self.text(f"{name}.stderr")

    def truth(self, name):
        with open(self.path(f"{name}.truth")) as file:
            return [json.loads(line) for line in file]


class GuestRun:
    """A trace to be made: 'NAME [BACKEND/MECHANISM] (SCENARIO…): TRACER OPTIONS'. What is in brackets is optional."""

    FORM = re.compile(r"(?P<name>[^:\[(]+?) *(?:\[(?P<backend>\w+)/(?P<mechanism>\w+)\])? *"
                      r"(?:\((?P<scenarios>[^)]*)\))? *:(?P<options>.*)")

    def __init__(self, text):
        found = self.FORM.fullmatch(text)
        if not found:
            raise ValueError(f"not 'NAME [BACKEND/MECHANISM] (SCENARIO…): TRACER OPTIONS': {text}")
        self.name = found["name"]
        self.expected = found["backend"], found["mechanism"]
        self.scenarios = (found["scenarios"] or "").split()     # none: all
        self.options = shlex.split(found["options"])


def run_in_guest(kernel, append, tracer, workload, runs, work_dir):
    """Boots once and makes the trace of each GuestRun. Returns a GuestTrace for each."""
    lines = [f"export SCENARIO_SECONDS={SCENARIO_SECONDS_MAX} TRACER_SECONDS={TRACER_SECONDS_MAX}"]
    for number, run in enumerate(runs):
        # Who watches packets watches one network namespace.
        lines.append(f"export NAMESPACE={'' if run.expected[0] == 'pcap' else '--netns'}")
        lines.append(shlex.join(["sh", "/guest.sh", f"/out/{number}", " ".join(run.scenarios), "--no-redact",
                                 *run.options]))
    results = os.path.join(work_dir, "results.tar")
    limit = BOOT_SECONDS_MAX + TRACE_SECONDS_MAX * len(runs)
    command = [VM, "--kernel", kernel, "--out", results, "--console", os.path.join(work_dir, "console"),
               "--timeout", str(limit), "--file", f"{tracer}:/bin/tracer", "--file", f"{workload}:/bin/workload",
               "--file", f"{HERE}/guest.sh:/guest.sh"]
    for each in append:
        command += ["--append", each]
    done = subprocess.run([*command, "--", "\n".join(lines)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode == SKIPPED:
        raise NoGuest(done.stdout.strip().splitlines()[-1])
    if not os.path.exists(results):
        raise GuestFailed(f"exit status {done.returncode}: {done.stdout.strip()[-2000:]}")
    with tarfile.open(results) as archive:
        archive.extractall(work_dir)
    return [GuestTrace(os.path.join(work_dir, str(number))) for number in range(len(runs))]
