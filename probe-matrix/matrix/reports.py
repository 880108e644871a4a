"""What of a doctor's report is kept, reviewed and compared: expected/<machine>.json. Pure but for the files."""

import json
import os
import re

import places
from foretold import rung

# What is another one at each boot or with each build of the package. Some systemds allow an eighth
# of the memory to be locked; limits that somebody chose are smaller, and kept.
CHANGING = ((re.compile(r"\b(process|pid) \d+"), r"\1 N"), (re.compile(r"\b(\w+):\[\d+\]"), r"\1:[N]"),
            (re.compile(r"\b(RLIMIT_MEMLOCK is) \d{5,} KiB"), r"\1 N KiB"))


def stable(text, release):
    text = text.replace(release, "RELEASE") if release else text
    for pattern, instead in CHANGING:
        text = pattern.sub(instead, text)
    return text


def normalised(name, report):
    """Without what changes from run to run, or with the build of the kernel's package."""
    release = report["host"]["kernel"]
    return {
        "machine": name,
        "capabilities": [{"name": each["name"], "verdict": each["verdict"], "reason": stable(each["reason"], release)}
                         for each in report["capabilities"]],
        "plan": {facet: {**planned, "rejected": [{**each, "reason": stable(each["reason"], release)}
                                                 for each in planned["rejected"]]}
                 for facet, planned in report["plan"].items()},
    }


def differences(reviewed, found):
    """What is not as it was reviewed, a line each."""
    lines = []
    before, now = ({each["name"]: each for each in report["capabilities"]} for report in (reviewed, found))
    for name in [*before, *(name for name in now if name not in before)]:
        if name not in now or name not in before:
            lines.append(f"{name} is {'gone' if name in before else 'new'}")
        elif before[name] != now[name]:
            lines.append(f"{name} was {before[name]['verdict']} ({before[name]['reason']}), "
                         f"is {now[name]['verdict']} ({now[name]['reason']})")
    for facet in sorted({*reviewed["plan"], *found["plan"]}):
        old, new = reviewed["plan"].get(facet), found["plan"].get(facet)
        if old != new:
            lines.append(f"plan of {facet}: was {old and rung(old)}, is {new and rung(new)}"
                         + ("" if old and new and rung(old) != rung(new) else ", other fields or reasons"))
    return lines


def path_of(name, folder=places.EXPECTED):
    return os.path.join(folder, f"{name}.json")


def read_reviewed(name, folder=places.EXPECTED):
    """None: nobody did."""
    try:
        with open(path_of(name, folder)) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write_json(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(f"{path}.new", path)


def summary_of(result, date):
    """The machine's entry of measured.json; of the automatic trace only."""
    auto = next(run for run in result["runs"] if run["name"] == "auto")
    slowest = max(auto["programs"], key=lambda program: program["load_ms"], default=None)
    return {"release": result["release"], "arch": result["arch"], "date": date, "attach_ms": auto["attach_ms"],
            "slowest": slowest, **{kind: auto[kind] for kind in ("passed", "failed", "blind", "skipped")}}


def merge_measured(summaries, path=places.MEASURED):
    """Machines that were not asked this time keep what they had. One line a machine: a change is a diff to be read."""
    try:
        with open(path) as file:
            content = json.load(file)
    except FileNotFoundError:
        content = {}
    content.update(summaries)
    lines = [f"{json.dumps(name)}: {json.dumps(content[name])}" for name in sorted(content)]
    with open(f"{path}.new", "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    os.replace(f"{path}.new", path)
