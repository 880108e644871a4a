#!/usr/bin/env python3
"""Holds tracer's profiles and snapshots to docs/schema/profile.schema.json and snapshot.schema.json.

usage: validate_documents.py [FILE...]      (no FILE: standard input)
       validate_documents.py --expect-invalid FILE

Which schema counts is told by the document. Exits 1 at the first file that is no valid document. --expect-invalid: FILE
holds a list of changes {"of": a file beside it, "at": [keys and places], "is": value}; with each of them alone that
document must be refused (tests of the schema).
"""
import argparse
import json
import pathlib
import sys
import warnings

import jsonschema

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "schema"


def load(name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def make_validators():
    """By the key that names the version of the document."""
    names = ("profile", "snapshot", "document_parts", "records")
    schemas = {f"{name}.schema.json": load(name) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what newer releases of the package do otherwise
        return {
            f"{name}_version": jsonschema.Draft202012Validator(
                schema := schemas[f"{name}.schema.json"],
                resolver=jsonschema.RefResolver(schema["$id"], schema, store=dict(schemas)),
            )
            for name in ("profile", "snapshot")
        }


def refuse_repeated_keys(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"repeated key in {keys}")
    return dict(pairs)


def error_of(document, validators):
    """None, or what is wrong with it."""
    if not isinstance(document, dict):
        return "no object"
    for key, validator in validators.items():
        if key in document:
            error = next(validator.iter_errors(document), None)
            return f"{error.json_path}: {error.message}" if error else None
    return "neither profile_version nor snapshot_version"


def parse(data):
    return json.loads(data.decode("utf-8"), object_pairs_hook=refuse_repeated_keys)


def changed(folder, change):
    document = parse((folder / change["of"]).read_bytes())
    place = document
    for key in change["at"][:-1]:
        place = place[key]
    place[change["at"][-1]] = change["is"]
    return document


def check_refusals(source, changes, validators):
    for change in changes:
        if not error_of(changed(source.parent, change), validators):
            sys.exit(f"{source}: accepted: {json.dumps(change)}")
    print(f"{len(changes)} changes refused")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--expect-invalid", type=pathlib.Path)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    validators = make_validators()
    if options.expect_invalid:
        return check_refusals(options.expect_invalid, parse(options.expect_invalid.read_bytes()), validators)
    inputs = [(str(path), path.read_bytes()) for path in options.files] or [("stdin", sys.stdin.buffer.read())]
    for source, data in inputs:
        if error := error_of(parse(data), validators):
            sys.exit(f"{source}: {error[:2000]}")
    print(f"{len(inputs)} documents valid")


if __name__ == "__main__":
    main()
