"""Holds records about handshakes, files, libraries, processes and what is inside of TLS (plaintext.py) to the facts
that the workload logged. Pure.

A fact is told by exactly one record, every field of which is right, or absent, declared missing and known to be out of
that mechanism's reach. What nobody did, no record tells."""

import base64
import os

from compare import TIME_TOLERANCE_NS, NOTHING, declared_missing, nanoseconds, ports, wrong_party, wrong_stream
from plaintext import compare_plaintext, compare_unseen
from tracer_process import TracerFailed
from verdicts import EXIT_SKIPPED, PROCESSES, Verdicts, say

FACETS = {"tls_handshake": "tls", "file_open": "file", "lib_load": "library", "process_exec": "process",
          "process_exit": "process", "http_transaction": "https"}
# What each scenario logs (`workload list --facets`).
SCENARIOS = {"tls-handshake": "tls", "tls-handshake-bytewise": "tls", "open-missing-key": "file",
             "open-denied-key": "file", "open-key": "file", "library-map": "library", "exec-argv": "process",
             "exit-code": "process",
             **dict.fromkeys(("https-preopened", "https", "https-1.2", "https-memory-bio", "https-peeked",
                              "https-nonblocking", "https-reconnected", "https-interleaved", "https-found-late"),
                             "https")}
# Facets that facts of others need.
BESIDE = {"https": ("http", "tls", "https")}
BEFORE_NS, AFTER_NS = 1_000_000_000, 3_000_000_000
RESULTS = {0: "success", 2: "ENOENT", 13: "EACCES"}
# Of the key in tests/workloads/recorded_handshakes.cpp.
PRIVATE_KEY_PIECE = "BG0wawIBAQQgjx6xGA5iRojY"
# The path is that of a descriptor, which a failed open has not.
LOOKING_LATER = ("procfs/fanotify", "procfs/poll", "tracepoint/tracefs")
# Facets of a mechanism, and fields that are out of its reach: absent and declared.
MAY_LACK = {
    ("tracepoint/syscall_tp", "process_exec"): {"ppid"},
    ("tracepoint/syscall_tp", "process_exit"): {"exit_code", "signal"},
    ("tracepoint/tracefs", "process_exec"): {"argv"},
    ("tracepoint/tracefs", "process_exit"): {"exit_code", "signal"},
    ("procfs/poll", "process_exit"): {"exit_code", "signal"},
    ("procfs/fanotify", "file_open"): {"errno", "flags"},
    ("procfs/poll", "file_open"): {"errno"},
    ("procfs/poll", "process_exec"): {"executable"},
    ("procfs/proc_events", "process_exec"): {"executable"},
    ("pcap/af_packet", "tls_handshake"): PROCESSES,
    ("pcap/file", "tls_handshake"): PROCESSES,
}


def is_blind(rung, fact):
    """Whether nobody could see this who looks at files that are open: a failed open is none."""
    return rung in LOOKING_LATER and fact["event_type"] == "file_open" and fact["errno"] != 0


def texts(holder, name):
    """A list of texts as bytes: those that are not plain stand beside."""
    if f"{name}_base64" in holder:
        return [base64.b64decode(each) for each in holder[f"{name}_base64"]]
    return [each.encode() for each in holder.get(name) or []]


def in_time(fact, record):
    when = nanoseconds(record.get("timestamp"))
    return fact["time_ns"] - BEFORE_NS <= when <= fact.get("end_time_ns", fact["time_ns"]) + AFTER_NS


def is_about(fact, record):
    """The record that has to tell the fact."""
    kind = fact["event_type"]
    if record.get("event_type") != kind:
        return False
    if kind == "tls_handshake":
        return ports(record) == ports(fact) and in_time(fact, record)
    if record.get("pid") != fact["pid"]:
        return False
    for name in ("file", "library"):    # where a path is looked up afterwards, a relative one has become absolute
        if name in fact:
            return os.path.basename(record.get(name, "")) == os.path.basename(fact[name])
    return True


def is_extra(facts, record):
    """Told of a process of the scenario, and nobody did it."""
    pids = {fact["pid"] for fact in facts if "pid" in fact}
    return (record.get("event_type") in ("file_open", "lib_load") and record.get("pid") in pids and
            not any(is_about(fact, record) for fact in facts))


def wrong_process(fact, record, expect):
    expect("process", fact["process"], record.get("process"))
    if "uid" in fact:
        expect("uid", fact["uid"], record.get("uid"))


def wrong_fact(rung, fact, record):
    """What the record says otherwise than the fact."""
    kind, complaints = fact["event_type"], []
    may_lack = MAY_LACK.get((rung, kind), NOTHING)

    def expect(path, wanted, found):
        declared, wrong = declared_missing(path, record, may_lack, found is not None)
        complaints.extend(wrong)
        if not declared and wanted != found:
            complaints.append(f"{path} is {found!r}, not {wanted!r}")

    if kind == "tls_handshake":
        return wrong_handshake(fact, record, may_lack, expect, complaints)
    wrong_process(fact, record, expect)
    if kind == "file_open":
        wrong_open(rung, fact, record, expect)
    elif kind == "lib_load":
        expect("library", fact["library"], record.get("library"))
        expect("library_name", fact["library_name"], record.get("library_name"))
        if not record.get("evidence"):
            complaints.append("there is no evidence")
    elif kind == "process_exec":
        if not rung.startswith("procfs/"):  # looked up there: the file behind a link
            expect("executable", fact["executable"], record.get("executable"))
        expect("ppid", fact["ppid"], record.get("ppid"))
        expect("argv", texts(fact, "argv"), texts(record, "argv") if "argv" in record else None)
    else:
        for name, other in (("exit_code", "signal"), ("signal", "exit_code")):
            if name in fact:
                expect(name, fact[name], record.get(name))
                if other in record:
                    complaints.append(f"{other} is {record[other]}, of a process that ended by {name}")
    return complaints


def wrong_open(rung, fact, record, expect):
    relative = not fact["file"].startswith("/")
    looked_up = fact["resolved_file"] if relative and rung in LOOKING_LATER else fact["file"]
    expect("file", looked_up, record.get("file"))
    expect("flags", fact["flags"], record.get("flags"))
    expect("errno", fact["errno"], record.get("errno"))
    expect("result", RESULTS[fact["errno"]], record.get("result"))
    if relative and rung not in LOOKING_LATER:
        expect("resolved_file", fact["resolved_file"], record.get("resolved_file"))
    if "file_type" in fact:
        expect("file_type", fact["file_type"], record.get("file_type"))
        expect("contents", "seen", record.get("contents"))
        kinds = [] if fact["file_type"] == "unknown" else [fact["file_type"]]
        expect("assets", kinds, [each["type"] for each in record.get("assets", [])])
    elif fact["errno"] != 0 and record.get("contents") == "seen":
        expect("contents", "not_seen", "seen")


def wrong_handshake(fact, record, may_lack, expect, complaints):
    for side in ("client", "server"):
        complaints += wrong_party(side, fact[side], record, may_lack)
    for name, value in fact["fields"].items():
        if name == "certificates":
            told = record.get("certificates", [])
            expect("certificates", value, [{field: each.get(field) for field in value[0]} for each in told]
                   if value and len(value) == len(told) else told)
        else:
            expect(name, value, sorted(record[name]) if name == "findings" and name in record else record.get(name))
    if not record.get("evidence"):
        complaints.append("there is no evidence")
    return complaints


def label(fact):
    what = fact.get("file") or fact.get("library") or fact.get("executable") or fact.get("name") or ""
    return f"{fact['event_type']} {what}".strip()


def compare_facts(rungs, facts, records, tolerance_ns=TIME_TOLERANCE_NS):
    """Complaints, and how many facts nobody could see. `rungs`: facet → backend/mechanism."""
    complaints, blind = [], 0
    inside = [fact for fact in facts if fact["event_type"] == "http_transaction"]
    if rungs.get("https"):
        complaints += compare_plaintext(inside, records, tolerance_ns)
    elif inside:
        complaints += compare_unseen(inside, records)
        blind = len(inside)
        if not any(said.startswith("https") for said in records[0].get("blind", [])):
            complaints.append("https has no rung, and is not said to be out of sight")
    for fact in facts:
        if fact in inside:
            continue
        rung = rungs.get(FACETS[fact["event_type"]])
        told = [record for record in records if is_about(fact, record)]
        if is_blind(rung, fact):
            blind += 1
            complaints += [f"told, and out of its reach: {label(fact)}"] if told else []
        elif len(told) != 1:
            complaints.append(f"told {len(told)} times: {label(fact)}")
        for record in told[:1]:
            complaints += [f"{wrong}: {label(fact)}" for wrong in wrong_fact(rung, fact, record)]
            by = f"{record.get('backend')}/{record.get('mechanism')}"
            if by != rung:
                complaints.append(f"by {by}, planned is {rung}: {label(fact)}")
    complaints += [f"never done: {record['event_type']} {record.get('file') or record.get('library')}"
                   for record in records if is_extra(facts, record)]
    return complaints, blind


def planned_rungs(trace_start):
    return {facet: f"{plan['backend']}/{plan['mechanism']}" for facet, plan in trace_start["plan"].items()
            if plan.get("backend")}


def shown(facets):
    """What a tracer is asked to show so that facts of these can be judged."""
    return list(dict.fromkeys(each for facet in facets for each in BESIDE.get(facet, (facet,))))


def judge_facets(trace, names, expected, *, schema_complaints=lambda path: [], tolerance_ns=TIME_TOLERANCE_NS,
                 say=say):
    """Verdicts, as judging.judge. `expected`: facet → the rung that must be planned, "none" if there is none."""
    verdicts = Verdicts(None, say=say)
    try:
        code, records = trace.exit_code(), trace.records()
    except TracerFailed as failure:
        verdicts.complain("tracer", [str(failure)])
        return verdicts
    started = records and records[0].get("event_type") == "trace_start"
    rungs = planned_rungs(records[0]) if started else {}
    for name in names:
        status, errors = trace.ended(name)
        facts = trace.truth(name) if status == 0 else []
        if status == EXIT_SKIPPED:
            verdicts.skip(name, errors.strip())
            continue
        if status != 0 or not facts:
            verdicts.complain(name, [f"the facts were not made ({status}): {errors.strip()}"])
            continue
        complaints, blind = compare_facts(rungs, facts, records, tolerance_ns)
        if blind and not complaints:
            verdicts.counts["blind"] += 1
            seen = f"{len(facts) - blind} of {len(facts)}"
            say("blind", name, f"{rungs.get(SCENARIOS[name], 'nobody')} sees {seen}, and nothing wrong")
        else:
            verdicts.complain(name, complaints)
    complaints = wrong_stream(records)
    complaints += [f"plan.{facet} is {rungs.get(facet, 'none')}, not {rung}" for facet, rung in expected.items()
                   if rungs.get(facet, "none") != rung]
    if code != trace.exit_code_expected:
        complaints.append(f"exit code {code}, not {trace.exit_code_expected}")
    told = [record["event_type"] for record in records if PRIVATE_KEY_PIECE in str(record)]
    complaints += [f"bytes of a private key are in a {each}" for each in told]
    verdicts.complain("whole-trace", complaints + schema_complaints(trace.output))
    return verdicts
