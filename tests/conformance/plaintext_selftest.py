"""Checks tests/conformance/plaintext.py: right records pass, and each way of being wrong is found and named."""

import copy

from facets import compare_facts

AT_NS, TIMESTAMP = 1_700_000_000_000_000_000, "2023-11-14T22:13:20.000000Z"
CLIENT = {"address": "::1", "port": 40001, "processes": [{"pid": 7, "comm": "wl-client"}]}
SERVER = {"address": "::1", "port": 443, "processes": [{"pid": 8, "comm": "wl-server"}]}
PROTECTION = {"version": "TLS 1.3", "cipher_suite": "TLS_AES_256_GCM_SHA384", "group": "x25519", "sni": "s",
              "alpn": "http/1.1"}
RUNGS = {"tls": "tracepoint/tp_btf", "https": "tracepoint/tp_btf"}
ENDS = {side: {"address": "::1", "port": fact["port"], **{"pid": fact["processes"][0]["pid"]},
               "process": fact["processes"][0]["comm"]} for side, fact in (("client", CLIENT), ("server", SERVER))}


def truth(sequence=0, **other):
    return {"event_type": "http_transaction", "scenario": "s", "client": CLIENT, "server": SERVER, "sequence": sequence,
            "method": "GET", "url": f"/{sequence}", "status": 200, "request_body_bytes": 0, "response_body_bytes": 3,
            "request_headers": 1, "response_headers": 1, "complete": True, "optional": False, "observable": True,
            "request_time_ns": AT_NS, "response_time_ns": AT_NS, "scheme": "https", "tls": PROTECTION, **other}


def record(sequence=0, **other):
    header = [{"name": "a", "value": "b"}]
    return copy.deepcopy({
        "event_type": "http_transaction", "timestamp": TIMESTAMP, "connection_id": "c1", "backend": "ebpf",
        "mechanism": "uprobe", "scheme": "https", "tls": PROTECTION, "missing": [], **ENDS, "complete": True,
        "request": {"method": "GET", "url": f"/{sequence}", "headers": header, "body_bytes": 0},
        "response": {"status_code": 200, "headers": header, "body_bytes": 3}, "request_time": TIMESTAMP,
        "response_time": TIMESTAMP, **other})


def handshake(**other):
    return copy.deepcopy({"event_type": "tls_handshake", "connection_id": "c1", **ENDS, **other})


TWO = [record(), record(1)]
DEFECTS = (
    (lambda records: records.pop(), "missing: GET /1"),
    (lambda records: records.append(record(1)), "reported 2 times: GET /1"),
    (lambda records: records.append(record(1, client={"pid": 7}, server={})), "never made: GET /1"),
    (lambda records: records.append(record(9, scheme="http")), "never made: GET /9"),
    (lambda records: records[2].update(scheme="http"), "scheme is 'http': GET /1"),
    (lambda records: records[2].update(mechanism="tp_btf"), "by ebpf/tp_btf, not ebpf/uprobe"),
    (lambda records: records[2]["tls"].update(group="x448"), "tls.group is 'x448', not 'x25519'"),
    (lambda records: records[2].pop("tls"), "tls.version is None, not 'TLS 1.3'"),
    (lambda records: records[2]["missing"].append("tls.alpn"), "tls.alpn is listed in missing"),
    (lambda records: records[2]["server"].update(pid=7), "server is process (7"),
    (lambda records: records[2]["client"].pop("address"), "client.address is None"),
    (lambda records: records[0].update(connection_id="c2"), "['c2'] were handshakes, and not of ['c1']"),
    (lambda records: records.pop(0), "of the connections [] were handshakes"),
)


def check_plaintext():
    """How many checks failed."""
    failed = 0

    def check(what, rungs, facts, records, words):
        nonlocal failed
        complaints = "; ".join(compare_facts(rungs, facts, records)[0])
        if words not in complaints or (not words and complaints):
            print(f"FAIL plaintext, {what}: expected {words!r} in {complaints!r}")
            failed += 1

    facts = [truth(), truth(1)]
    check("right", RUNGS, facts, [handshake(), *TWO], "")
    for spoil, words in DEFECTS:
        records = [handshake(), *copy.deepcopy(TWO)]
        spoil(records)
        check(words, RUNGS, facts, records, words)
    before = [truth(observable=False, tls=None), truth(1, tls=None)]
    unseen = {"tls": None, "missing": [f"tls.{name}" for name in PROTECTION]}
    check("begun before", RUNGS, before, [record(1, **unseen)], "")
    check("begun before, not declared", RUNGS, before, [record(1, tls=None)], "tls.sni is not listed in missing")
    check("begun before, and told", RUNGS, before, [record(**unseen), record(1, **unseen)], "made before the tracer")
    encrypted = [truth(tls={**PROTECTION, "alpn": None})]
    seen = {name: value for name, value in PROTECTION.items() if name != "alpn"}
    check("without an ALPN", RUNGS, encrypted, [handshake(), record(tls=seen, missing=["tls.alpn"])], "")
    check("with one that nobody saw", RUNGS, encrypted, [handshake(), record()], "tls.alpn is 'http/1.1', not None")
    late = [truth(optional=True), truth(1)]
    check("found late", RUNGS, late, [handshake(), record(1)], "")
    start = {"event_type": "trace_start", "blind": ["https: no uprobes"]}
    check("declared", {"tls": "tracepoint/tp_btf"}, facts, [start], "")
    check("declared, and told", {"tls": "tracepoint/tp_btf"}, facts, [start, record()], "out of its reach")
    check("not declared", {"tls": "tracepoint/tp_btf"}, facts, [{**start, "blind": []}], "not said to be out of sight")
    return failed
