"""Checks tests/conformance/facets.py: right records of facts pass, and each way of being wrong is found and named."""

import copy

from facets import compare_facts

AT_NS, TIMESTAMP = 1_700_000_000_000_000_000, "2023-11-14T22:13:20.000000Z"
PROCESS = {"pid": 7, "process": "wl", "uid": 3}
RUNGS = {facet: "tracepoint/tp_btf" for facet in ("tls", "file", "library", "process")}
PARTY = {"address": "a", "port": 1, "processes": [{"pid": 7, "comm": "c"}]}
FACTS = {
    "failed": {"event_type": "file_open", "time_ns": AT_NS, **PROCESS, "file": "/f.key", "flags": ["O_RDONLY"],
               "errno": 2},
    "opened": {"event_type": "file_open", "time_ns": AT_NS, **PROCESS, "file": "r.crt", "resolved_file": "/d/r.crt",
               "flags": ["O_RDONLY"], "errno": 0, "file_type": "certificate"},
    "decoy": {"event_type": "file_open", "time_ns": AT_NS, **PROCESS, "file": "/d.pem", "flags": [], "errno": 0,
              "file_type": "unknown"},
    "library": {"event_type": "lib_load", "time_ns": AT_NS, **PROCESS, "library": "/l/libssl.so.3",
                "library_name": "libssl.so.3"},
    "exec": {"event_type": "process_exec", "time_ns": AT_NS, **PROCESS, "executable": "/x", "argv": ["x"],
             "argv_base64": ["eA=="], "ppid": 6},
    "exit": {"event_type": "process_exit", "time_ns": AT_NS, "pid": 7, "process": "wl", "exit_code": 7},
    "handshake": {"event_type": "tls_handshake", "time_ns": AT_NS, "end_time_ns": AT_NS, "name": "n", "client": PARTY,
                  "server": {**PARTY, "port": 2}, "fields": {"version": "TLS 1.2", "certificates": [{"serial": "01"}]}},
}
DEFECTS = (
    ("failed", lambda r: r.update(errno=13), "errno is 13, not 2"),
    ("failed", lambda r: r.update(result="EACCES"), "result is 'EACCES', not 'ENOENT'"),
    ("failed", lambda r: r.pop("flags"), "flags is None"),
    ("failed", lambda r: (r.pop("errno"), r["missing"].append("errno")), "errno is listed in missing"),
    ("failed", lambda r: r.update(pid=8), "told 0 times"),
    ("failed", lambda r: r.update(uid=0), "uid is 0, not 3"),
    ("failed", lambda r: r.update(process="sh"), "process is 'sh', not 'wl'"),
    ("failed", lambda r: r.update(contents="seen"), "contents is 'seen', not 'not_seen'"),
    ("opened", lambda r: r.pop("resolved_file"), "resolved_file is None, not '/d/r.crt'"),
    ("opened", lambda r: r.update(file_type="private_key"), "file_type is 'private_key', not 'certificate'"),
    ("opened", lambda r: r.update(assets=[]), "assets is [], not ['certificate']"),
    ("opened", lambda r: r.update(mechanism="raw_tp"), "by tracepoint/raw_tp, planned is tracepoint/tp_btf"),
    ("decoy", lambda r: r.update(assets=[{"type": "certificate"}]), "assets is ['certificate'], not []"),
    ("library", lambda r: r.update(evidence=[]), "there is no evidence"),
    ("library", lambda r: r.update(library="/other/libssl.so.3"), "library is '/other/libssl.so.3'"),
    ("exec", lambda r: r.update(argv=["x", "y"]), "argv is [b'x', b'y'], not [b'x']"),
    ("exec", lambda r: r.update(ppid=1), "ppid is 1, not 6"),
    ("exit", lambda r: r.update(exit_code=0), "exit_code is 0, not 7"),
    ("exit", lambda r: r.update(signal=9), "signal is 9, of a process that ended by exit_code"),
    ("handshake", lambda r: r.update(version="TLS 1.3"), "version is 'TLS 1.3', not 'TLS 1.2'"),
    ("handshake", lambda r: r["certificates"].clear(), "certificates is [], not [{'serial': '01'}]"),
    ("handshake", lambda r: r["client"].update(pid=9), "client is process (9"),
    ("handshake", lambda r: r.pop("evidence"), "there is no evidence"),
)


def record_of(fact):
    own = ("time_ns", "end_time_ns", "name", "fields", "argv_base64")
    record = {**{name: value for name, value in fact.items() if name not in own}, **fact.get("fields", {}),
              "timestamp": TIMESTAMP, "missing": [], "backend": "tracepoint", "mechanism": "tp_btf",
              "evidence": [{"kind": "bytes"}]}
    if fact["event_type"] == "file_open":
        kind = fact.get("file_type", "unknown")
        record |= {"result": {0: "success", 2: "ENOENT"}[fact["errno"]],
                   "contents": "not_seen" if fact["errno"] else "seen",
                   "assets": [] if kind == "unknown" else [{"type": kind}]}
    if fact["event_type"] == "tls_handshake":
        record |= {side: {"address": "a", "port": fact[side]["port"], "pid": 7, "process": "c"}
                   for side in ("client", "server")}
    return copy.deepcopy(record)


def check_facets():
    """How many checks failed."""
    failed = 0

    def check(what, rungs, facts, records, words):
        nonlocal failed
        complaints = "; ".join(compare_facts(rungs, facts, records)[0])
        if words not in complaints or (not words and complaints):
            print(f"FAIL facets, {what}: expected {words!r} in {complaints!r}")
            failed += 1

    for name, fact in FACTS.items():
        record = record_of(fact)
        check(f"{name} is right", RUNGS, [fact], [record], "")
        check(f"{name} is told twice", RUNGS, [fact], [record, record], "told 2 times")
        check(f"{name} is not told", RUNGS, [fact], [], "told 0 times")
    for name, spoil, words in DEFECTS:
        record = record_of(FACTS[name])
        spoil(record)
        check(words, RUNGS, [FACTS[name]], [record], words)
    decoy = {**record_of(FACTS["library"]), "library": "/opt/libssl-notes/x"}
    check("a library that nobody mapped", RUNGS, [FACTS["library"]], [record_of(FACTS["library"]), decoy], "never done")
    later = {**RUNGS, "file": "procfs/fanotify"}
    check("a failed open is out of reach", later, [FACTS["failed"]], [], "")
    check("and told nevertheless", later, [FACTS["failed"]], [record_of(FACTS["failed"])], "out of its reach")
    return failed
