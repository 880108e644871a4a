"""Network namespaces that a test makes: two ends, and this namespace between them as a bridge, a router and a proxy.

    client 10.77.0.1 --- bridge 10.77.0.254 --- 10.77.0.2 server        one broadcast domain
                            |
                         router 10.78.0.254 --- 10.78.0.2 far server    routed, and by translation as 10.79.0.9

Nothing has a name outside: a namespace lives as long as the process that holds it. Call enter_new_namespace() first."""

import os
import shutil
import subprocess
import sys
import time

from servers import Skip, need

INSIDE = "TEST_NETWORK_INSIDE"
CLIENT, SERVER, FAR, BRIDGE, ROUTER, TRANSLATED = ("10.77.0.1", "10.77.0.2", "10.78.0.2", "10.77.0.254", "10.78.0.254",
                                                   "10.79.0.9")
START_SECONDS_MAX = 10


def enter_new_namespace():
    """Starts this program again in a network namespace (and a mount namespace, whose /sys is of that network)."""
    if INSIDE in os.environ:
        return
    os.execvpe("unshare", ["unshare", "--net", "--mount", "sh", "-c",
                           'mount -t sysfs none /sys; ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv],
               {**os.environ, INSIDE: "1"})


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


class Namespace:
    """Holds a network namespace open. `inside`: the words that start a command in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "600"], stdin=subprocess.DEVNULL)
        self.file = f"/proc/{self.process.pid}/ns/net"
        self.inside = ["nsenter", f"--net={self.file}", "--"]
        deadline = time.monotonic() + START_SECONDS_MAX
        while os.readlink(self.file) == os.readlink("/proc/self/ns/net"):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("no network namespace")
            time.sleep(0.01)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        run(*self.inside, *command)

    def end(self):
        self.process.kill()
        self.process.wait()


class Network:
    """The picture above. Use as a context manager."""

    def __enter__(self):
        need("ip")
        need("nsenter")
        self.client, self.server, self.far = Namespace(), Namespace(), Namespace()
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "addr", "add", f"{BRIDGE}/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        for name, namespace, address, gateway in (("to-client", self.client, CLIENT, BRIDGE),
                                                  ("to-server", self.server, SERVER, BRIDGE),
                                                  ("to-far", self.far, FAR, ROUTER)):
            run("ip", "link", "add", name, "type", "veth", "peer", "name", "wire", "netns", str(namespace.process.pid))
            if namespace is self.far:
                run("ip", "addr", "add", f"{ROUTER}/24", "dev", name)
            else:
                run("ip", "link", "set", name, "master", "bridge")
            run("ip", "link", "set", name, "up")
            namespace.run("ip", "addr", "add", f"{address}/24", "dev", "wire")
            namespace.run("ip", "link", "set", "wire", "up")
            namespace.run("ip", "route", "add", "default", "via", gateway)
        with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("1")
        return self

    def __exit__(self, *_):
        for namespace in (self.client, self.server, self.far):
            namespace.end()

    @staticmethod
    def translate(port, to_port):
        """TRANSLATED:port becomes FAR:to_port. Raises Skip where this machine cannot."""
        if shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is None:
            raise Skip("nft is not installed")
        try:
            run("nft", "add", "table", "ip", "tests")
            run("nft", "add chain ip tests incoming { type nat hook prerouting priority -100; }")
            run("nft", f"add rule ip tests incoming ip daddr {TRANSLATED} tcp dport {port} dnat to {FAR}:{to_port}")
        except RuntimeError as failure:
            raise Skip(f"addresses cannot be translated: {failure}") from None
