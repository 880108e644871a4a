"""What is said of each scenario and counted at the end, in the same words wherever the traffic was made."""

import collections
import json
import re

import equality
from compare import NOTHING, TIME_TOLERANCE_NS, belonging, compare, compare_blind, connection_keys, lifetimes, ports
from connections import compare_connections

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
# Who looks a process up after it saw a packet: names of connections that live for so long (by the truth) must be there,
# and of all the others together at least so many.
LOOKED_UP_LATER = {("pcap", "af_packet")}
NAMED_AFTER_NS = 60_000_000
NAMED_SHARE_MIN = 0.05        # 0.35 when nothing else runs
NAMED_COUNT_MIN = 100         # of fewer ends a share says nothing
# Fields that a way of capturing may declare missing, in its plan or in a record. All others must be there and right.
PROCESSES = frozenset(f"{side}.{name}" for side in ("client", "server") for name in ("pid", "process"))
TOLD_SHARE_MIN = 0.98   # where the kernel skips programs
SIZES = frozenset(("client_to_server", "server_to_client"))
MAY_LACK = {
    ("procfs", "proc_net"): SIZES,  # who is connected with whom, and for how long
    ("pcap", "file"): PROCESSES,  # a file does not say who held the sockets
    # Looked up after the packet was seen: who is gone by then has no name.
    ("pcap", "af_packet"): PROCESSES,
}
# With connections that live for a while, nobody is gone.
MAY_LACK_LINGERING = {("pcap", "file"): PROCESSES, ("procfs", "proc_net"): SIZES}
ENDS_UNSEEN = {"socket-layer": 2, "socket-layer-at-one-end": 1, "kernel-sockets": 2}  # for those; of each connection


def capture_of(trace_start, facet="http"):
    """Backend and mechanism, as LACKING names them, from the first record of a trace."""
    planned = trace_start["plan"][facet]
    capture = (planned["backend"], planned["mechanism"])
    programs = {attached["what"] for attached in trace_start.get("attached", [])}
    return ("tracepoint", FOLLOWED) if capture == ("tracepoint", "tp_btf") and "floor_enter" in programs else capture


def as_looked_up(truths):
    """What may be said by who looks a process up in /proc: where it becomes another program under way, the name that it
    had before, too."""
    def named_before(party):
        pids, comms = ({json.dumps(each[name]) for each in party["processes"]} for name in ("pid", "comm"))
        return {**party, "processes": [{"pid": json.loads(pid), "comm": json.loads(comm)} for pid in pids
                                       for comm in comms]}
    return [{**truth, "server": named_before(truth["server"])}
            if truth.get("scenario") in equality.EXECUTABLE_CHANGES else truth for truth in truths]


def printable(text):
    """Reasons may quote bytes that were chosen to hurt a terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def say(word, name, reason):
    print(f"{word} {name} ({printable(reason)})" if reason else f"{word} {name}", flush=True)


class Verdicts:
    """Says a line per scenario as it is judged: ok, FAIL, skip or blind. `capture`: backend and mechanism.
    `reference`: the records of somebody else who watched the same; None: nobody did. `lingering`: no connection was
    closed before everybody could look. `names_may_lack`: processes cannot be looked up. `named_after_ns`: who looks
    them up later is there by then; None: nobody knows when."""

    facet = "http"

    def __init__(self, capture, time_tolerance_ns=TIME_TOLERANCE_NS, reference=None, lingering=False,
                 names_may_lack=False, named_after_ns=NAMED_AFTER_NS, say=say):
        self.capture, self.time_tolerance_ns, self.reference = capture, time_tolerance_ns, reference
        self.may_lack = (MAY_LACK_LINGERING if lingering else MAY_LACK).get(capture, NOTHING)
        self.named_after_ns, self.say = named_after_ns, say
        if names_may_lack:
            self.may_lack |= PROCESSES
        self.counts = collections.Counter()
        self.tallies = collections.defaultdict(collections.Counter)
        self.ends_named = self.ends_told = 0  # of connections too short for all to be named
        self.missed = False  # runs of its programs, and it says so
        self.made_while_missing = self.told_while_missing = 0
        self.ends_unseen = 0  # sockets whose bytes the kernel counts and the tracer rightly misses

    def _say(self, kind, word, name, reason):
        self.counts[kind] += 1
        self.say(word, name, reason)

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
        if self.missed:
            return self.complain(name, self._compare_missed(truths, records))
        if ends_unseen < 2:  # one end is enough to tell everything
            return self.complain(name, self._compare(truths, records))
        seen, complaints = compare_blind(truths, records, self.time_tolerance_ns)
        if complaints:
            return self.complain(name, complaints)
        return self._say("blind", "blind", name,
                         f"needs {needs}, which {' '.join(self.capture)} has not; told {seen} of {len(truths)} "
                         "transactions, none wrong")

    def _compare(self, truths, records):
        if self.capture[0] == "pcap":
            truths = as_looked_up(truths)
        complaints = compare(truths, records, self.time_tolerance_ns, self.may_lack)
        if self.capture in LOOKED_UP_LATER and self.named_after_ns is not None:
            complaints += self._count_names(truths, records)
        if self.reference is not None:
            tallies, different = equality.compare_rungs(truths, self.reference, records,
                                                         looked_up=self.capture[0] == "pcap")
            self.tally(tallies)
            complaints += different
        return complaints

    def _compare_missed(self, truths, records):
        """A transaction of which a call was missed is not told, or incomplete; never wrong."""
        told, complaints = compare_blind(truths, records, self.time_tolerance_ns, self.may_lack | PROCESSES)
        self.made_while_missing += len(truths)
        self.told_while_missing += told
        return complaints

    def lost_transactions(self):
        """Complaints about the whole trace."""
        if self.told_while_missing >= TOLD_SHARE_MIN * self.made_while_missing:
            return []
        return [f"of {self.made_while_missing} transactions {self.told_while_missing} are told, where runs were missed"]

    def _count_names(self, truths, records):
        """Complaints about ends of long connections that have no name; those of short ones are counted."""
        lives = lifetimes(truths)
        complaints = []
        for record in belonging(truths, records):
            for side in ("client", "server"):
                named = "pid" in record.get(side, {})
                if lives.get(ports(record), 0) < self.named_after_ns:
                    self.ends_told, self.ends_named = self.ends_told + 1, self.ends_named + named
                elif not named:
                    complaints.append(f"{side} has no name, after {lives[ports(record)] // 1_000_000} ms: "
                                      f"{record['request'].get('url')!r}")
        return complaints

    def lost_names(self):
        """Complaints about the whole trace."""
        if self.ends_told < NAMED_COUNT_MIN or self.ends_named >= NAMED_SHARE_MIN * self.ends_told:
            return []
        return [f"of {self.ends_told} ends {self.ends_named} have a name"]

    def tally(self, tallies):
        equality.merge(self.tallies, tallies)

    def summary(self):
        kinds = ["passed", "failed", *(kind for kind in ("skipped", "blind") if self.counts[kind])]
        return ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)


class ConnectionVerdicts(Verdicts):
    """The same for `connection` records."""

    facet = "connection"

    def _compare(self, truths, records):
        complaints = compare_connections(truths, records, self.may_lack)
        if any(record["event_type"] == "http_transaction" for record in records):
            complaints.append("there are transactions, of a tracer that was asked for connections")
        if self.reference is not None:
            tallies, different = equality.compare_rungs(truths, self.reference, records, looked_up=True,
                                                         by_key=equality.connections)
            self.tally(tallies)
            complaints += different
        return complaints
