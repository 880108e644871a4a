"""Whether two ways of capturing tell the same story: records of the same transactions, field by field. Pure.

Equal are two records whose fields all agree, but for times (compared with the truth elsewhere), ids, what says how it
was seen, and what either declares in `missing`. A field that is absent without being declared is a difference.
"""

import collections
import json

from compare import belonging, key_of, ports, raw

# Ids, times, and how it was seen: these differ by their meaning.
DIFFERENT_BY_NATURE = {
    "event_type", "run_id", "timestamp", "connection_id", "backend", "mechanism", "missing", "inferred", "observed_at",
    "time_source", "request_time", "response_time", "duration_ms", "time_to_first_byte_ms", "opened_at", "closed_at",
    # Who sees no payload keeps none.
    "client_to_server.kept", "server_to_client.kept", "client_to_server.gaps", "server_to_client.gaps",
}
# Who is at an end. Where several processes may rightly be named, two rungs may name different ones of them; that each
# is one of those is held against the truth.
PROCESS_FIELDS = {"pid", "host_pid", "uid", "process", "exe", "container_id"}
# There the server becomes another program under way; who looks it up in /proc may say what it was a moment before.
EXECUTABLE_CHANGES = {"fork-inherit-exec"}
CHANGING = ("exe", "server.exe", "process", "server.process")
EQUAL, DECLARED, DECLARED_BY_REFERENCE, DIFFERS = "equal", "declared missing", "missing in the reference", "differs"


def flat(record, prefix=""):
    """Path → value; lists are values."""
    fields = {}
    for name, value in record.items():
        path = prefix + name
        if path in DIFFERENT_BY_NATURE:
            continue
        if isinstance(value, dict):
            fields.update(flat(value, path + "."))
        else:
            fields[path] = value
    return fields


def declares(record, path):
    """`missing` names a field, not the exact bytes of it that may stand beside."""
    path = path.removesuffix("_base64")
    return any(path == each or path.startswith(each + ".") for each in record["missing"])


def party_of(path):
    """client, server, or the top level (the server's process, or else the client's); None: no process field."""
    holder, _, name = path.removesuffix("_base64").rpartition(".")
    return (holder or "top") if name in PROCESS_FIELDS and holder in ("", "client", "server") else None


def compare_fields(reference, record, left_out=()):
    """Path → outcome, and what the two say where they differ."""
    theirs, ours = flat(reference), flat(record)
    other_process = {party for party in ("top", "client", "server")
                     if theirs.get("pid" if party == "top" else f"{party}.pid") !=
                     ours.get("pid" if party == "top" else f"{party}.pid")}
    outcomes, complaints = {}, []
    for path in sorted((set(theirs) | set(ours)) - set(left_out)):
        if party_of(path) in other_process and path in theirs and path in ours:
            continue
        if path in theirs and path in ours:
            outcomes[path] = EQUAL if theirs[path] == ours[path] else DIFFERS
        elif path in theirs:
            outcomes[path] = DECLARED if declares(record, path) else DIFFERS
        else:
            outcomes[path] = DECLARED_BY_REFERENCE if declares(reference, path) else DIFFERS
        if outcomes[path] == DIFFERS:
            complaints.append(f"{path} is {short(ours.get(path))} and not, as by the reference, "
                              f"{short(theirs.get(path))}")
    return outcomes, complaints


def short(value):
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


def key(record):
    request = record.get("request", {})
    return ports(record), raw(request, "method"), raw(request, "url")


def whole_transactions(truths, records):
    wanted = {key_of(truth) for truth in truths}
    groups = collections.defaultdict(list)
    for record in belonging(truths, records):
        if record.get("complete") and key(record) in wanted:
            groups[key(record)].append(record)
    return groups


def connections(truths, records):
    groups = collections.defaultdict(list)
    for record in belonging(truths, records, "connection"):
        groups[ports(record)].append(record)
    return groups


def compare_rungs(truths, reference, records, looked_up=False, by_key=whole_transactions):
    """One scenario: tallies {path: Counter of outcomes}, and complaints. What only one of them has is held against the
    truth elsewhere, and so are halves of transactions: only whole ones are compared. `looked_up`: its processes are, in
    /proc. `by_key`: which records of a scenario are compared with which."""
    tallies, complaints = collections.defaultdict(collections.Counter), []

    theirs, ours = by_key(truths, reference), by_key(truths, records)
    for each in theirs.keys() & ours.keys():
        if len(theirs[each]) != len(ours[each]):
            continue
        for one, other in zip(theirs[each], ours[each]):
            unsure = CHANGING if looked_up and truths[0].get("scenario") in EXECUTABLE_CHANGES else ()
            outcomes, wrong = compare_fields(one, other, unsure)
            for path, outcome in outcomes.items():
                tallies[path][outcome] += 1
            complaints += [f"{complaint}: {each}"[:400] for complaint in wrong]
    return tallies, complaints


def merge(tallies, more):
    for path, counts in more.items():
        tallies[path].update(counts)


def cell(counts):
    """One cell of the table, from the counts of a field's outcomes."""
    total = sum(counts.values())
    if not total:
        return ""
    if counts[EQUAL] == total:
        return "="
    said = [f"{counts[outcome]} {outcome}" for outcome in (DECLARED, DECLARED_BY_REFERENCE, DIFFERS) if counts[outcome]]
    return ", ".join(said) if not counts[EQUAL] else f"= {counts[EQUAL]}; " + ", ".join(said)


def table(columns):
    """Markdown: field × rung. `columns`: {name: tallies}."""
    paths = sorted({path for tallies in columns.values() for path in tallies})
    lines = ["| field | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for path in paths:
        cells = [cell(collections.Counter(tallies.get(path, {}))) for tallies in columns.values()]
        lines.append(f"| `{path}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)
