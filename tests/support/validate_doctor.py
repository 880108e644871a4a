#!/usr/bin/env python3
"""Holds the output of `tracer doctor --json` to docs/schema/doctor.schema.json.

usage: validate_doctor.py [--expect-invalid] [FILE | -- COMMAND...]      (neither: standard input)

Exits 1 at the first violation. With a command: its output, whatever its exit status of 0 or 4.
"""
import functools
import json
import pathlib
import subprocess
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schema" / "doctor.schema.json"


@functools.cache
def validator():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(report):
    """What is wrong with it; None: nothing."""
    error = next(validator().iter_errors(report), None)
    return f"{error.json_path}: {error.message[:2000]}" if error else None


def main():
    arguments = sys.argv[1:]
    invalid = "--expect-invalid" in arguments[:1]
    arguments = arguments[1:] if invalid else arguments
    if arguments[:1] == ["--"]:
        run = subprocess.run(arguments[1:], stdout=subprocess.PIPE, timeout=60, check=False)
        if run.returncode not in (0, 4):
            sys.exit(f"exit status {run.returncode}")
        text = run.stdout
    elif arguments:
        text = pathlib.Path(arguments[0]).read_bytes()
    else:
        text = sys.stdin.buffer.read()
    error = check(json.loads(text))
    if error and not invalid:
        sys.exit(error)
    if invalid and not error:
        sys.exit("accepted")
    print("refused" if invalid else "valid")


if __name__ == "__main__":
    main()
