"""boxes.yaml: what it must be like, and where build-box keeps what it makes of it."""

import os
import sys

try:
    import yaml
except ImportError:
    sys.exit("vagrant: python3-yaml is missing (scripts/install-deps vagrant)")

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "..", "boxes.yaml")
BUILT_KEYS = {"suite", "series", "flavour"}


class WrongFile(Exception):
    """boxes.yaml says something that no machine can be made of."""


def complaints(text):
    """What is wrong with the parsed file, a line each."""
    if not isinstance(text, dict) or set(text) != {"boxes", "machines"}:
        return ["boxes.yaml: has not exactly `boxes` and `machines`"]
    found = []
    for name, box in text["boxes"].items():
        if not isinstance(box, dict) or len(box) != 1 or not set(box) <= {"built", "public"}:
            found.append(f"box {name}: is neither `built` nor `public`")
        elif "built" in box and (not isinstance(box["built"], dict) or set(box["built"]) != BUILT_KEYS or
                                 not all(isinstance(value, str) for value in box["built"].values())):
            found.append(f"box {name}: needs the texts {', '.join(sorted(BUILT_KEYS))}")
        elif "public" in box and name.count("/") != 1:
            found.append(f"box {name}: a public name is OWNER/NAME")
        if not any(machine.get("box") == name for machine in text["machines"].values()):
            found.append(f"box {name}: no machine has it")
    for name, machine in text["machines"].items():
        if not set(machine) <= {"box", "append"} or machine.get("box") not in text["boxes"]:
            found.append(f"machine {name}: needs a box of this file, and has nothing else but `append`")
        elif "append" in machine and "public" in text["boxes"][machine["box"]]:
            found.append(f"machine {name}: its box boots with boot arguments of its own")
    return found


class Boxes:
    def __init__(self, path=FILE):
        with open(path) as file:
            text = yaml.safe_load(file)
        wrong = complaints(text)
        if wrong:
            raise WrongFile("\n".join(wrong))
        self.boxes, self.machines = text["boxes"], text["machines"]

    def is_built_here(self, machine):
        return "built" in self.boxes[self.machines[machine]["box"]]

    def built_machines(self):
        return [name for name in self.machines if self.is_built_here(name)]


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("TRACER_VAGRANT_CACHE") or os.path.join(base, "tracer", "vagrant")


class Built:
    """What build-box leaves for one box. The Vagrantfile knows the same names."""

    def __init__(self, name):
        self.folder = os.path.join(cache_folder(), name)
        self.box = os.path.join(self.folder, "box")
        self.vmlinuz = os.path.join(self.folder, "vmlinuz")
        self.initrd = os.path.join(self.folder, "initrd")
        self.release = os.path.join(self.folder, "release")

    def is_there(self):
        return all(map(os.path.exists, (self.box, self.vmlinuz, self.initrd, self.release)))
