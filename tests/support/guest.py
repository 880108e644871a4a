"""Traces made in one guest of scripts/vm, one after the other by vagrant/guest/run.sh, and read back here."""

import dataclasses
import json
import os
import subprocess
import tarfile

from tracer_process import TracerFailed, first_line, read_records

HERE = os.path.dirname(os.path.abspath(__file__))
VM = os.path.join(HERE, "..", "..", "scripts", "vm")
GUEST_SCRIPT = os.path.join(HERE, "..", "..", "vagrant", "guest", "run.sh")
SKIPPED = 77                # of scripts/vm: no guest on this machine
TRACER_SECONDS_MAX = 90     # of vagrant/guest/run.sh; without KVM everything is several times slower
BOOT_SECONDS_MAX = 120
TRACE_SECONDS_MAX = 240     # on a machine that is not quiet
# A thread may wait for its processor between the event and the look at the clock, and guests share processors.
TIME_TOLERANCE_NS = 3_000_000_000
OPENED_FILE = "+file"       # beside the scenarios of the workload


class NoGuest(Exception):
    """This machine cannot boot one; scripts/vm says why."""


class GuestFailed(Exception):
    """The guest did not come to its end."""


@dataclasses.dataclass(frozen=True)
class Programs:
    """Files of the guest's architecture."""

    tracer: str
    workload: str
    mask: str | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """A trace to be made. `namespace`: `own` for each scenario its own, `tracer` where the tracer is, empty: the
    guest's; who watches packets watches one network namespace."""

    name: str
    options: str
    scenarios: tuple
    masks: tuple = ()
    namespace: str = "own"
    linger_ms: int = 0

    def line(self):
        return "|".join((self.name, " ".join(self.masks), self.namespace, str(self.linger_ms),
                         " ".join(self.scenarios), self.options))


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

    def status(self):
        """The tracer's exit code; None: it did not end."""
        text = self.text("tracer.status").strip()
        return int(text) if text else None

    def exit_code(self):
        """Raises TracerFailed, in the words of tests/support/tracer_process.py, if it did not start or end."""
        status, errors = self.status(), self.text("tracer.stderr")[-2000:]
        if first_line(self.output) is None:
            raise TracerFailed(f"no trace_start within {TRACER_SECONDS_MAX} s: {errors}" if status is None else
                               f"it ended with {status} before it captured: {errors}")
        if status is None:
            raise TracerFailed(f"it did not end within {TRACER_SECONDS_MAX} s: {self.text('tracer.stuck')}")
        return status

    def records(self):
        return read_records(self.output)

    def ended(self, name):
        """The workload's exit code and what it wrote to stderr."""
        status = self.text(f"{name}.status").strip()
        return (int(status), self.text(f"{name}.stderr")) if status else (-1, "it was not made")

    def truth(self, name):
        return [json.loads(line) for line in self.text(f"{name}.truth").splitlines()]


def write_job(folder, runs, setup=(), masks=()):
    """What vagrant/guest/run.sh is to do; the programs are put beside it, or into the guest's PATH."""
    os.makedirs(folder, exist_ok=True)
    for name, lines in (("runs", [run.line() for run in runs]), ("setup", setup), ("masks", [" ".join(masks)])):
        with open(os.path.join(folder, name), "w") as file:
            file.writelines(f"{line}\n" for line in lines)


def seconds_max(runs):
    return BOOT_SECONDS_MAX + TRACE_SECONDS_MAX * len(runs)


def boot(vm_options, programs, runs, work_dir, setup=(), masks=(), call=subprocess.run):
    """Boots once and makes the trace of each Run. Returns a GuestTrace for each; they and the doctor's answers are in
    `work_dir`."""
    job, results = (os.path.join(work_dir, name) for name in ("job", "results.tar"))
    write_job(job, runs, setup, masks)
    command = [VM, *vm_options, "--out", results, "--console", os.path.join(work_dir, "console"),
               "--timeout", str(seconds_max(runs)), "--file", f"{GUEST_SCRIPT}:/run.sh"]
    for name, path in dataclasses.asdict(programs).items():
        command += ["--file", f"{path}:/bin/{name}"] if path else []
    for name in os.listdir(job):
        command += ["--file", f"{job}/{name}:/job/{name}"]
    done = call([*command, "--", "sh /run.sh /job /out"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace")
    with open(os.path.join(work_dir, "guest.log"), "w") as file:
        file.write(done.stdout)
    if done.returncode == SKIPPED:
        raise NoGuest((done.stdout.strip() or "no reason given").splitlines()[-1].removeprefix("skipped: "))
    if not os.path.exists(results):
        raise GuestFailed(f"scripts/vm ended with {done.returncode}: {done.stdout.strip()[-2000:]}")
    with tarfile.open(results) as archive:
        archive.extractall(work_dir)
    os.unlink(results)
    return [GuestTrace(os.path.join(work_dir, run.name)) for run in runs]
