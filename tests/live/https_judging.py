"""Whether records tell exactly what was exchanged inside TLS."""

import os

from harness import expect
from tracer_process import Tracer, read_records, transactions
from validate_records import check as check_against_schema

COMPLAINTS_SHOWN_MAX = 10
OF_THE_HANDSHAKE = ("version", "cipher_suite", "group", "sni", "alpn")
NOT_IN_CLEAR = {"tls.alpn"}       # TLS 1.3 encrypts what the server chose


class Run:
    """A tracer under the `with`, and after stop() what it wrote. `name` is that of a folder of its own."""

    def __init__(self, arguments, work_dir, name, *options, show="https,tls"):
        self.folder = os.path.join(work_dir, name)
        os.makedirs(self.folder)
        self.tracer = Tracer(arguments.tracer, ["--show", show, *options], work_dir=self.folder)

    def __enter__(self):
        self.start = self.tracer.wait_ready()
        return self

    def __exit__(self, *_):
        self.tracer.__exit__()

    def stop(self, code_wanted=130, may_lose=False):
        code = self.tracer.stop()
        expect(code == code_wanted, f"exit code {code}: {self.tracer.stderr()[-500:]}")
        with open(self.tracer.output, "rb") as file:
            wrong = check_against_schema(self.tracer.output, file.read(), stream=True)[1]
        expect(wrong is None, f"not by the schema: {wrong}")
        self.records = read_records(self.tracer.output)
        self.end = self.records[-1]
        expect(may_lose or self.end["lost"] == {}, f"lost: {self.end['lost']}")
        return self.records

    def told(self):
        return [each for each in transactions(self.records) if each["scheme"] == "https"]

    def written(self):
        """Every byte that left it."""
        with open(self.tracer.output, "rb") as output, open(self.tracer.stderr_path, "rb") as errors:
            return output.read() + errors.read()


def target_of(record):
    return record.get("request", {}).get("url")


def handshakes_of(records):
    return {each["connection_id"]: each for each in records if each["event_type"] == "tls_handshake"}


def wrong_content(exchange, record):
    """Where the record does not say what was exchanged, whoever told it."""
    response = record.get("response", {})
    said = {"method": record["request"]["method"], "status": response.get("status_code"),
            "sent": record["request"].get("body_bytes"), "received": response.get("body_bytes"),
            "complete": record["complete"], "scheme": record["scheme"], "backend": record.get("backend"),
            "mechanism": record.get("mechanism")}
    wanted = {"method": exchange.method, "status": exchange.status, "sent": exchange.sent,
              "received": exchange.received, "complete": True, "scheme": "https", "backend": "ebpf",
              "mechanism": "uprobe"}
    if exchange.received is None:     # only that there is a body
        wanted["received"] = said["received"] or "some"
    return [f"{field} is {said[field]!r}, not {wanted[field]!r}" for field in wanted if said[field] != wanted[field]]


def wrong_connection(exchange, record, handshakes):
    """Where it is not joined with both ends of its connection and with its handshake."""
    complaints = []
    for side, pid in (("client", exchange.client), ("server", exchange.server)):
        said = record[side].get("pid"), record[side].get("address")
        if said != (pid, "127.0.0.1"):
            complaints.append(f"{side} is {record[side]}, not {pid}")
    if record["server"].get("port") != exchange.port:
        complaints.append(f"its port is {record['server'].get('port')}, not {exchange.port}")
    handshake = handshakes.get(record["connection_id"])
    lacks = set(record["missing"]) - NOT_IN_CLEAR
    if not exchange.handshake_seen:
        if handshake or "tls.version" not in lacks or "version" in record.get("tls", {}):
            complaints.append(f"its handshake was not seen: {record.get('tls')}, missing {record['missing']}")
        return complaints
    if lacks:
        complaints.append(f"{sorted(lacks)} are missing")
    if handshake is None:
        return [*complaints, "there is no handshake of its connection"]
    for side in ("client", "server"):
        if handshake[side] != record[side]:
            complaints.append(f"{side} is {record[side]}, that of its handshake {handshake[side]}")
    wanted = {field: handshake[field] for field in OF_THE_HANDSHAKE if field in handshake}
    if record.get("tls") != wanted:
        complaints.append(f"tls is {record.get('tls')}, its handshake says {wanted}")
    if "version" not in wanted or exchange.version not in (None, wanted["version"]):
        complaints.append(f"TLS is {wanted.get('version')}, not {exchange.version}")
    return complaints


def wrong_ends(exchange, found):
    """Both ends tell it, neither knows its connection, and none of them says what it cannot know."""
    by_pid = {side: [each for each in found if each[side].get("pid") == getattr(exchange, side)]
              for side in ("client", "server")}
    if len(found) != 2 or any(len(each) != 1 for each in by_pid.values()):
        return [f"told by {[(each['client'], each['server']) for each in found]}, not once by each end"]
    complaints = []
    for side, other in (("client", "server"), ("server", "client")):
        record = by_pid[side][0]
        complaints += wrong_content(exchange, record)
        guessed = [f"{end}.{field}" for end in ("client", "server") for field in ("address", "port")
                   if field in record[end] or f"{end}.{field}" not in record["missing"]]
        if guessed or "pid" in record[other] or "tls.version" not in record["missing"]:
            complaints.append(f"by the {side}: {record['client']}, {record['server']}, missing {record['missing']}")
    return complaints


def wrong(exchange, run, handshakes):
    found = [each for each in run.told() if target_of(each) == exchange.target]
    if exchange.target == "/":     # asked for by several: each by its client
        found = [each for each in found if each["client"].get("pid") == exchange.client]
    if not exchange.joined:
        return wrong_ends(exchange, found)
    if len(found) != 1:
        return [f"told {len(found)} times: {[(each['client'], each['server']) for each in found]}"]
    return wrong_content(exchange, found[0]) + wrong_connection(exchange, found[0], handshakes)


def expect_told(run, made):
    """`made`: exchanges by the name of their case. All of them, each once, and nothing else of their processes."""
    handshakes, complaints = handshakes_of(run.records), []
    for name, exchanges in made.items():
        for each in exchanges:
            complaints += [f"{name}: {each.target}: {what}" for what in wrong(each, run, handshakes)]
    targets = {each.target for exchanges in made.values() for each in exchanges}
    pids = {pid for exchanges in made.values() for each in exchanges for pid in (each.client, each.server)}
    others = [each for each in run.told() if target_of(each) not in targets and
              any(each[side].get("pid") in pids for side in ("client", "server"))]
    complaints += [f"never made: {target_of(each)}" for each in others]
    shown = "; ".join(complaints[:COMPLAINTS_SHOWN_MAX])
    expect(not complaints, f"{len(complaints)} wrong: {shown}")


