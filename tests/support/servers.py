"""Programs that tests and benchmarks make real traffic with. Each lives in a folder and on a port of its own, in the
foreground, and ends with its `with` block."""

import os
import shutil
import socket
import subprocess
import time

START_SECONDS_MAX = 10


class Skip(Exception):
    """What a test needs is not on this machine."""


def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        raise Skip(f"{program} is not installed")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process that accepts connections on self.port once the block is entered."""

    def __init__(self, command, port, address="127.0.0.1"):
        self.port, self.address = port, address
        self.url = f"http://{address}:{port}"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return self
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.__exit__()
                    raise RuntimeError(f"no server on port {self.port}") from None
                time.sleep(0.02)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]


NGINX_CONFIGURATION = """
daemon off;
user {user};
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  sendfile on;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  log_format request_only '$request_uri';
  access_log {access_log};
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{ listen {address}:{port} reuseport backlog=1024; root {dir}/www; {locations} }}
}}
"""


class Nginx(Server):
    """One worker, sendfile on. `files` maps names to sizes. With `access_log` the requests are listed one a line.
    `locations`: more for its configuration. `address`: not loopback, with `prefix` as the words before its command."""

    def __init__(self, work_dir, files, access_log=False, locations="", address="127.0.0.1", prefix=()):
        os.makedirs(os.path.join(work_dir, "www"), exist_ok=True)
        for name, size in files.items():
            with open(os.path.join(work_dir, "www", name), "wb") as file:
                file.write(bytes(32 + i % 95 for i in range(4096)) * (size // 4096 + 1))
                file.truncate(size)
        port = free_port()
        self.access_log = os.path.join(work_dir, "access.log")
        configuration = os.path.join(work_dir, "nginx.conf")
        with open(configuration, "w") as file:
            file.write(NGINX_CONFIGURATION.format(
                dir=work_dir, port=port, address=address, user="root", locations=locations,
                access_log=f"{self.access_log} request_only" if access_log else "off"))
        super().__init__([*prefix, need("nginx"), "-c", configuration, "-e", os.path.join(work_dir, "error.log")], port,
                         address)

    def worker(self):
        return self.children()[0]

    def requests_logged(self):
        with open(self.access_log) as file:
            return file.read().split()


class BusyboxHttpd(Server):
    """Forks a child for each connection, which serves it as descriptors 0 and 1."""

    def __init__(self, folder):
        port = free_port()
        super().__init__([need("busybox"), "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", folder], port)


def curl(*arguments, seconds_max=20):
    """Returns (pid, exit code)."""
    process = subprocess.Popen([need("curl"), "-sS", "-o", "/dev/null", *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process.pid, process.wait(seconds_max)


# Every request gets a number of its own, so that each can be looked for and none can hide behind another.
WRK_NUMBERED = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "{path}?n=" .. number)
end
"""


def wrk(url, path, seconds, connections, work_dir=None):
    """Returns wrk's report. With `work_dir` every request is numbered: ?n=1, ?n=2, ..."""
    command = [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s"]
    if work_dir:
        script = os.path.join(work_dir, "numbered.lua")
        with open(script, "w") as file:
            file.write(WRK_NUMBERED.format(path=path))
        command += ["-s", script]
    return subprocess.run([*command, url + path], check=True, capture_output=True, text=True,
                          timeout=seconds + 30).stdout
