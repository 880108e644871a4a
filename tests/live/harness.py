"""What the live tests share: arguments, a folder for each test, a verdict for each, and what is left in the kernel."""

import argparse
import ctypes
import os
import platform
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

from servers import Skip  # noqa: E402

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
SETTLE_SECONDS = 0.6
INSIDE = "LIVE_TEST_INSIDE"


def expect(holds, complaint):
    if not holds:
        raise AssertionError(complaint)


def main(*tests):
    """Runs test(arguments, work_dir) for each, or for those named on the command line; exits with the verdict."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracer", required=True)
    parser.add_argument("--workload", required=True)
    parser.add_argument("only", nargs="*")
    arguments = parser.parse_args()
    arguments.tracer = os.path.abspath(arguments.tracer)
    counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
    for test in tests:
        if arguments.only and test.__name__ not in arguments.only:
            continue
        verdict, why = "ok", ""
        with tempfile.TemporaryDirectory(prefix="tracer-live-") as work_dir:
            os.chmod(work_dir, 0o755)
            try:
                test(arguments, work_dir)
            except Skip as skip:
                verdict, why = "SKIP", f" ({skip})"
            except Exception as failure:  # whatever it is, the next test still runs
                own = -2 if isinstance(failure, AssertionError) else -1  # who called expect()
                place = traceback.extract_tb(failure.__traceback__)[own]
                verdict, why = "FAIL", f" ({type(failure).__name__}: {failure}; {place.name} line {place.lineno})"
        counts[verdict] += 1
        line = f"{verdict} {test.__name__}{why}".replace("\n", " | ")
        print("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line), flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    sys.exit(1 if counts["FAIL"] else SKIPPED if counts["SKIP"] and not counts["ok"] else 0)


def in_own_network():
    """Starts this program again in a network namespace, of which nothing is there but loopback."""
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable,
                               *sys.argv], {**os.environ, INSIDE: "1"})


BPF_NEXT_ID_COMMANDS = {"program": 11, "map": 12, "link": 31}
BPF_SYSCALL_NUMBERS = {"x86_64": 321, "aarch64": 280}


def bpf_ids(kind):
    """The ids of everything of that kind in the kernel. Raises Skip where that cannot be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = BPF_SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        raise Skip(f"the number of bpf(2) is not known on {platform.machine()}")
    ids = set()
    attributes = (ctypes.c_uint32 * 32)()
    while libc.syscall(number, BPF_NEXT_ID_COMMANDS[kind], attributes, ctypes.sizeof(attributes)) == 0:
        ids.add(attributes[1])
        attributes[0] = attributes[1]
    if ctypes.get_errno() != 2:  # ENOENT is the end of the list
        raise Skip(f"BPF {kind} ids cannot be listed: {os.strerror(ctypes.get_errno())}")
    return ids


def kernel_state():
    """What a tracer could leave behind."""
    state = {f"bpf {kind}": bpf_ids(kind) for kind in BPF_NEXT_ID_COMMANDS}
    for folder in ("/sys/fs/bpf", "/sys/kernel/tracing/instances", "/sys/kernel/debug/tracing/instances"):
        state[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    with open("/proc/self/mounts") as file:
        state["mounts"] = set(file.read().splitlines())
    return state


def expect_nothing_left(before, seconds_max=10):
    """The kernel frees BPF objects some time after the last reference is gone."""
    deadline = time.monotonic() + seconds_max
    while True:
        left = {name: now - before[name] for name, now in kernel_state().items() if now - before[name]}
        if not left:
            return
        expect(time.monotonic() < deadline, f"left in the kernel: {left}")
        time.sleep(0.1)
