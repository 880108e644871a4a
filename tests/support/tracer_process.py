"""Runs a tracer for a test: starts it, waits until it captures, stops it, reads what it wrote.

Every wait is bounded; a tracer that does not come up or does not end is killed and the test is told why.
"""

import json
import os
import signal
import subprocess
import time

READY_SECONDS_MAX = 30  # the goal is 0.5 s; machines under test are slow and busy
STOP_SECONDS_MAX = float(os.environ.get("TRACER_STOP_SECONDS_MAX", "30"))


class TracerFailed(Exception):
    """The tracer did not do what every test relies on."""


class Tracer:
    """A tracer that writes json-stream into a file. Use as a context manager: it never outlives the block."""

    def __init__(self, program, arguments=(), output=None, work_dir="/tmp", environment=None):
        self.output = output or os.path.join(work_dir, "tracer.ndjson")
        self.stderr_path = os.path.join(work_dir, "tracer.stderr")
        self.command = [program, *arguments, "-f", "json-stream", "-o", self.output]
        self.started_at = time.monotonic()
        self._stderr = open(self.stderr_path, "wb")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self._stderr, env=environment)
        self.ready_after_s = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._stderr.close()

    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def wait_ready(self):
        """Until the trace_start line is there: everything is attached then. Returns that record."""
        deadline = self.started_at + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            line = first_line(self.output)
            if line is not None:
                self.ready_after_s = time.monotonic() - self.started_at
                start = json.loads(line)
                if start.get("event_type") != "trace_start":
                    raise TracerFailed(f"the first line is not trace_start but {line[:200]!r}")
                return start
            if self.process.poll() is not None:
                raise TracerFailed(f"it ended with {self.process.returncode} before it captured: "
                                   f"{self.stderr()[-2000:]}")
            time.sleep(0.01)
        raise TracerFailed(f"no trace_start within {READY_SECONDS_MAX} s: {self.stderr()[-2000:]}")

    def stop(self, signal_number=signal.SIGINT):
        """Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.wait()

    def wait(self, seconds_max=STOP_SECONDS_MAX):
        try:
            return self.process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            raise TracerFailed(f"it did not end within {seconds_max} s") from None

    def records(self):
        """Everything written, in order. Raises on a line that is not one JSON object."""
        return read_records(self.output)


def first_line(path):
    try:
        with open(path, "rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    return line if line.endswith(b"\n") else None


def read_records(path):
    records = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise TracerFailed(f"line {number} is not JSON ({error}): {line[:200]!r}") from None
            if not isinstance(record, dict) or next(iter(record), None) != "event_type":
                raise TracerFailed(f"line {number} is no object that begins with event_type: {line[:200]!r}")
            if not line.endswith(b"\n"):
                raise TracerFailed(f"line {number} has no end")
            records.append(record)
    return records


def transactions(records, **wanted):
    """The http_transaction records; `server_port=80` and `client_pid=1` narrow them."""
    return [r for r in records if r["event_type"] == "http_transaction" and
            all(r.get(side, {}).get(key) == value
                for side, key, value in ((*name.split("_", 1), value) for name, value in wanted.items()))]
