"""Compares `connection` records with the truth: who was at both ends, and how many bytes went each way. Pure."""

import collections

from compare import NOTHING, belonging, connection_keys, declared_missing, ports, wrong_party

WAYS = (("client_to_server", "request_bytes"), ("server_to_client", "response_bytes"))


def expected_connections(truths):
    """One truth for each connection: its parties with every process that was seen there, and the bytes each way."""
    made = {}
    for truth, key in zip(truths, connection_keys(truths)):
        connection = made.setdefault(key, {
            **{side: {**truth[side], "processes": []} for side in ("client", "server")},
            **{name: 0 for _, name in WAYS}, "request_time_ns": truth["request_time_ns"],
            "response_time_ns": truth["response_time_ns"]})
        for side in ("client", "server"):
            connection[side]["processes"] += truth[side]["processes"]
        for _, name in WAYS:
            connection[name] += truth[name]
        connection["response_time_ns"] = truth["response_time_ns"]
    return list(made.values())


def label(connection):
    return f"connection {ports(connection)}"


def wrong_ledger(connection, record, may_lack=NOTHING):
    """Where the tracer's count, the kernel's count or the gaps are not what was sent."""
    complaints = []
    for way, name in WAYS:
        declared, wrong = declared_missing(way, record, may_lack, way in record)
        complaints += wrong
        if declared:
            continue
        ledger = record.get(way, {})
        for count in ("moved", "witnessed"):
            if count == "witnessed" and f"{way}.witnessed" in record.get("missing", []):
                continue
            if ledger.get(count) != connection[name]:
                complaints.append(f"{way}.{count} is {ledger.get(count)}, not {connection[name]}")
        accounted = (ledger.get("kept") or 0) + sum(ledger.get("gaps", {}).values())
        if accounted != ledger.get("moved"):
            complaints.append(f"{way}: kept and gaps are {accounted} in all, moved is {ledger.get('moved')}")
    return complaints


def compare_connections(truths, records, may_lack=NOTHING):
    """Complaints; none: every connection was reported exactly once, with both ends and every byte."""
    complaints = []
    found = collections.defaultdict(list)
    for record in belonging(truths, records, "connection"):
        found[ports(record)].append(record)
    for connection in expected_connections(truths):
        candidates = found[ports(connection)]
        if not candidates:
            complaints.append(f"missing: {label(connection)}")
            continue
        record = candidates.pop(0)
        wrong = wrong_ledger(connection, record, may_lack)
        for side in ("client", "server"):
            wrong += wrong_party(side, connection[side], record, may_lack)
        complaints += [f"{each}: {label(connection)}" for each in wrong]
    for left in found.values():
        complaints += [f"more than was made: {label(record)}" for record in left]
    return complaints
