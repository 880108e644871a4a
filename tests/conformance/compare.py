"""Compares the records of a tracer with the ground truth of tests/workloads. Pure: lists in, complaints out."""

import base64
import collections
import datetime

TIME_TOLERANCE_NS = 250_000_000  # 50 ms, on a machine that is five times as busy
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def raw(holder, name):
    """The exact bytes of a text member: records and truth give them beside the text when it is not plain."""
    if holder.get(name + "_base64") is not None:
        return base64.b64decode(holder[name + "_base64"])
    value = holder.get(name)
    return value.encode() if isinstance(value, str) else value


def nanoseconds(timestamp):
    """RFC 3339 UTC to nanoseconds since the epoch; None for None."""
    if timestamp is None:
        return None
    moment = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000


def look_up(record, path):
    for part in path.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def ports(party_holder):
    return party_holder.get("client", {}).get("port"), party_holder.get("server", {}).get("port")


def pids(truths, side):
    return {process["pid"] for truth in truths for process in truth[side]["processes"]}


def belonging(truths, records, event_type="http_transaction"):
    """The transactions (or what is asked for) on the flows that the scenario made: by its processes, or by its ports
    while it ran."""
    if not truths:
        return []
    made_by = pids(truths, "client") | pids(truths, "server")
    pairs = {ports(truth) for truth in truths}
    first = min(truth["request_time_ns"] for truth in truths) - 1_000_000_000
    last = max(truth["response_time_ns"] for truth in truths) + 1_000_000_000

    def belongs(record):
        if record.get("event_type") != event_type:
            return False
        named = {record.get(side, {}).get("pid") for side in ("client", "server")}
        when = nanoseconds(record.get("timestamp"))
        in_time = when is None or first <= when <= last
        return in_time and (bool(named & made_by) or ports(record) in pairs)

    return [record for record in records if belongs(record)]


def connection_keys(truths):
    """A key for each truth's connection. A port pair that is used again begins again at sequence 0."""
    generation = collections.Counter()
    keys = []
    for truth in truths:
        if truth["sequence"] == 0:
            generation[ports(truth)] += 1
        keys.append((ports(truth), generation[ports(truth)]))
    return keys


def lifetimes(truths):
    """Ports → nanoseconds from the first request to the last response that could be seen; of several connections the
    shortest."""
    spans = {}
    for truth, key in zip(truths, connection_keys(truths)):
        if not truth["observable"]:
            continue
        first, last = spans.get(key, (truth["request_time_ns"], 0))
        spans[key] = min(first, truth["request_time_ns"]), max(last, truth["response_time_ns"])
    lives = {}
    for (pair, _), (first, last) in spans.items():
        lives[pair] = min(lives.get(pair, last - first), last - first)
    return lives


def label(truth):
    return f"{truth['method']} {truth['url']} (client port {truth['client']['port']})"


NOTHING = frozenset()


def declared_missing(path, record, may_lack, present):
    """Whether the record rightly says that it lacks this field, and complaints about the way it does."""
    if not any(path == each or path.startswith(each + ".") for each in record.get("missing", [])):
        return False, []
    if present:
        return False, [f"{path} is listed in missing, and is there"]
    return (True, []) if path in may_lack else (False, [f"{path} is listed in missing"])


def wrong_fields(truth, record, tolerance_ns, may_lack=NOTHING):
    """What the record says otherwise than the truth, field by field; what it may lack it must declare."""
    complaints = []

    def expect(path, wanted, found):
        declared, wrong = declared_missing(path, record, may_lack, found is not None)
        complaints.extend(wrong)
        if not declared and wanted != found:
            complaints.append(f"{path} is {found!r}, not {wanted!r}")

    expect("request.method", raw(truth, "method"), raw(record.get("request", {}), "method"))
    expect("request.url", raw(truth, "url"), raw(record.get("request", {}), "url"))
    found_status = look_up(record, "response.status_code")
    if truth["status"] is None and found_status is not None:
        complaints.append(f"response.status_code is {found_status}, but there was no response")
    if truth["status"] is not None:
        expect("response.status_code", truth["status"], found_status)
    for side in ("request", "response"):
        if side == "response" and truth["status"] is None:
            continue
        if truth[f"{side}_body_bytes"] is not None:
            expect(f"{side}.body_bytes", truth[f"{side}_body_bytes"], look_up(record, f"{side}.body_bytes"))
        headers = look_up(record, f"{side}.headers")
        count = len(headers) if isinstance(headers, list) else None
        expect(f"{side}.headers", truth[f"{side}_headers"], count)
    expect("complete", truth["complete"], record.get("complete"))
    if not truth["complete"] and not record.get("incomplete_reason"):
        complaints.append("incomplete without a reason")
    for side in ("client", "server"):
        complaints += wrong_party(side, truth[side], record, may_lack)
    return complaints + wrong_times(truth, record, tolerance_ns, may_lack)


def wrong_party(side, truth, record, may_lack=NOTHING):
    complaints = []
    found = record.get(side, {})
    for name in ("address", "port"):
        if found.get(name) != truth[name]:
            complaints.append(f"{side}.{name} is {found.get(name)!r}, not {truth[name]!r}")
    lacking = {}
    for name in ("address", "port", "pid", "process"):
        lacking[name], wrong = declared_missing(f"{side}.{name}", record, may_lack, name in found)
        complaints += wrong

    def told(pid, comm):
        return None if lacking["pid"] else pid, None if lacking["process"] else comm

    allowed = {told(process["pid"], raw(process, "comm")) for process in truth["processes"]}
    named = told(found.get("pid"), raw(found, "process"))
    if named not in allowed:
        complaints.append(f"{side} is process {named}, not one of {sorted(allowed)}")
    return complaints


def wrong_times(truth, record, tolerance_ns, may_lack=NOTHING):
    complaints = []
    compared = ["request_time"]
    if truth["complete"]:
        compared.append("response_time")
    for name in compared:
        found = nanoseconds(record.get(name))
        declared, wrong = declared_missing(name, record, may_lack, found is not None)
        complaints += wrong
        if declared:
            continue
        if found is None:
            complaints.append(f"{name} is absent")
        elif abs(found - truth[f"{name}_ns"]) > tolerance_ns:
            complaints.append(f"{name} is {(found - truth[f'{name}_ns']) / 1e6:+.1f} ms off")
    return complaints


def key_of(truth):
    return ports(truth), raw(truth, "method"), raw(truth, "url")


def take(unused, wanted, key):
    """The records of one transaction, all but the first too many. A port may be given out again within a scenario: then
    several transactions have the same key, and each is due one record, in the order of time."""
    wanted[key] -= 1
    if wanted[key] == 0:
        return unused.pop(key, [])
    return [unused[key].pop(0)] if unused.get(key) else []


def compare(truths, records, tolerance_ns=TIME_TOLERANCE_NS, may_lack=NOTHING):
    """Complaints about one scenario; none: every transaction was reported exactly once and right."""
    complaints = []
    found = belonging(truths, records)
    unused = {}
    for index, record in enumerate(found):
        key = (ports(record), raw(record.get("request", {}), "method"), raw(record.get("request", {}), "url"))
        unused.setdefault(key, []).append((index, record))
    wanted = collections.Counter(map(key_of, truths))
    order = collections.defaultdict(list)       # connection → positions in the output
    connection_ids = collections.defaultdict(set)
    for truth, connection in zip(truths, connection_keys(truths)):
        candidates = take(unused, wanted, key_of(truth))
        if not truth["observable"]:
            if candidates:
                complaints.append(f"reported though made before the tracer: {label(truth)}")
            continue
        if not candidates:
            if not truth["optional"]:
                complaints.append(f"missing: {label(truth)}")
            continue
        if len(candidates) > 1:
            complaints.append(f"reported {len(candidates)} times: {label(truth)}")
        index, record = candidates[0]
        if truth["optional"] and not record.get("complete"):
            continue
        complaints += [f"{complaint}: {label(truth)}"
                       for complaint in wrong_fields(truth, record, tolerance_ns, may_lack)]
        order[connection].append((truth["sequence"], index))
        connection_ids[connection].add(record.get("connection_id"))
    for records_left in unused.values():
        for _, record in records_left:
            request = record.get("request", {})
            complaints.append(f"never made: {request.get('method')} {request.get('url')} on ports {ports(record)}, "
                              f"complete {record.get('complete')}")
    return complaints + wrong_connections(order, connection_ids)


def compare_blind(truths, records, tolerance_ns=TIME_TOLERANCE_NS, may_lack=NOTHING):
    """For a tracer that is declared blind for this traffic: how many transactions it told, and complaints.

    It may say nothing, or that it does not know (`complete` false). What it calls complete must be right, and nothing
    may be there that was not made.
    """
    complaints = []
    told = collections.Counter()
    made = {(ports(truth), raw(truth, "method"), raw(truth, "url")): truth for truth in truths}
    for record in belonging(truths, records):
        request = record.get("request", {})
        key = (ports(record), raw(request, "method"), raw(request, "url"))
        if key not in made:
            complaints.append(f"never made: {request.get('method')} {request.get('url')} on ports {ports(record)}, "
                              f"complete {record.get('complete')}")
            continue
        told[key] += 1
        if told[key] == 2:
            complaints.append(f"reported more than once: {label(made[key])}")
        if record.get("complete"):
            complaints += [f"{complaint}: {label(made[key])}"
                           for complaint in wrong_fields(made[key], record, tolerance_ns, may_lack)]
    return len(told), complaints


def wrong_connections(order, connection_ids):
    complaints = []
    for connection, positions in order.items():
        by_sequence = [index for _, index in sorted(positions)]
        if by_sequence != sorted(by_sequence):
            complaints.append(f"out of order on client port {connection[0][0]}")
        if len(connection_ids[connection]) > 1 or None in connection_ids[connection]:
            complaints.append(f"one connection, connection_id {sorted(map(str, connection_ids[connection]))}")
    ids = [next(iter(each)) for each in connection_ids.values() if len(each) == 1]
    shared = [each for each, count in collections.Counter(ids).items() if count > 1]
    if shared:
        complaints.append(f"several connections share connection_id {shared[:3]}")
    return complaints


EVENT_TYPES = {"http": "http_transaction", "connection": "connection"}


def only_missed_runs(records):
    """Whether the trace says that its kernel skipped programs, and that nothing else was lost."""
    return bool(records) and set(records[-1].get("lost") or ()) == {"missed_runs"}


def wrong_stream(records, backend=None, mechanism=None, ends_unseen=0, facet="http", missed=False):
    """Complaints about the trace as a whole. `ends_unseen`: sockets of which it may know that it missed bytes.
    `missed`: runs of its programs may be missed, if it says so."""
    if not records:
        return ["nothing was written"]
    complaints = []
    if records[0]["event_type"] != "trace_start":
        complaints.append("the first line is not trace_start")
    if [r["event_type"] for r in records].count("trace_end") != 1 or records[-1]["event_type"] != "trace_end":
        complaints.append("the last line is not the one trace_end")
        return complaints
    end = records[-1]
    if end.get("lost") and not missed:
        complaints.append(f"lost: {end['lost']}")
    if (end.get("ledger_mismatch") or 0) > ends_unseen and not missed:
        complaints.append(f"ledger_mismatch: {end['ledger_mismatch']}")
    planned = look_up(records[0], f"plan.{facet}") or {}
    for name, wanted in (("backend", backend), ("mechanism", mechanism)):
        if wanted is None:
            continue
        if planned.get(name) != wanted:
            complaints.append(f"plan.{facet}.{name} is {planned.get(name)!r}, not {wanted!r}")
        others = {r.get(name) for r in records if r["event_type"] == EVENT_TYPES[facet]} - {wanted}
        if others:
            complaints.append(f"records of {name} {sorted(map(str, others))}, not {wanted!r}")
    return complaints
