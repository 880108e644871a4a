"""What the live tests about files and documents share."""

import base64
import json
import os
import secrets
import subprocess

from harness import expect
from tracer_process import Tracer

SECONDS_MAX = 60


def opened_by(records, pid):
    return [record for record in records if record["event_type"] == "file_open" and record.get("pid") == pid]


def watching(arguments, work_dir, *options, show="file"):
    """A tracer that shows it, under the `with`."""
    folder = os.path.join(work_dir, secrets.token_hex(4))
    os.mkdir(folder)
    return Tracer(arguments.tracer, ["--show", show, "--no-redact", *options], work_dir=folder)


def document(arguments, work_dir, *words, seconds_max=SECONDS_MAX, prefix=()):
    """What a command writes, which is one JSON document."""
    path = os.path.join(work_dir, f"{secrets.token_hex(4)}.json")
    done = subprocess.run([*prefix, arguments.tracer, words[0], "-o", path, "--no-redact", *words[1:]],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds_max)
    expect(os.path.exists(path), f"{words} wrote nothing: {done.returncode}: {done.stderr[-800:]}")
    with open(path) as file:
        text = file.read()
    try:
        return json.loads(text), done
    except ValueError:
        raise AssertionError(f"{words}: {done.returncode}: {text[:300]!r} {done.stderr[-800:]!r}") from None


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def pieces_of(key_path):
    """Base64 of a private key, and its bytes, in pieces that are nowhere else."""
    with open(key_path) as file:
        lines = [line.strip() for line in file if "-----" not in line]
    raw = base64.b64decode("".join(lines))
    return [line[8:48].encode() for line in lines[2:-1]] + [raw[at:at + 24]
                                                            for at in range(len(raw) // 2, len(raw) - 24, 64)]


def expect_no_key(key_path, data, where):
    found = [piece for piece in pieces_of(key_path) if piece in data]
    expect(not found, f"{len(found)} pieces of a private key are in {where}")
