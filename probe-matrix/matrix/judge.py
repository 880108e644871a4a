"""Whether what a machine left is what its row expects, what its doctor foretold and what really happened. No guest is
needed: `folder` is what vagrant/guest/run.sh left, anywhere."""

import collections
import json
import os

import places  # noqa: F401
import judging
import validate_doctor
from expected import taken_by
from foretold import (FACETS, NEEDS, broken_promises, rung, silent_choices, unexplained_answers, unfounded_choices,
                      unseen_loss)
from guest import TIME_TOLERANCE_NS, GuestTrace
from reports import differences, normalised
from runs import automatic, by_rung, everything, names_may_lack
from tracer_process import TracerFailed, first_line

NOTHING_WORKS = 4               # of the doctor
NO_TRACE = (3, 4)               # of a trace: there is nothing at all that could be shown
SAID_MAX = 300
SKIPPED_SHARE_MAX = 0.25        # of the scenarios: where fewer can be made it was not the whole workload


def read(folder, name):
    try:
        with open(os.path.join(folder, name), errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def report_of(folder, name):
    """What the doctor said, or None, and complaints."""
    status, errors = read(folder, f"{name}.status").strip(), read(folder, f"{name}.stderr")[-SAID_MAX:]
    try:
        report = json.loads(read(folder, f"{name}.json"))
        works = any(rung(each) for each in report["plan"].values())
    except (ValueError, KeyError):
        return None, [f"{name}: no report, it ended with {status or 'nothing'}: {errors}"]
    wanted, unlike = 0 if works else NOTHING_WORKS, validate_doctor.check(report)
    complaints = [f"{name}: schema: {unlike}"] if unlike else []
    return report, complaints + ([] if status == str(wanted) else
                                 [f"{name}: exit code {status}, not {wanted}: {errors}"])


def wrong_rungs(machine, report):
    return [f"{facet}: {rung(report['plan'][facet])} is foretold, expected is {machine.expect[facet]}"
            for facet in FACETS if rung(report["plan"][facet]) != machine.expect[facet]]


def wrong_capabilities(machine, report, reviewed):
    """`reviewed`: probe-matrix/expected/<machine>.json, None where there is none."""
    if reviewed is None:
        return [f"nobody has reviewed its capabilities: no probe-matrix/expected/{machine.name}.json (--accept)"]
    return [f"not as reviewed (--accept): {each}" for each in differences(reviewed, normalised(machine.name, report))]


def wrong_doctor(machine, report):
    return (wrong_rungs(machine, report) + unfounded_choices(report) + unexplained_answers(report) +
            unseen_loss(report, taken_by(" ".join(machine.masks))))


def wrong_verification(report, verified):
    """The doctor, asked to try its own plan."""
    complaints = [f"verify: {each}" for each in broken_promises(report["plan"], verified["plan"])]
    tried = verified.get("verify", {})
    complaints += [f"verify: nothing is said of {facet}" for facet in FACETS if facet not in tried]
    for facet, counted in tried.items():
        if counted["seen"] != counted["expected"]:
            complaints.append(f"verify: {facet} saw {counted['seen']} of {counted['expected']}")
        if facet in FACETS and rung(counted) and not counted["expected"]:
            complaints.append(f"verify: {facet} was not tried")
    return complaints


def of_facets(records, truths, may_lack):
    """Facet → the records that the machine's own traffic made."""
    made = {(truth["client"]["port"], truth["server"]["port"]) for truth in truths}

    def on_flow(record):
        return (record.get("client", {}).get("port"), record.get("server", {}).get("port")) in made

    def of_workload(record):
        return "workload" in (record.get("process"), os.path.basename(record.get("executable") or ""))

    def opened(record):
        # Some kernels say the path as it was given, here without a folder.
        return os.path.basename(record.get("file", "")) == "opened.pem" or (may_lack and "file" in record["missing"])

    wanted = {"http": ("http_transaction", on_flow), "connection": ("connection", on_flow),
              "process": ("process_exec", of_workload), "file": ("file_open", opened)}
    return {facet: [record for record in records if record["event_type"] == event_type and own(record)]
            for facet, (event_type, own) in wanted.items()}


def wrong_end(trace, foretold_nothing):
    """Complaints about a trace as such; and whether there are records."""
    started = first_line(trace.output) is not None
    if foretold_nothing:
        right = not started and trace.status() in NO_TRACE
        return ([] if right else [f"there is nothing to show, and it ended with {trace.status()}"]), False
    try:
        code = trace.exit_code()
    except TracerFailed as failure:
        return [str(failure)], False
    wrong = code != trace.exit_code_expected
    return ([f"exit code {code}: {trace.text('tracer.stderr')[-SAID_MAX:]}"] if wrong else []), True


def nameless(found):
    """Facets of which no record says who was at both ends, though they stayed for a while."""
    return [f"{facet}: nobody has a name" for facet in ("http", "connection")
            if found[facet] and not any(all("pid" in record[side] for side in ("client", "server"))
                                        for record in found[facet])]


def judge_everything(machine, folder, report):
    """The trace with all facets: what was foretold is what became, and each of them says something."""
    run = everything(machine)
    trace = GuestTrace(os.path.join(folder, run.name))
    complaints, has_records = wrong_end(trace, not any(rung(report["plan"][facet]) for facet in report["plan"]))
    if has_records:
        records = trace.records()
        status, errors = trace.ended(run.scenarios[0])
        if status != 0:
            complaints.append(f"the traffic failed: {errors.strip()[-SAID_MAX:]}")
        truths = trace.truth(run.scenarios[0])
        found = of_facets(records, truths, names_may_lack(machine))
        planned = records[0].get("plan")
        complaints += broken_promises(report["plan"], planned) + silent_choices(planned, found, names_may_lack(machine))
        if rung(planned["http"]) and len(found["http"]) != len(truths):
            complaints.append(f"{len(found['http'])} transactions of {len(truths)}")
        if not names_may_lack(machine):
            complaints += nameless(found)
        complaints += judging.schema_complaints(trace.output)
    return [f"all: {each}" for each in complaints]


def measured(trace, counts=None):
    """What of a trace is worth a column. `counts`: of scenarios, by what became of them."""
    line = first_line(trace.output)
    start = json.loads(line) if line else {}
    programs = [{"name": each["what"], "load_ms": each["load_ms"]} for each in start.get("attached", [])
                if "load_ms" in each]
    return {"attached": line is not None, "attach_ms": start.get("attached_after_ms"), "programs": programs,
            **{kind: (counts or {}).get(kind, 0) for kind in ("passed", "failed", "blind", "skipped")}}


def judge_traffic(machine, trace, question, needs):
    """Holds it to the truth. Returns complaints, and how many scenarios passed, failed …"""
    wrong, counts = [], collections.Counter()

    def say(word, name, reason):
        if word == "FAIL":
            wrong.append(f"{question.run.name}: {name}: {reason}")
        if name in question.run.scenarios:
            counts[{"ok": "passed", "FAIL": "failed", "skip": "skipped"}.get(word, word)] += 1

    judging.judge(trace, question.run.scenarios, needs, question.rung.split("/"), connections=question.connections,
                  lingering=bool(question.run.linger_ms), names_may_lack=names_may_lack(machine),
                  time_tolerance_ns=TIME_TOLERANCE_NS, named_after_ns=None, may_miss=bool(machine.misses), say=say)
    if not counts["passed"]:
        wrong.append(f"{question.run.name}: not one scenario passed")
    if counts["skipped"] > SKIPPED_SHARE_MAX * len(question.run.scenarios):
        wrong.append(f"{question.run.name}: {counts['skipped']} of {len(question.run.scenarios)} scenarios "
                     "were not made")
    return wrong, counts


def judge_automatic(machine, folder, needs):
    """Without a single option. Returns complaints and what is measured."""
    question = automatic(machine, needs)
    trace = GuestTrace(os.path.join(folder, question.run.name))
    if question.rung is None:
        complaints = [f"auto: {each}" for each in wrong_end(trace, True)[0]]
        return complaints, {"name": "auto", "rung": None, "foretold": False, **measured(trace)}
    complaints, counts = judge_traffic(machine, trace, question, needs)
    return complaints, {"name": "auto", "rung": question.rung, "foretold": True, **measured(trace, counts)}


def judge_rung(machine, folder, question, report, needs):
    """One that was asked for by name: it attaches and tells the truth, or was foretold to be impossible and is."""
    verdicts = {each["name"]: each["verdict"] for each in report["capabilities"]}
    foretold = all(verdicts.get(name) == "supported" for name in NEEDS[question.rung])
    trace = GuestTrace(os.path.join(folder, question.run.name))
    said = {"name": question.run.name, "rung": question.rung, "foretold": foretold}
    if foretold:
        complaints, counts = judge_traffic(machine, trace, question, needs)
        return complaints, {**said, **measured(trace, counts)}
    complaints = []
    if first_line(trace.output) is not None:
        complaints.append(f"{question.run.name}: it attaches, and was foretold to be impossible")
    elif trace.status() in (None, 0) or trace.status() >= 128:
        complaints.append(f"{question.run.name}: it is impossible, and ended with {trace.status()}")
    return complaints, {**said, **measured(trace)}


def judge(machine, folder, needs, reviewed, *, all_rungs=False, accept=False):
    """The content of result.json, but for the time; and the report that would be accepted, if there is one.
    `needs`: scenario → what it needs of a tracer, of the whole workload."""
    report, complaints = report_of(folder, "doctor")
    verified, more = report_of(folder, "verify")
    result = {"machine": machine.name, "release": None, "arch": machine.arch, "verdict": "failed",
              "complaints": complaints + more, "plan": {}, "capabilities": [], "runs": []}
    if report is None:
        return result, None
    complaints = result["complaints"]
    setup_status = read(folder, "setup.status").strip()
    if setup_status != "0" and (setup_status or machine.setup):
        complaints.append(f"setup failed: {read(folder, 'setup.log').strip()[-SAID_MAX:]}")
    result["release"] = report["host"]["kernel"]
    kept = normalised(machine.name, report)
    result["plan"], result["capabilities"] = kept["plan"], kept["capabilities"]
    complaints += wrong_doctor(machine, report)
    complaints += wrong_verification(report, verified) if verified else []
    auto_complaints, auto = judge_automatic(machine, folder, needs)
    complaints += auto_complaints + judge_everything(machine, folder, report)
    result["runs"].append(auto)
    for question in by_rung(machine, needs) if all_rungs else []:
        rung_complaints, measured_rung = judge_rung(machine, folder, question, report, needs)
        complaints += rung_complaints
        result["runs"].append(measured_rung)
    if not accept:
        complaints += wrong_capabilities(machine, report, reviewed)
    result["verdict"] = "failed" if complaints else "ok"
    return result, kept
