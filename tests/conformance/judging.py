"""Holds one trace to the ground truth, wherever it was made: here, in a guest, on a machine of somebody else."""

from compare import TIME_TOLERANCE_NS, only_missed_runs, wrong_stream
from tracer_process import TracerFailed
from verdicts import NAMED_AFTER_NS, ConnectionVerdicts, Verdicts, capture_of, say

# Who looks now and then sees connections that live longer than that; not all scenarios are worth the wait.
LINGER_MS = 700
LINGERING = ("keep-alive", "pipelined", "post-200k", "chunked", "ipv6", "dual-stack-v4-mapped", "sendfile-300k",
             "msg-trunc", "fork-inherit", "scm-rights", "two-threads-one-socket")


def schema_complaints(path):
    from validate_records import check  # needs a package that nothing else here does

    with open(path, "rb") as file:
        error = check("schema", file.read(), stream=True)[1]
    return [error] if error else []


def judge(trace, names, needs, expected, *, connections=False, lingering=False, names_may_lack=False, schema=True,
          time_tolerance_ns=TIME_TOLERANCE_NS, named_after_ns=NAMED_AFTER_NS, may_miss=False, say=say):
    """Verdicts. `trace`: exit_code() and the one expected, records(), output, reference, and of each scenario
    ended(name) and truth(name). `expected`: backend and mechanism, each may be None. `connections`: those are held to
    the truth, no transactions. `names_may_lack`: it was not allowed to look at other processes. `may_miss`: its kernel
    skips programs now and then; where the trace says so, it may know less, and nothing wrong."""
    try:
        exit_code, records = trace.exit_code(), trace.records()
    except TracerFailed as failure:
        verdicts = Verdicts(None, say=say)
        verdicts.complain("tracer", [str(failure)])
        return verdicts
    started = records and records[0].get("event_type") == "trace_start"
    judges = ConnectionVerdicts if connections else Verdicts
    verdicts = judges(capture_of(records[0], judges.facet) if started else None, time_tolerance_ns, trace.reference,
                      lingering=lingering, names_may_lack=names_may_lack, named_after_ns=named_after_ns, say=say)
    verdicts.missed = missed = may_miss and only_missed_runs(records)
    for name in names:
        ended = trace.ended(name)
        truths = trace.truth(name) if ended[0] == 0 else []
        verdicts.judge(name, *ended, needs.get(name), truths, records)
    complaints = wrong_stream(records, *expected, verdicts.ends_unseen, verdicts.facet, missed)
    complaints += verdicts.lost_names() + verdicts.lost_transactions()
    if exit_code != trace.exit_code_expected:
        complaints.append(f"exit code {exit_code}, not {trace.exit_code_expected}")
    if schema:
        complaints += schema_complaints(trace.output)
    verdicts.complain("whole-trace", complaints)
    return verdicts
