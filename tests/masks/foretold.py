"""Whether what the doctor says under a mask is true and enough, and whether what it foretells is what became. Pure."""

import re

FACETS = ("http", "connection", "process", "file")  # those with records
# What each rung stands on, by hand and not from the planner: a choice that needs something of which nobody could find
# out whether it is there is no prediction.
BPF = ("bpf_syscall", "btf")
NEEDS = {
    "ebpf/fentry": (*BPF, "fentry", "bpf_ring_buffer"),
    "ebpf/kprobe": (*BPF, "kprobe", "perf_event_open", "raw_tp", "bpf_probe_read_kernel"),
    "tracepoint/tp_btf": (*BPF, "tp_btf", "bpf_ring_buffer"),
    "tracepoint/raw_tp": (*BPF, "raw_tp", "bpf_ring_buffer", "bpf_probe_read_kernel"),
    "tracepoint/syscall_tp": ("bpf_syscall", "perf_event_open", "tracefs", "syscall_tp"),
    "tracepoint/tracefs": ("tracefs_instance",),
    "pcap/af_packet": ("packet_socket",),
    "procfs/sock_diag": ("sock_diag",),
    "procfs/proc_net": ("proc_net_tcp",),
    "procfs/proc_events": ("proc_events",),
    "procfs/fanotify": ("fanotify", "proc_mounted"),
    "procfs/poll": ("proc_mounted",),
    "ebpf/uprobe": ("bpf_syscall", "perf_event_open", "uprobe"),
}


def rung(facet_plan):
    """BACKEND/MECHANISM of one facet of a plan, or of a record; None where there is none."""
    return f"{facet_plan['backend']}/{facet_plan['mechanism']}" if facet_plan["backend"] else None


def unfounded_choices(report):
    """Complaints about chosen rungs that do not stand on what is supported."""
    verdicts = {each["name"]: each["verdict"] for each in report["capabilities"]}
    complaints = []
    for facet in FACETS:
        chosen = rung(report["plan"][facet])
        if chosen is not None and chosen not in NEEDS:
            complaints.append(f"{facet}: it is not known what {chosen} needs")
        complaints += [f"{facet}: {chosen} is foretold, and {name} is {verdicts.get(name)}"
                       for name in NEEDS.get(chosen, ()) if verdicts.get(name) != "supported"]
    return complaints


def unexplained_answers(report):
    """A no, or that it could not be found out, is worth nothing without a reason. So is a choice not made."""
    complaints = [f"{each['name']} is {each['verdict']}, without a reason" for each in report["capabilities"]
                  if each["verdict"] != "supported" and not each["reason"]]
    for facet, planned in report["plan"].items():
        complaints += [f"{facet}: {rung(rejected)} is rejected without a reason" for rejected in planned["rejected"]
                       if not rejected["reason"]]
    return complaints


def unseen_loss(report, taken):
    """`taken`: capability → words of the reason, for what a mask takes away. Each must be answered with no, or with
    "unknown" where nothing else can be known, and the reason must name the cause."""
    answers = {each["name"]: each for each in report["capabilities"]}
    complaints = []
    for name, words in taken.items():
        answer = answers.get(name)
        if answer is None:
            complaints.append(f"{name} is not answered")
        elif answer["verdict"] == "supported":
            complaints.append(f"{name} is supported, and was taken away")
        elif not re.search(words, answer["reason"]):
            complaints.append(f"{name} is {answer['verdict']} because {answer['reason']!r}, which does not say {words!r}")
    return complaints


def broken_promises(predicted, planned):
    """Where the plan of a trace is not the one that the doctor foretold."""
    return [f"{facet}: doctor foretold {rung(foretold)}, and it became {rung(planned[facet])}"
            for facet, foretold in predicted.items() if rung(planned[facet]) != rung(foretold)]


def silent_choices(planned, found, others_hidden=False):
    """Where a chosen rung recorded nothing, or somebody else did. `found`: facet → records. `others_hidden`: the open
    files of other users' processes cannot be looked at, which is all that polling does."""
    complaints = []
    for facet in FACETS:
        chosen = rung(planned[facet])
        if chosen is None:
            complaints += [f"{facet}: no rung, but {len(found[facet])} records"] if found[facet] else []
            continue
        hidden = others_hidden and (facet, chosen) == ("file", "procfs/poll")
        if not found[facet] and not hidden:
            complaints.append(f"{facet}: {chosen} was chosen, and recorded nothing")
        others = {rung(record) for record in found[facet]} - {chosen}
        if others:
            complaints.append(f"{facet}: {chosen} was chosen, and records come from {others}")
    return complaints
