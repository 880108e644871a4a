"""What is said of each scenario and counted at the end, in the same words wherever the traffic was made."""

import collections
import re

from compare import TIME_TOLERANCE_NS, compare, compare_blind, connection_keys

EXIT_SKIPPED = 77             # of the workload: this machine cannot make the scenario
COMPLAINTS_SHOWN_MAX = 5
# What a scenario may need (`workload list --json`), and who does not have it: backend, mechanism.
FOLLOWED = "tp_btf, descriptors followed"  # where the kernel's memory may not be read
SYSTEM_CALLS_ONLY = {("tracepoint", mechanism) for mechanism in ("tp_btf", "raw_tp", "syscall_tp", FOLLOWED)}
LACKING = {
    "socket-layer": SYSTEM_CALLS_ONLY,
    "socket-layer-at-one-end": SYSTEM_CALLS_ONLY,
    "kernel-sockets": {("tracepoint", "syscall_tp"), ("tracepoint", FOLLOWED)},
}
ENDS_UNSEEN = {"socket-layer": 2, "socket-layer-at-one-end": 1, "kernel-sockets": 2}  # for those; of each connection


def capture_of(trace_start):
    """Backend and mechanism, as LACKING names them, from the first record of a trace."""
    planned = trace_start["plan"]["http"]
    capture = (planned["backend"], planned["mechanism"])
    programs = {attached["what"] for attached in trace_start.get("attached", [])}
    return ("tracepoint", FOLLOWED) if capture == ("tracepoint", "tp_btf") and "floor_enter" in programs else capture


def printable(text):
    """Reasons may quote bytes that were chosen to hurt a terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Verdicts:
    """Prints a line per scenario as it is judged: ok, FAIL, skip or blind. `capture`: backend and mechanism."""

    def __init__(self, capture, time_tolerance_ns=TIME_TOLERANCE_NS):
        self.capture, self.time_tolerance_ns = capture, time_tolerance_ns
        self.counts = collections.Counter()
        self.ends_unseen = 0  # sockets whose bytes the kernel counts and the tracer rightly misses

    def _say(self, kind, word, name, reason):
        self.counts[kind] += 1
        print(f"{word} {name} ({printable(reason)})" if reason else f"{word} {name}", flush=True)

    def complain(self, name, complaints):
        """No complaint: it passed."""
        if not complaints:
            return self._say("passed", "ok", name, "")
        shown = "; ".join(complaints[:COMPLAINTS_SHOWN_MAX])
        more = len(complaints) - COMPLAINTS_SHOWN_MAX
        return self._say("failed", "FAIL", name, shown + (f"; and {more} more" if more > 0 else ""))

    def skip(self, name, reason):
        self._say("skipped", "skip", name, reason)

    def judge(self, name, exit_code, errors, needs, truths, records):
        """`exit_code` and `errors` (its stderr) are those of `workload NAME`."""
        if exit_code == EXIT_SKIPPED:
            said = re.search(r"^skipped \S+ \((.*)\)$", errors, re.MULTILINE)
            return self.skip(name, said[1] if said else "no reason given")
        if exit_code != 0:
            return self.complain(name, [f"the traffic failed: {errors.strip()}"])
        if not truths:
            return self.complain(name, ["the traffic was made but nothing was logged"])
        ends_unseen = ENDS_UNSEEN[needs] if self.capture in LACKING.get(needs, ()) else 0
        self.ends_unseen += ends_unseen * len(set(connection_keys(truths)))
        if ends_unseen < 2:  # one end is enough to tell everything
            return self.complain(name, compare(truths, records, self.time_tolerance_ns))
        seen, complaints = compare_blind(truths, records, self.time_tolerance_ns)
        if complaints:
            return self.complain(name, complaints)
        return self._say("blind", "blind", name,
                         f"needs {needs}, which {' '.join(self.capture)} has not; told {seen} of {len(truths)} "
                         "transactions, none wrong")

    def summary(self):
        kinds = ["passed", "failed", *(kind for kind in ("skipped", "blind") if self.counts[kind])]
        return ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)
