"""TLS handshakes made by other people's programs: openssl, GnuTLS, curl and nginx."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from newer_programs import newer_program
from servers import NGINX_CONFIGURATION, Server, need

HANDSHAKE_SECONDS_MAX = 30
WEAK = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"     # what a library leaves out by itself since it is too weak


def installed_or_newer(name):
    """The words before its arguments. Raises Skip."""
    path = shutil.which(name)
    return [path] if path else newer_program(name)


class Environment:
    """Programs that read no configuration of this machine. `newer`: those of a newer Debian."""

    def __init__(self, certificates):
        self.certificates = certificates
        self.variables = {**os.environ, "OPENSSL_CONF": certificates.path("openssl.cnf"), "LC_ALL": "C",
                          "GNUTLS_SYSTEM_PRIORITY_FILE": "/dev/null", "NO_PROXY": "*"}

    def openssl(self, newer=False):
        return newer_program("openssl") if newer else [need("openssl")]


class Listening(Server):
    """A server that is not asked whether it listens by a connection: that would be a handshake more."""

    def __init__(self, command, port, variables):
        self.port, self.address, self.url = port, "127.0.0.1", f"https://127.0.0.1:{port}"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=variables)

    def __enter__(self):
        deadline = time.monotonic() + HANDSHAKE_SECONDS_MAX
        while not listens(self.port):
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError(f"no server on port {self.port}: {' '.join(self.process.args)}")
            time.sleep(0.02)
        return self


def listens(port):
    wanted = f":{port:04X}"
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path) as file:
                lines = [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:
            continue
        if any(line[1].endswith(wanted) and line[3] == "0A" for line in lines):
            return True
    return False


def openssl_server(environment, port, kind="rsa", options=(), newer=False, chain=False, anonymous=False):
    command = [*environment.openssl(newer), "s_server", "-accept", str(port), "-quiet", "-www"]
    if anonymous:
        command.append("-nocert")
    elif chain:
        leaf, key, above = environment.certificates.chain(kind)
        command += ["-cert", leaf, "-key", key, "-cert_chain", above]
    else:
        leaf, key = environment.certificates.leaf(kind)
        command += ["-cert", leaf, "-key", key]
    return Listening([*command, *options], port, environment.variables)


def run_client(command, environment, said=b"", seconds_max=HANDSHAKE_SECONDS_MAX):
    """Runs it to its end. Returns its pid, exit code and what it printed."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=environment.variables)
    try:
        printed, _ = process.communicate(said, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, _ = process.communicate()
        raise RuntimeError(f"{' '.join(command)} did not end: {printed[-500:]!r}") from None
    return process.pid, process.returncode, printed


def openssl_client(environment, port, *options, newer=False):
    """A handshake and one request. Returns (pid, exit code, output)."""
    command = [*environment.openssl(newer), "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *options]
    return run_client(command, environment, b"GET / HTTP/1.0\r\n\r\n")


def gnutls_server(environment, port, priority="NORMAL", kind="rsa", options=(), newer=False):
    leaf, key = environment.certificates.leaf(kind)
    program = newer_program("gnutls-serv") if newer else installed_or_newer("gnutls-serv")
    return Listening([*program, "--port", str(port), "--http", "--quiet", "--x509certfile", leaf, "--x509keyfile", key,
                      "--priority", priority, *options], port, environment.variables)


def gnutls_client(environment, port, priority="NORMAL", options=(), newer=False):
    program = newer_program("gnutls-cli") if newer else installed_or_newer("gnutls-cli")
    command = [*program, "--port", str(port), "--insecure", "--priority", priority, *options, "127.0.0.1"]
    return run_client(command, environment, b"GET / HTTP/1.0\r\n\r\n")


def curl_client(environment, port, *options, host="localhost"):
    command = [need("curl"), "-q", "-sS", "-k", "--max-time", str(HANDSHAKE_SECONDS_MAX), "-o", "/dev/null", *options,
               f"https://{host}:{port}/"]
    return run_client(command, environment)


TLS_SERVER = "server {{ listen 127.0.0.1:{port} ssl{h2}; root {dir}/www; ssl_certificate {certificate}; " \
             "ssl_certificate_key {key}; {more} }}"


class TlsNginx(Listening):
    """Its configuration and its files are in `folder`; `port` speaks TLS. `program`: another nginx than the one
    that is installed. `prefix`: the words before its command."""

    def __init__(self, environment, folder, port, certificate, key, more="", h2=True, program=None, prefix=()):
        os.makedirs(os.path.join(folder, "www"), exist_ok=True)
        with open(os.path.join(folder, "www", "index.html"), "w") as file:
            file.write("hello\n")
        configuration = os.path.join(folder, "nginx.conf")
        server = TLS_SERVER.format(port=port, dir=folder, certificate=certificate, key=key, more=more,
                                   h2=" http2" if h2 else "")
        plain = NGINX_CONFIGURATION.format(dir=folder, port=port + 5000, address="127.0.0.1", user="root",
                                           locations="", access_log="off").rstrip()
        with open(configuration, "w") as file:
            file.write(plain.removesuffix("}") + server + "\n}\n")
        super().__init__([*prefix, program or need("nginx"), "-c", configuration, "-e",
                          os.path.join(folder, "error.log")], port, environment.variables)

    def reload(self):
        """It reads its certificate and key again, and its workers are new."""
        before = set(self.children())
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + HANDSHAKE_SECONDS_MAX
        while not set(self.children()) - before or set(self.children()) & before:
            if time.monotonic() > deadline:
                raise RuntimeError("nginx did not start new workers")
            time.sleep(0.05)


class Refragmenting:
    """Passes one connection on, and cuts the first record of the client into many records in many segments: allowed by
    RFC 8446 section 5.1, and nothing that a library does by itself."""

    def __init__(self, port, to_port, record_bytes=37, segment_bytes=11):
        self.record_bytes, self.segment_bytes, self.to_port = record_bytes, segment_bytes, to_port
        self.listener = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(HANDSHAKE_SECONDS_MAX)

    def serve(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.to_port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, server:
            header = self.exactly(client, 5)
            hello = self.exactly(client, int.from_bytes(header[3:5], "big"))
            pieces = [hello[i:i + self.record_bytes] for i in range(0, len(hello), self.record_bytes)]
            records = b"".join(header[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)
            for at in range(0, len(records), self.segment_bytes):
                server.sendall(records[at:at + self.segment_bytes])
            back = threading.Thread(target=self.pass_on, args=(server, client), daemon=True)
            back.start()
            self.pass_on(client, server)
            back.join(HANDSHAKE_SECONDS_MAX)

    @staticmethod
    def exactly(connection, size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise RuntimeError("the client ended within its first record")
            data += more
        return data

    @staticmethod
    def pass_on(source, destination):
        try:
            while data := source.recv(65536):
                destination.sendall(data)
            destination.shutdown(socket.SHUT_WR)
        except OSError:
            pass
