#!/usr/bin/env python3
"""Holds tracer's json-stream output to docs/schema/records.schema.json.

usage: validate_records.py [--stream] [--expect-invalid] [FILE...]      (no FILE: standard input)

Exits 1 at the first line that is no valid record. --stream: the first line must be a trace_start, the last one a
trace_end, and neither may be anywhere else. --expect-invalid: every single line must be refused (tests of the schema).
"""
import argparse
import functools
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schema" / "records.schema.json"


@functools.cache
def load_validators():
    """One validator per event type: errors of the type that was meant, instead of "not valid under any of these"."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    names = [entry["$ref"].rsplit("/", 1)[1] for entry in schema["oneOf"]]
    return {
        name: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}) for name in names
    }


def refuse_repeated_keys(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"repeated key in {keys}")
    return dict(pairs)


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def error_of(line, validators):
    """None, or what is wrong with the line; and its event type."""
    try:
        record = json.loads(
            line.decode("utf-8"), object_pairs_hook=refuse_repeated_keys, parse_constant=refuse_constant
        )
    except ValueError as error:
        return str(error), None
    if not isinstance(record, dict) or record.get("event_type") not in validators:
        return "no known event_type", None
    if next(iter(record)) != "event_type":
        return "event_type is not the first key", None
    name = record["event_type"]
    error = next(validators[name].iter_errors(record), None)
    return (f"{error.json_path}: {error.message}" if error else None), name


def stream_error(names):
    if not names or names[0] != "trace_start":
        return "the first line is no trace_start"
    if names[-1] != "trace_end":
        return "the last line is no trace_end"
    if set(names[1:-1]) & {"trace_start", "trace_end"}:
        return "a trace_start or trace_end in the middle"
    return None


def check(source, data, stream=False, expect_invalid=False):
    """How many lines there are, and what is wrong with the first wrong one; None: nothing."""
    if data and not data.endswith(b"\n"):
        return 0, f"{source}: the last line has no end"
    validators, names = load_validators(), []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        error, name = error_of(line, validators)
        if expect_invalid and not error:
            return number, f"{source}:{number}: accepted: {line[:300]!r}"
        if error and not expect_invalid:
            return number, f"{source}:{number}: {error[:2000]}\n{line[:2000].decode('utf-8', 'replace')}"
        names.append(name)
    error = stream_error(names) if stream else None
    return len(names), f"{source}: {error}" if error else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--expect-invalid", action="store_true")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    inputs = [(str(path), path.read_bytes()) for path in options.files] or [("stdin", sys.stdin.buffer.read())]
    total = 0
    for source, data in inputs:
        count, error = check(source, data, options.stream, options.expect_invalid)
        if error:
            sys.exit(error)
        total += count
    if total == 0:
        sys.exit("no records at all")
    print(f"{total} lines {'refused' if options.expect_invalid else 'valid'}")


if __name__ == "__main__":
    main()
