"""HTTP inside TLS, made by other people's programs: servers and clients, and what they exchanged.

Every exchange has a target of its own, so that each can be looked for and none can hide behind another."""

import dataclasses
import json
import os
import select
import subprocess
import sys
import time

from newer_programs import newer_program, older_program
from servers import Skip, need
from tls_programs import HANDSHAKE_SECONDS_MAX, Listening, TlsNginx, installed_or_newer, run_client

TLS12, TLS13 = "TLS 1.2", "TLS 1.3"
SMALL, MEDIUM, BIG = 1000, 100_000, 1 << 20
TAKEN = b"taken\n"
POSTED = 3000


@dataclasses.dataclass
class Exchange:
    """One request with its response, and the processes at both ends."""

    target: str
    status: int = 200
    received: int = 0              # bytes of the response's body
    method: str = "GET"
    sent: int = 0                  # of the request's
    client: int | None = None
    server: int | None = None
    port: int | None = None
    version: str | None = None     # of TLS; None: whatever the two agree on
    joined: bool = True            # its connection can be known
    handshake_seen: bool = True

    def made_by(self, client, server, port, version):
        return dataclasses.replace(self, client=client, server=server, port=port, version=version)


def get(name, size, tag, number):
    return Exchange(f"/{name}?of={tag}-{number}", received=size)


def post(tag, number):
    return Exchange(f"/posted?of={tag}-{number}", method="POST", sent=POSTED, received=len(TAKEN))


def put(size, tag, number):
    return Exchange(f"/put/{tag}-{number}", method="PUT", status=201, sent=size)


def all_kinds(tag):
    """Small, large, chunked, with a body in the request, small and large; and none that is there."""
    return [put(BIG, tag, 0), get("small", SMALL, tag, 1), get("big", BIG, tag, 2), post(tag, 3),
            get("chunked/small", SMALL, tag, 4),
            dataclasses.replace(get("small", 0, tag, 5), method="HEAD"),
            dataclasses.replace(get("none", len("none\n"), tag, 6), status=404), get("small", SMALL, tag, 7)]


class HttpsNginx(TlsNginx):
    """Serves what all_kinds() asks for. One worker, which is what speaks."""

    LOCATIONS = ("ssl_protocols TLSv1.2 TLSv1.3; location = /posted { return 200 'taken\\n'; } "
                 "location = /none { return 404 'none\\n'; } "
                 "location /put/ { dav_methods PUT; create_full_put_path on; client_max_body_size 0; } "
                 "location /proxied/ { proxy_pass https://127.0.0.1:{port}/; proxy_http_version 1.1; "
                 "proxy_set_header Connection ''; } "
                 "location /chunked/ { ssi on; ssi_types *; rewrite ^/chunked/(.*) /$1 break; } ")

    def __init__(self, environment, folder, port, h2=False, more="", prefix=()):
        os.makedirs(os.path.join(folder, "www"), exist_ok=True)
        for name, size in (("small", SMALL), ("medium", MEDIUM), ("big", BIG)):
            with open(os.path.join(folder, "www", name), "wb") as file:
                file.write((b"The body of a file. " * (size // 20 + 1))[:size])
        certificate, key = environment.certificates.leaf("ecdsa")
        locations = self.LOCATIONS.replace("{port}", str(port)) + more
        super().__init__(environment, folder, port, certificate, key, locations, h2, prefix=prefix)

    def worker(self):
        """Once it is there."""
        deadline = time.monotonic() + HANDSHAKE_SECONDS_MAX
        while not self.children():
            if time.monotonic() > deadline:
                raise RuntimeError("nginx has no worker")
            time.sleep(0.01)
        return self.children()[0]


class Script:
    """A program in Python, under its own pid. It reads requests as lines and answers each with a line."""

    def __init__(self, text, *arguments, environment=None, prefix=()):
        self.process = subprocess.Popen([*prefix, sys.executable, "-c", text, *(str(each) for each in arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=environment)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, *words):
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self, seconds_max=HANDSHAKE_SECONDS_MAX):
        readable, _, _ = select.select([self.process.stdout], [], [], seconds_max)
        if not readable:
            raise RuntimeError("a script did not answer")
        line = self.process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            rest = self.process.stdout.read() if self.process.poll() is not None else b""
            raise RuntimeError(f"a script failed: {(line + rest)[-800:]!r}") from None

    def end(self):
        self.process.stdin.close()
        self.process.wait(HANDSHAKE_SECONDS_MAX)


CONTEXT = """
import json, sys
def context():
    import ssl
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made
def limited(made, version):
    import ssl
    if version:
        made.minimum_version = made.maximum_version = {"TLS 1.2": ssl.TLSVersion.TLSv1_2,
                                                       "TLS 1.3": ssl.TLSVersion.TLSv1_3}[version]
    return made
def say(*words):
    print(json.dumps(words), flush=True)
"""

# Requests over one connection, which a request of method "NEW" replaces. TLS is loaded at the first of them.
HTTP_CLIENT = CONTEXT + """
port, version = int(sys.argv[1]), sys.argv[2]
connection = None
for line in sys.stdin:
    method, target, body, headers = json.loads(line)
    if method == "LOAD":
        context()
        say(0, 0)
        continue
    if method == "NEW" or connection is None:
        import http.client
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=limited(context(), version), timeout=30)
        connection.connect()
    if method == "NEW":
        say(0, 0)
        continue
    connection.request(method, target, body.encode() or None, headers)
    response = connection.getresponse()
    say(response.status, len(response.read()))
"""

# As many threads, each with requests of its own over a connection of its own. Says what they received, all together.
THREADS = CONTEXT + """
import http.client, threading
port, version, threads, requests, tag = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
made, received = limited(context(), version), []
def run(number):
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=made, timeout=30)
    for each in range(number * requests, (number + 1) * requests):
        connection.request("GET", f"/small?of={tag}-{each}")
        received.append(len(connection.getresponse().read()))
running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
for each in running:
    each.start()
for each in running:
    each.join()
say(len(received), sum(received))
"""

# One connection of asyncio, whose TLS reads and writes memory. Answers have a Content-Length or are chunked.
ASYNC_CLIENT = CONTEXT + """
import asyncio
port, version = int(sys.argv[1]), sys.argv[2]
async def exchange(reader, writer, method, target, body):
    head = f"{method} {target} HTTP/1.1\\r\\nHost: localhost\\r\\n"
    head += f"Content-Length: {len(body)}\\r\\n\\r\\n" if body else "\\r\\n"
    writer.write(head.encode())
    writer.write(body.encode())
    await writer.drain()
    fields = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
    named = dict(field.lower().split(": ", 1) for field in fields[1:] if ": " in field)
    if method == "HEAD":
        size = 0
    elif "content-length" in named:
        size = len(await reader.readexactly(int(named["content-length"])))
    else:
        size = 0
        while True:
            chunk = int(await reader.readuntil(b"\\r\\n"), 16)
            await reader.readexactly(chunk + 2)
            size += chunk
            if not chunk:
                break
    return int(fields[0].split()[1]), size
async def main():
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=limited(context(), version),
                                                   server_hostname="async.tracer.test")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        method, target, body, _ = json.loads(line)
        say(*await exchange(reader, writer, method, target, body))
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""

# Answers every request with as many bytes as its target says: /1000?...
ASYNC_SERVER = CONTEXT + """
import asyncio, ssl
port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
async def serve(reader, writer):
    try:
        while True:
            fields = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
            named = dict(field.lower().split(": ", 1) for field in fields[1:] if ": " in field)
            await reader.readexactly(int(named.get("content-length", 0)))
            size = int(fields[0].split()[1][1:].split("?")[0])
            writer.write(f"HTTP/1.1 200 OK\\r\\nContent-Length: {size}\\r\\n\\r\\n".encode() + b"a" * size)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
async def main():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=made) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def asked(script, exchanges, server, port, version):
    """Makes them one after the other over the script's connection."""
    made = []
    for each in exchanges:
        body = "b" * each.sent
        status, received = script.ask(each.method, each.target, body, {})
        if status != each.status or received != each.received and each.received is not None:
            raise RuntimeError(f"{each.target}: answered {status} with {received} bytes")
        made.append(dataclasses.replace(each, received=received).made_by(script.pid, server, port, version))
    return made


def client_script(text, port, version=None, *arguments, **more):
    return Script(text, port, version or "", *arguments, **more)


class AsyncServer(Listening):
    def __init__(self, environment, port):
        certificate, key = environment.certificates.leaf("ecdsa")
        self.port, self.address = port, "127.0.0.1"
        self.process = subprocess.Popen([sys.executable, "-c", ASYNC_SERVER, str(port), certificate, key],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def curl(environment, exchanges, server, port, version, *options, prefix=()):
    """All of them by one curl, which goes on with the connection it has."""
    limits = {TLS12: ["--tlsv1.2", "--tls-max", "1.2"], TLS13: ["--tlsv1.3"], None: []}[version]
    common = ["-q", "-sS", "-k", "--no-progress-meter", "--max-time", str(HANDSHAKE_SECONDS_MAX), "-o",
              "/dev/null", *limits, *options]
    if "--http2" not in options:
        common.append("--http1.1")
    command = [*prefix, need("curl")]
    for number, each in enumerate(exchanges):
        command += (["--next"] if number else []) + common
        command += ["-I"] if each.method == "HEAD" else []
        if each.sent:
            path = environment.certificates.path(f"body-{each.sent}")
            with open(path, "wb") as file:
                file.write(b"b" * each.sent)
            command += ["-T", path] if each.method == "PUT" else ["--data-binary", f"@{path}"]
        command += ["-w", "%{http_code} %{size_download}\n"]
        command.append(f"https://localhost:{port}{each.target}")
    pid, code, printed = run_client(command, environment)
    said = [tuple(int(word) for word in line.split()) for line in printed.decode().splitlines()]
    if code != 0 or said != [(each.status, each.received) for each in exchanges]:
        raise RuntimeError(f"curl ended with {code}: {printed[-500:]!r}")
    return [each.made_by(pid, server, port, version) for each in exchanges]


def wget(environment, exchanges, server, port, version):
    """GET requests that succeed, over one connection. This wget speaks through GnuTLS, or it is not what is wanted."""
    program = need("wget")
    linked = subprocess.run(["ldd", program], capture_output=True, timeout=HANDSHAKE_SECONDS_MAX).stdout
    if b"libgnutls" not in linked:
        raise Skip("this wget does not speak through GnuTLS")
    pid, code, printed = run_client([program, "--no-config", "--no-hsts", "--no-check-certificate", "-q", "-O",
                                     "/dev/null", f"--ciphers={GNUTLS_LIMITS[version]}",
                                     *(f"https://localhost:{port}{each.target}" for each in exchanges)], environment)
    if code != 0:
        raise RuntimeError(f"wget ended with {code}: {printed[-500:]!r}")
    return [each.made_by(pid, server, port, version) for each in exchanges]


class Typed:
    """A program that sends what is typed and prints what it receives: openssl s_client, gnutls-cli and their kin."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=environment.variables)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.pid, self.printed = self.process.pid, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_for(self, wanted, times=1):
        deadline = time.monotonic() + HANDSHAKE_SECONDS_MAX
        while self.printed.count(wanted) < times:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.process.args}: no {wanted!r} in {self.printed[-500:]!r}")
            select.select([self.process.stdout], [], [], 0.1)
            more = self.process.stdout.read()
            if more == b"":
                raise RuntimeError(f"{self.process.args}: ended with {self.printed[-500:]!r}")
            self.printed += more or b""

    def rest(self):
        """What it still prints until it ends by itself."""
        os.set_blocking(self.process.stdout.fileno(), True)
        self.printed += self.process.stdout.read()
        self.process.wait(HANDSHAKE_SECONDS_MAX)
        return self.printed


GNUTLS_LIMITS = {TLS12: "NORMAL:-VERS-ALL:+VERS-TLS1.2", TLS13: "NORMAL:-VERS-ALL:+VERS-TLS1.3", None: "NORMAL"}
OPENSSL = {"installed": lambda: [need("openssl")], "newer": lambda: newer_program("openssl"),
           "older": lambda: older_program("openssl")}
OPENSSL_LIMITS = {TLS12: ["-tls1_2"], TLS13: ["-tls1_3"], None: []}


def openssl_typed(environment, port, version, which="installed"):
    return Typed([*OPENSSL[which](), "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-servername",
                  "typed.tracer.test", *OPENSSL_LIMITS[version]], environment)


class OpensslServer(Typed):
    """s_server that answers what is typed. It serves one connection."""

    def __init__(self, environment, port, which="installed"):
        certificate, key = environment.certificates.leaf("ecdsa")
        super().__init__([*OPENSSL[which](), "s_server", "-quiet", "-accept", str(port), "-naccept", "1", "-cert",
                          certificate, "-key", key], environment)
        self.port = port

    __enter__ = Listening.__enter__


def gnutls_typed(environment, port, version):
    return Typed([*installed_or_newer("gnutls-cli"), "--port", str(port), "--insecure", "--priority",
                  GNUTLS_LIMITS[version], "127.0.0.1"], environment)


def typed_get(exchange, last=False):
    end = "Connection: close\r\n\r\n" if last else "\r\n"
    return f"GET {exchange.target} HTTP/1.1\r\nHost: localhost\r\n{end}".encode()
