"""Which traces a machine is asked for. Pure."""

import dataclasses

import places  # noqa: F401
from expected import NAMES_MAY_LACK, OWN_NETWORK
from guest import OPENED_FILE, Run
from judging import LINGER_MS, LINGERING

# Every way to HTTP, and those to connections where there is none.
RUNGS = ("ebpf/fentry", "ebpf/kprobe", "tracepoint/tp_btf", "tracepoint/raw_tp", "tracepoint/syscall_tp",
         "pcap/af_packet", "procfs/sock_diag", "procfs/proc_net")
ONE_OF_EACH = ("keep-alive", OPENED_FILE)   # a program is run by that, too
KEPT = "--no-redact"                        # the truth is not


def looks_later(rung):
    """It shows connections only, and those that live long enough."""
    return rung is not None and rung.startswith("procfs/")


@dataclasses.dataclass(frozen=True)
class Question:
    """A Run, and how it is judged. `rung`: what must be there of http, else of connections; None: nothing."""

    run: Run
    rung: str | None

    @property
    def connections(self):
        return looks_later(self.rung)


def with_traffic(machine, name, options, rung, scenarios):
    """`scenarios`: all of the workload."""
    namespace = "" if looks_later(rung) or rung == "pcap/af_packet" else "own"
    if OWN_NETWORK in machine.masks:
        namespace = "tracer"
    linger_ms = LINGER_MS if looks_later(rung) else 0
    chosen = () if rung is None else LINGERING if looks_later(rung) else tuple(scenarios)
    return Question(Run(name, options, chosen, machine.masks, namespace, linger_ms), rung)


def automatic(machine, scenarios):
    """What somebody gets who types nothing but the program's name."""
    rung = machine.expect["http"] or machine.expect["connection"]
    return with_traffic(machine, "auto", f"--auto {KEPT}", rung, scenarios)


def everything(machine):
    """All facets at once, of little traffic that lives long enough for who looks now and then."""
    namespace = "tracer" if OWN_NETWORK in machine.masks else ""
    return Run("all", f"--auto --show all {KEPT}", ONE_OF_EACH, machine.masks, namespace, LINGER_MS)


def by_rung(machine, scenarios):
    """Each rung, whether or not the machine should have it."""
    questions = []
    for rung in RUNGS:
        backend, mechanism = rung.split("/")
        show = " --show connection" if looks_later(rung) else ""
        options = f"--backend {backend} --mechanism {mechanism}{show} {KEPT}"
        questions.append(with_traffic(machine, f"{backend}-{mechanism}", options, rung, scenarios))
    return questions


def all_runs(machine, scenarios, all_rungs):
    questions = [automatic(machine, scenarios), *(by_rung(machine, scenarios) if all_rungs else [])]
    first, *others = [question.run for question in questions]
    return [first, everything(machine), *others]


def names_may_lack(machine):
    """Whether the tracer is not allowed to look at other processes."""
    return bool(NAMES_MAY_LACK & set(machine.masks))
