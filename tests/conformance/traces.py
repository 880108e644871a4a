"""A trace on this machine: the traffic that is made, who watches it, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time

from tracer_process import STOP_SECONDS_MAX, Tracer, TracerFailed, read_records

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURE_PROGRAM = os.path.join(HERE, "..", "support", "packet_capture.py")
SCENARIO_SECONDS_MAX = 40
CAPTURE_SECONDS_MAX = 20
HELD = ("preopened", "https-preopened")     # start before the tracer; one of a trace
SETTLE_SECONDS = 0.6          # a record is flushed at most 200 ms after it is complete
EXIT_AFTER_SIGINT = 130


class Traffic:
    """Runs scenarios and reads their truth. Each has a network namespace of its own, or all are where we are."""

    def __init__(self, workload, work_dir, own_namespaces=True, options=()):
        self.workload, self.work_dir = workload, work_dir
        self.options = [*(["--netns"] if own_namespaces else []), *options]
        self.held = None

    def needs(self):
        """What each scenario needs of a tracer to be seen; None: nothing beyond what every tracer has."""
        listing = subprocess.run([self.workload, "list", "--json"], check=True, capture_output=True, text=True,
                                 timeout=10).stdout
        return {each["name"]: each["needs"] for each in map(json.loads, listing.splitlines())}

    def path(self, name, suffix):
        return os.path.join(self.work_dir, f"{name}.{suffix}")

    def start(self, name, *more):
        return subprocess.Popen([self.workload, name, *self.options, "--truth", self.path(name, "truth"), *more],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def start_held(self, name):
        self.held = self.start(name, "--hold-ready", self.path(name, "ready"), "--hold-go", self.path(name, "go"))
        deadline = time.monotonic() + SCENARIO_SECONDS_MAX
        while not os.path.exists(self.path(name, "ready")):
            if time.monotonic() > deadline or self.held.poll() is not None:
                raise TracerFailed(f"the scenario {name} did not get ready")
            time.sleep(0.01)

    def run(self, name):
        """Returns the workload's exit code and what it wrote to stderr."""
        if name in HELD and self.held:
            open(self.path(name, "go"), "w").close()
        process = self.held if name in HELD and self.held else self.start(name)
        try:
            errors = process.communicate(timeout=SCENARIO_SECONDS_MAX)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return process.returncode, f"it was not made within {SCENARIO_SECONDS_MAX} s"
        return process.returncode, errors.decode(errors="replace")

    def end_held(self):
        if self.held and self.held.poll() is None:
            self.held.kill()
            self.held.wait()

    def truth(self, name):
        with open(self.path(name, "truth")) as file:
            return [json.loads(line) for line in file]


class Capture:
    """A capture file that is being written. Use as a context manager."""

    def __init__(self, path, interface="lo"):
        self.path = path
        self.process = subprocess.Popen([sys.executable, CAPTURE_PROGRAM, path, interface], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            raise TracerFailed("the capture did not start")
        return self

    def stop(self):
        """Raises if it lost packets itself: then it is no witness."""
        self.process.send_signal(signal.SIGINT)
        said = json.loads(self.process.communicate(timeout=CAPTURE_SECONDS_MAX)[0])
        if said["dropped"]:
            raise TracerFailed(f"the capture dropped {said['dropped']} of {said['packets']} packets")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def replay(program, options, capture, work_dir, seconds_max=STOP_SECONDS_MAX):
    """Runs `tracer replay` over a file. Returns the exit code, its output's path and what it said on stderr."""
    output = os.path.join(work_dir, "replay.ndjson")
    done = subprocess.run([program, "replay", *options, "-f", "json-stream", "-o", output, capture],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=seconds_max)
    return done.returncode, output, done.stderr


class TraceHere:
    """Made at once. `replayed`: the traffic is captured by somebody else, and the tracer reads the file afterwards.
    `reference`: options of a second tracer that watches the same traffic; None: there is none.
    """

    def __init__(self, program, options, traffic, names, work_dir, reference=None, replayed=False):
        self.truth, self._ended, self._failure = traffic.truth, {}, None
        self.reference, self.exit_code_expected = None, 0 if replayed else EXIT_AFTER_SIGINT
        options = ["--no-redact", *options]
        try:
            for name in set(HELD) & set(names):
                traffic.start_held(name)
            watch = self._capture if replayed else self._trace
            watch(program, options, work_dir, lambda: self._make(program, traffic, names, work_dir, reference))
        except TracerFailed as failure:
            self._failure = failure
        finally:
            traffic.end_held()

    def _make(self, program, traffic, names, work_dir, reference):
        """The traffic, under the eyes of the reference if there is one."""
        if reference is None:
            return self._make_scenarios(traffic, names)
        folder = os.path.join(work_dir, "reference")
        os.makedirs(folder, exist_ok=True)
        with Tracer(program, ["--no-redact", *reference], work_dir=folder) as tracer:
            tracer.wait_ready()
            self._make_scenarios(traffic, names)
            tracer.stop()
            self.reference = tracer.records()

    def _make_scenarios(self, traffic, names):
        # What is held has waited long enough, and its processes do not live for ever.
        for name in sorted(names, key=lambda each: each not in HELD):
            self._ended[name] = traffic.run(name)
        time.sleep(SETTLE_SECONDS)

    def _trace(self, program, options, work_dir, make):
        with Tracer(program, options, work_dir=work_dir) as tracer:
            self.output = tracer.output
            tracer.wait_ready()
            make()
            self._exit_code = tracer.stop()

    def _capture(self, program, options, work_dir, make):
        with Capture(os.path.join(work_dir, "capture.pcap")) as capture:
            make()
            capture.stop()
        self._exit_code, self.output, errors = replay(program, options, capture.path, work_dir)
        if not os.path.exists(self.output):
            raise TracerFailed(f"replay ended with {self._exit_code} and wrote nothing: {errors[-2000:]}")

    def records(self):
        return read_records(self.output)

    def exit_code(self):
        if self._failure:
            raise self._failure
        return self._exit_code

    def ended(self, name):
        return self._ended[name]
