"""One boot of a guest: what its command prints is passed on as it comes; the rest is known when run() returns."""

import ctypes
import gzip
import os
import re
import resource
import selectors
import signal
import subprocess
import sys
import time

from machines import CHANNELS

BOOT_SECONDS_MAX = 90       # 3 to 12 s are normal without KVM; a busy machine takes several times that
LOOK_SECONDS = 0.25         # between looks whether it still runs
CONSOLE_LINES_SHOWN = 25
# What kernels say when QEMU without KVM plays a processor wrongly. No command can cause either: none keeps a processor
# for a minute, and none leaves breakpoints in a kernel's text. That one is what a processor executes of its translation
# from before another one patched a call (static calls of tracepoints), with nobody left who would know it.
EMULATOR_FAILED = re.compile(r"softlockup: hung tasks|Oops: int3")
DIED = re.compile(r"Oops|(?<!watchdog: )BUG:(?! workqueue lockup)|double fault|Kernel panic")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def in_the_child():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))    # user-mode Linux ends a panic with SIGABRT


class Guest:
    def __init__(self, machine, kernel, initramfs, folder):
        self.machine, self.folder = machine, folder
        self.console = os.path.join(folder, "console")
        self.control = bytearray()
        self.ready = False
        self.out_of_time = False
        self.sinks = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer, "control": None}
        self.pipes, self.theirs = {}, {}
        for name in CHANNELS:
            self.pipes[name], self.theirs[name] = os.pipe()
        self.command = machine.command(kernel, initramfs, self.console, self.theirs)

    def run(self, deadline):
        process = self._start()
        try:
            self._pass_on(deadline, process)
        finally:
            self._kill_group(process)
            process.wait()
            for fd in self.pipes.values():
                os.close(fd)

    def _start(self):
        """In a group of its own: user-mode Linux has helpers, which may outlive it."""
        with open(self.console, "ab") as console:
            words = console if self.machine.speaks_on_the_console else None
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                                       pass_fds=self.theirs.values(), start_new_session=True,
                                       env={**os.environ, "TMPDIR": self.folder}, preexec_fn=in_the_child)
        for fd in self.theirs.values():
            os.close(fd)
        return process

    @staticmethod
    def _kill_group(process):
        """Needs a process that was not waited for: its number is the group's."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    @staticmethod
    def _has_ended(process):
        """Without waiting for it."""
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _pass_on(self, deadline, process):
        boot_deadline = min(deadline, time.monotonic() + BOOT_SECONDS_MAX)
        with selectors.DefaultSelector() as selector:
            for name, fd in self.pipes.items():
                selector.register(fd, selectors.EVENT_READ, name)
            while selector.get_map():
                left = (deadline if self.ready else boot_deadline) - time.monotonic()
                if left <= 0:
                    self.out_of_time = True
                    return
                for key, _ in selector.select(min(left, LOOK_SECONDS)):
                    self._take(selector, key)
                if self._has_ended(process):
                    self._kill_group(process)   # what is left of it holds the pipes open

    def _take(self, selector, key):
        chunk = os.read(key.fd, 65536)
        if not chunk:
            selector.unregister(key.fd)
        elif self.sinks[key.data]:
            self.sinks[key.data].write(chunk)
            self.sinks[key.data].flush()
        else:
            self.control += chunk
            self.ready = self.ready or self.control.startswith(b"ready\n")

    def status(self):
        found = re.match(rb"ready\nstatus (\d+)\n", self.control)
        return int(found.group(1)) if found else None

    def emulator_failed(self):
        with open(self.console, errors="replace") as file:
            return self.status() is None and EMULATOR_FAILED.search(file.read()) is not None

    def results(self):
        """The tar, or None if it did not arrive whole."""
        try:
            return gzip.decompress(bytes(self.control).split(b"\nresults\n", 1)[1])
        except (IndexError, EOFError, OSError):
            return None

    def last_words(self):
        """What the kernel said from its death on, else at the end."""
        with open(self.console, errors="replace", newline="\n") as file:
            lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", file.read()).splitlines()
        start = next((i for i, line in enumerate(lines) if DIED.search(line)), None)
        shown = lines[-CONSOLE_LINES_SHOWN:] if start is None else lines[start:start + CONSOLE_LINES_SHOWN]
        return start is not None, "\n".join(f"  {line}" for line in shown)
