"""The rows of kernels.yaml: reads them, and refuses what does not mean what it looks like."""

import dataclasses
import os
import re

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(os.path.dirname(HERE), "kernels.yaml")
FACETS = ("http", "connection", "process", "file")      # those with records
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
RUNG = re.compile(r"(ebpf|tracepoint|pcap|procfs)/[a-z_]+")
KERNEL_KINDS = {"series": {"series", "flavour", "arch"}, "uml": {"uml"}, "built": {"built"}, "vagrant": {"vagrant"}}
FLAVOURS, ARCHITECTURES = ("cloud", "generic", "rt"), ("amd64", "arm64")
TAKES_AWAY = ("append", "modules", "setup", "masks")    # what makes a row another one than its kernel's


class WrongRows(Exception):
    """What is wrong with kernels.yaml, a line each."""


class Once(yaml.SafeLoader):
    """YAML whose fields are there once: of two, the plain loader keeps the last and says nothing."""

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclasses.dataclass(frozen=True)
class Machine:
    """One row. `expect`: facet → BACKEND/MECHANISM, or None where no rung is left. `modules`: None is scripts/vm's
    choice, () is none."""

    name: str
    kernel: dict
    expect: dict
    append: str = ""
    modules: tuple | None = None
    setup: tuple = ()
    masks: tuple = ()
    differs_from: str | None = None
    indifferent: str | None = None
    misses: str | None = None
    quick: bool = False
    note: str = ""

    @property
    def arch(self):
        return self.kernel.get("arch", "amd64")

    def vm_options(self):
        """Of scripts/vm; the row is not one of Vagrant."""
        if "series" in self.kernel:
            options = ["--kernel", self.kernel["series"], "--flavour", self.kernel.get("flavour", "cloud")]
            options += ["--arch", self.arch] if self.arch != "amd64" else []
        else:
            (kind, name), = self.kernel.items()
            options = ["--kernel", f"{kind}:{name}"]
        options += ["--append", self.append] if self.append else []
        if self.modules is not None:
            options += ["--modules", ",".join(self.modules) or "none"]
        return options


def wrong_kernel(kernel):
    if not isinstance(kernel, dict):
        return ["kernel is not a mapping"]
    kinds = [kind for kind in KERNEL_KINDS if kind in kernel]
    if len(kinds) != 1:
        return [f"kernel is one of {', '.join(KERNEL_KINDS)}"]
    complaints = [f"kernel: nobody knows {name!r}" for name in kernel.keys() - KERNEL_KINDS[kinds[0]]]
    # YAML would take 5.10 for 5.1.
    complaints += [f"kernel: {name} is to be in quotes" for name, value in kernel.items() if not isinstance(value, str)]
    for name, allowed in (("flavour", FLAVOURS), ("arch", ARCHITECTURES)):
        if name in kernel and kernel[name] not in allowed:
            complaints.append(f"kernel: {name} is one of {', '.join(allowed)}")
    return complaints


def wrong_expectation(expect):
    if not isinstance(expect, dict) or expect.keys() != set(FACETS):
        return [f"expect names each of {', '.join(FACETS)}"]
    return [f"expect: {facet} is {chosen!r}, neither BACKEND/MECHANISM nor null" for facet, chosen in expect.items()
            if chosen is not None and not (isinstance(chosen, str) and RUNG.fullmatch(chosen))]


def wrong_types(row):
    kinds = {"append": str, "modules": list, "setup": list, "masks": list, "differs_from": str, "indifferent": str,
             "misses": str, "quick": bool, "note": str}
    known = {field.name for field in dataclasses.fields(Machine)}
    complaints = [f"nobody knows {name!r}" for name in row.keys() - known]
    complaints += [f"{name} is no {kind.__name__}" for name, kind in kinds.items()
                   if name in row and not isinstance(row[name], kind)]
    for name in ("modules", "setup", "masks"):
        texts = row[name] if isinstance(row.get(name), list) else ()
        complaints += [f"{name}: {each!r} is no text of one line" for each in texts
                       if not isinstance(each, str) or "\n" in each or "|" in each and name == "masks"]
    return complaints


def wrong_row(row):
    """Complaints about one row by itself."""
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not NAME.fullmatch(row["name"]):
        return [f"{row!r}: a row has a name of small letters, digits, dots and dashes"]
    complaints = wrong_types(row) + wrong_kernel(row.get("kernel")) + wrong_expectation(row.get("expect"))
    if any(name in row for name in TAKES_AWAY) and "differs_from" not in row:
        complaints.append("something is taken away, and it does not say which row it differs_from")
    return [f"{row['name']}: {each}" for each in complaints]


def wrong_difference(row, rows):
    """A thing that is taken away and changes nothing is no test, unless the row says that this is the point."""
    if "differs_from" not in row:
        return [f"{row['name']}: indifferent to what? (differs_from)"] if "indifferent" in row else []
    other = rows.get(row["differs_from"])
    if other is None or other is row:
        return [f"{row['name']}: there is no other row {row['differs_from']!r}"]
    same = row["expect"] == other["expect"]
    if same and "indifferent" not in row:
        return [f"{row['name']}: every rung is that of {other['name']}, and it does not say why (indifferent)"]
    if not same and "indifferent" in row:
        return [f"{row['name']}: it is indifferent, and its rungs are not those of {other['name']}"]
    return []


def machines_of(rows):
    """Raises WrongRows."""
    complaints = [each for row in rows for each in wrong_row(row)]
    if complaints:
        raise WrongRows("\n".join(complaints))
    by_name = {row["name"]: row for row in rows}
    complaints = [f"{row['name']}: there are two of this name" for row in rows if by_name[row["name"]] is not row]
    complaints += [each for row in rows for each in wrong_difference(row, by_name)]
    if complaints:
        raise WrongRows("\n".join(complaints))
    return [Machine(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})
            for row in rows]


def load(path=KERNELS):
    """A list of Machine, in the order of the file."""
    try:
        with open(path) as file:
            content = yaml.load(file, Once)
    except yaml.YAMLError as error:
        raise WrongRows(f"{path}: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("machines"), list):
        raise WrongRows(f"{path}: there is no list `machines`")
    return machines_of(content["machines"])
