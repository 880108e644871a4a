"""Holds records of what was read and written in clear inside of TLS to the truth. Pure: lists in, complaints out.

A transaction inside of TLS is told as one outside would be, exactly once and with both ends, and beside it what the
wire said of its connection: that of the handshake with the same connection_id."""

from compare import TIME_TOLERANCE_NS, belonging, compare, key_of, label, ports, raw

BY = "ebpf/uprobe"
PROTECTION = ("version", "cipher_suite", "group", "sni", "alpn")


def handshakes_of(truth, records):
    """Ports are given out again: of the same client."""
    pids = [process["pid"] for process in truth["client"]["processes"]]
    return [record for record in records if record.get("event_type") == "tls_handshake" and
            ports(record) == ports(truth) and record["client"].get("pid") in pids]


def wrong_protection(truth, record, records):
    complaints = []
    if record.get("scheme") != "https":
        complaints.append(f"scheme is {record.get('scheme')!r}")
    by = f"{record.get('backend')}/{record.get('mechanism')}"
    if by != BY:
        complaints.append(f"by {by}, not {BY}")
    told, missing = record.get("tls") or {}, record.get("missing", [])
    for name in PROTECTION:
        # What nobody could see: the handshake was before the tracer.
        wanted = truth["tls"][name] if truth["tls"] else None
        if told.get(name) != wanted:
            complaints.append(f"tls.{name} is {told.get(name)!r}, not {wanted!r}")
        declared = f"tls.{name}" in missing or "tls" in missing
        if declared != (wanted is None):
            complaints.append(f"tls.{name} is {'' if declared else 'not '}listed in missing")
    joined = [each.get("connection_id") for each in handshakes_of(truth, records)]
    wanted = [record.get("connection_id")] if truth["tls"] else []
    if joined != wanted:
        complaints.append(f"of the connections {joined} were handshakes, and not of {wanted}")
    return complaints


def compare_plaintext(truths, records, tolerance_ns=TIME_TOLERANCE_NS):
    """Complaints; none: every transaction was reported exactly once, right and joined."""
    complaints = compare(truths, records, tolerance_ns)
    found = belonging(truths, records)
    for truth in truths:
        told = [record for record in found if ports(record) == ports(truth) and
                raw(record.get("request", {}), "url") == raw(truth, "url")]
        if truth["observable"] and len(told) == 1 and not (truth["optional"] and not told[0].get("complete")):
            complaints += [f"{wrong}: {label(truth)}" for wrong in wrong_protection(truth, told[0], records)]
    return complaints


def compare_unseen(truths, records):
    """The same for a tracer that said that it cannot see any of it."""
    return [f"told, and out of its reach: {key_of(record)}" for record in belonging(truths, records)]
