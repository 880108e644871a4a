"""What each mask takes away, and what it leaves: for each facet the rung that must be chosen and must really record.

"as without" is what the machine's own doctor says without a mask. Where a mask takes something away, the rung is named;
alternatives are separated by "|", None is "no rung at all".
"""

from foretold import rung

AS_WITHOUT = "as without"
NOTHING = None

# What is left once bpf(2) is gone, and then packets.
NO_PROGRAMS = {"http": "pcap/af_packet", "tls": "pcap/af_packet", "https": NOTHING, "connection": "pcap/af_packet",
               "process": "tracepoint/tracefs", "file": "tracepoint/tracefs", "library": "procfs/poll"}
NO_BPF = {**NO_PROGRAMS, "crypto_api": NOTHING}
NO_BPF_NO_PACKETS = {**NO_BPF, "http": NOTHING, "tls": NOTHING, "connection": "procfs/sock_diag"}
ANY_PROCFS = "procfs/proc_events|procfs/poll"
UNPRIVILEGED = {**NO_BPF_NO_PACKETS, "process": ANY_PROCFS, "file": "procfs/poll"}
NO_CALLS = {"https": NOTHING, "crypto_api": NOTHING}  # no breakpoints in programs

OWN_NETWORK = "userns_net"

# By itself each of these is not needed by the best rung here.
DISPENSABLE = """DAC_OVERRIDE DAC_READ_SEARCH SETPCAP NET_ADMIN NET_RAW IPC_LOCK SYS_PTRACE SYS_ADMIN SYS_RESOURCE
    SYSLOG PERFMON BPF CHECKPOINT_RESTORE""".split()
# No rung needs any of these, so they are all taken away at once.
UNRELATED = """CHOWN FOWNER FSETID KILL SETGID SETUID LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST IPC_OWNER
    SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PACCT SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
    SETFCAP MAC_OVERRIDE MAC_ADMIN WAKE_ALARM BLOCK_SUSPEND AUDIT_READ""".split()

# Masks, separated by blanks → facet → rung. Facets that are not named are "as without".
EXPECTED = {
    "bpf_eperm": NO_BPF,
    "bpf_enosys": NO_BPF,
    "bpf_eperm packet_eperm": NO_BPF_NO_PACKETS,
    "bpf_enosys packet_eperm": NO_BPF_NO_PACKETS,
    "bpf_eperm drop_cap=NET_RAW": NO_BPF_NO_PACKETS,
    "bpf_eperm perf_eperm": NO_BPF,  # an own instance of tracefs is left
    "bpf_eperm no_tracefs": {**NO_BPF, "process": "procfs/proc_events", "file": "procfs/fanotify"},
    "bpf_eperm no_tracefs no_proc_events": {**NO_BPF, "process": "procfs/poll", "file": "procfs/fanotify"},
    "bpf_eperm packet_eperm no_sock_diag": {**NO_BPF_NO_PACKETS, "connection": "procfs/proc_net"},
    "perf_eperm": NO_CALLS,
    "packet_eperm": {},
    "fanotify_eperm": {},
    "no_sock_diag": {},
    "no_proc_events": {},
    "no_tracefs": {},
    "no_btf": {facet: "tracepoint/syscall_tp"
               for facet in ("http", "tls", "https", "connection", "process", "file", "library")},
    "no_btf no_tracefs": {**NO_PROGRAMS, "process": "procfs/proc_events", "file": "procfs/fanotify"},
    "no_btf perf_eperm": NO_BPF,
    "ro_sys": {},
    "ro_sys perf_eperm": NO_CALLS,
    "memlock0": {},
    "hidepid2": {},
    "no_proc": NO_CALLS,  # who has a library mapped stands there
    "drop_cap=BPF drop_cap=SYS_ADMIN": NO_BPF,
    "drop_cap=PERFMON drop_cap=SYS_ADMIN": NO_BPF,
    "nobody": UNPRIVILEGED,
    "userns": UNPRIVILEGED,
    # Its own network belongs to it, with all that is sent there.
    OWN_NETWORK: {**UNPRIVILEGED, **{facet: "pcap/af_packet" for facet in ("http", "tls", "connection")}},
    **{f"drop_cap={name}": {} for name in DISPENSABLE},
    "drop_cap=SYS_ADMIN": NO_CALLS,  # where perf_event_paranoid is above 2, as Debian's is
    " ".join(f"drop_cap={name}" for name in UNRELATED): {},
}

# Under these, who holds a socket or which file a descriptor is cannot be read in /proc: names may be missing (never
# wrong).
NAMES_MAY_LACK = {"hidepid2", "no_proc", "nobody", "userns", OWN_NETWORK, "drop_cap=SYS_PTRACE",
                  "drop_cap=DAC_READ_SEARCH", "drop_cap=DAC_OVERRIDE"}


def expected_rungs(masks, without):
    """Facet → set of rungs. `without`: the plan of this machine without a mask."""
    row = EXPECTED[masks]
    found = {}
    for facet, facet_plan in without.items():
        wanted = row.get(facet, AS_WITHOUT)
        found[facet] = {rung(facet_plan)} if wanted == AS_WITHOUT else set((wanted or "").split("|")) or {None}
        if wanted is NOTHING:
            found[facet] = {None}
    return found


# What each mask takes away: capability → what the reason of the answer must say. Beside "drop_cap=X" that is its own row,
# if the report has one.
FILTERED = "seccomp"
TAKEN = {
    "bpf_eperm": {"bpf_syscall": FILTERED, "seccomp_free": FILTERED},
    "bpf_enosys": {"bpf_syscall": r"no bpf\(2\)"},
    "perf_eperm": {"perf_event_open": FILTERED},
    "packet_eperm": {"packet_socket": FILTERED},
    "fanotify_eperm": {"fanotify": FILTERED},
    "no_sock_diag": {"sock_diag": "no sock_diag"},
    "no_proc_events": {"proc_events": "no process connector"},
    "no_tracefs": {"tracefs": "not mounted"},
    "no_btf": {"btf": "no type information", "tp_btf": "needs btf"},
    "ro_sys": {},  # perf events do instead
    "memlock0": {"memlock_unlimited": "RLIMIT_MEMLOCK is 0 KiB"},
    "hidepid2": {"proc_complete": "hidepid"},
    "no_proc": {"proc_other_processes": "/proc is not mounted", "cap_bpf": "does not say"},
    "nobody": {"bpf_syscall": "needs CAP_BPF", "packet_socket": "needs CAP_NET_RAW", "cap_sys_admin": "not hold"},
    "userns": {"initial_user_namespace": "user namespace", "bpf_syscall": "user namespace",
               "packet_socket": "user namespace"},
    OWN_NETWORK: {"initial_user_namespace": "user namespace", "bpf_syscall": "user namespace"},
    "drop_cap=NET_RAW": {"packet_socket": "needs CAP_NET_RAW"},
    "drop_cap=SYS_ADMIN": {"fanotify": "needs CAP_SYS_ADMIN"},
    # Only together.
    "ro_sys perf_eperm": {"tracefs_instance": "read-only|Read-only"},
    "drop_cap=BPF drop_cap=SYS_ADMIN": {"bpf_syscall": "needs CAP_BPF"},
    "drop_cap=PERFMON drop_cap=SYS_ADMIN": {"tp_btf": "needs CAP_BPF and CAP_PERFMON"},
}
OF_OWN_ROW = {"BPF", "PERFMON", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RESOURCE",
              "SYSLOG"}


def taken_by(masks):
    """What must be missed under these masks together."""
    taken = dict(TAKEN.get(masks, {}))
    for mask in masks.split():
        taken.update(TAKEN.get(mask, {}))
        name = mask.removeprefix("drop_cap=")
        if name in OF_OWN_ROW:
            taken[f"cap_{name.lower()}"] = f"not hold CAP_{name}"
    return taken
