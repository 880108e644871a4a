"""A place for libvirt: inside new namespaces of processes, mounts, network and IPC, it sees folders of its own.

Whatever is started here ends with the first process of the namespace, and with it go its bridges, rules and mounts.
"""

import os
import shutil
import subprocess
import time

# Who makes them must not live on when who wanted them is killed, as little as what is in them.
NAMESPACES = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--net", "--ipc",
              "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
COVERED = ("/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt")
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
# Everything is root's in here, and there are no control groups to put a machine into.
QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = [ ]
cgroup_controllers = [ ]
"""
LIBVIRTD_CONF = """unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""


class Failed(Exception):
    """libvirt does not start."""


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def cover(place, folder):
    """Puts an empty folder of ours in front of one of the system's."""
    os.makedirs(folder)
    mount("--bind", folder, place)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def prepare(work):
    """Mounts what is ours over what is the machine's. For the first process of the namespaces."""
    subprocess.run(["umount", "--recursive", "/sys/fs/cgroup"], stderr=subprocess.DEVNULL)
    mount("-t", "sysfs", "sysfs", "/sys")        # that of the new network
    mount("-t", "tmpfs", "tmpfs", "/run")
    os.mkdir("/run/lock")
    for place in COVERED:       # also because machines that their owner has there would be started
        cover(place, os.path.join(work, place.strip("/").replace("/", "-")))
    write("/etc/libvirt/qemu.conf", QEMU_CONF)
    write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def virsh(*arguments):
    return subprocess.run(["virsh", "-c", "qemu:///system", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)


class Libvirt:
    """libvirtd, from start() to stop()."""

    def __init__(self, log):
        self.log = log
        self.daemon = None

    def start(self):
        with open(self.log, "a") as log:
            self.daemon = subprocess.Popen([shutil.which("libvirtd") or "/usr/sbin/libvirtd"],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while virsh("version").returncode != 0:
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"libvirtd does not answer: see {self.log}")
            time.sleep(0.5)

    def stop(self):
        """Networks first: their dnsmasq outlives libvirtd."""
        for network in virsh("net-list", "--name").stdout.split():
            virsh("net-destroy", network)
        self.daemon.terminate()
        try:
            self.daemon.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
