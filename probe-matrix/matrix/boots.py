"""Machines, booted beside each other; whoever is interrupted leaves none behind."""

import os
import shutil
import subprocess
import threading
import time

import places  # noqa: F401
import guest


class Boots:
    """Starts scripts/vm, and can end all that it started."""

    def __init__(self):
        self._lock, self._running, self._ended = threading.Lock(), set(), False

    def call(self, command, **options):
        """As subprocess.run."""
        with self._lock:
            if self._ended:
                raise guest.GuestFailed("interrupted")
            # Out of the terminal's process group: who is interrupted there is we, and we tell it.
            process = subprocess.Popen(command, start_new_session=True, **options)
            self._running.add(process)
        try:
            said, _ = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        return subprocess.CompletedProcess(command, process.returncode, said)

    def end(self):
        with self._lock:
            self._ended = True
            for process in self._running:
                process.terminate()


def binaries(build, arch, given):
    """Programs of that architecture; raises NoGuest where they are not built. `given`: those that the caller chose."""
    folder = os.path.join(build, arch) if arch != "amd64" else build
    paths = {"tracer": "tracer", "workload": "tests/workloads/workload", "mask": "tests/masks/mask"}
    found = {name: os.path.join(folder, path) for name, path in paths.items()}
    if arch == "amd64":
        found.update({name: path for name, path in given.items() if path})
    for path in found.values():
        if not os.path.exists(path):
            how = f"scripts/build-{arch}" if arch != "amd64" else "scripts/build-tracer all"
            raise guest.NoGuest(f"{path} is missing ({how})")
    return guest.Programs(**found)


def boot(machine, runs, programs, folder, boots):
    """What it left is in `folder` then. Returns seconds; raises NoGuest, GuestFailed."""
    if "vagrant" in machine.kernel:
        raise guest.NoGuest("a machine of vagrant/run")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    start = time.monotonic()
    guest.boot(machine.vm_options(), programs, runs, folder, machine.setup, machine.masks, boots.call)
    return time.monotonic() - start
