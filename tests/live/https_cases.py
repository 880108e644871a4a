"""What is exchanged over HTTPS, by name, and by whom. Each case has a port of its own beside nginx's."""

import dataclasses
import os

import https_programs as programs
from https_programs import SMALL, TLS12, TLS13, Exchange, all_kinds, get, typed_get
from mapped_code import wait_for_breakpoints
from servers import Skip
from tls_programs import gnutls_server, openssl_client, openssl_server

VERSIONS = {"tls12": TLS12, "tls13": TLS13}
KEPT_ALIVE = 5
LOADED_PORTS = 5
COVERED_SECONDS_MAX = 7.5    # five times what passes between two looks at what is mapped


class Scene:
    def __init__(self, environment, nginx, name, port):
        self.environment, self.nginx, self.name, self.port = environment, nginx, name, port

    def of_nginx(self):
        return self.nginx.worker(), self.nginx.port


def curl_and_nginx(version):
    return lambda scene: programs.curl(scene.environment, all_kinds(scene.name), *scene.of_nginx(), version)


def several_connections(scene):
    """A curl for each request: as many handshakes as requests."""
    made = []
    for number in range(KEPT_ALIVE):
        made += programs.curl(scene.environment, [get("small", SMALL, scene.name, number)], *scene.of_nginx(), None)
    return made


def at_once(scene):
    """Several connections of one process, at the same time."""
    exchanges = [get("medium", programs.MEDIUM, scene.name, number) for number in range(KEPT_ALIVE)]
    return programs.curl(scene.environment, exchanges, *scene.of_nginx(), None, "--parallel", "--parallel-immediate")


def by_threads(scene):
    threads, requests = 8, 10
    with programs.client_script(programs.THREADS, scene.nginx.port, None, threads, requests, scene.name) as script:
        said = script.answer()
    if said != [threads * requests, threads * requests * SMALL]:
        raise RuntimeError(f"answered {said}")
    return [get("small", SMALL, scene.name, number).made_by(script.pid, *scene.of_nginx(), None)
            for number in range(threads * requests)]


def early_data(scene):
    """A request that is sent before the handshake is over."""
    early = get("small", SMALL, scene.name, "early")
    folder = scene.environment.certificates.path(scene.name)
    with programs.HttpsNginx(scene.environment, folder, scene.port, more="ssl_early_data on; "
                             "ssl_session_cache shared:tests:1m;") as server:
        session, request = os.path.join(folder, "session"), os.path.join(folder, "request")
        with open(request, "wb") as file:
            file.write(typed_get(early))
        said = openssl_client(scene.environment, scene.port, "-tls1_3", "-sess_out", session)
        # After the early one it says "GET /".
        again = openssl_client(scene.environment, scene.port, "-tls1_3", "-sess_in", session, "-early_data", request)
        worker = server.worker()
    if said[1] != 0 or again[1] != 0 or b"Early data was accepted" not in again[2]:
        raise RuntimeError(f"no early data: {again[2][-500:]!r}")
    root = Exchange("/", received=len("hello\n"), version=TLS13, server=worker, port=scene.port)
    return [early.made_by(again[0], worker, scene.port, TLS13), *(dataclasses.replace(root, client=each[0])
                                                                 for each in (said, again))]


def proxied(scene):
    """nginx is client and server at once, in one thread; both ends of the inner connection are one process."""
    outer = [get("proxied/" + name, size, scene.name, name) for name, size in (("small", SMALL), ("big", programs.BIG))]
    made = programs.curl(scene.environment, outer, *scene.of_nginx(), None)
    worker, port = scene.of_nginx()
    return made + [dataclasses.replace(each, target=each.target.removeprefix("/proxied")).made_by(
        worker, worker, port, None) for each in outer]


def script_and_nginx(text, version):
    def case(scene):
        with programs.client_script(text, scene.nginx.port, version) as script:
            made = programs.asked(script, all_kinds(scene.name), *scene.of_nginx(), version)
            script.end()
        return made
    return case


def asyncio_serves_curl(version):
    def case(scene):
        with programs.AsyncServer(scene.environment, scene.port) as server:
            exchanges = [get(str(size), size, scene.name, size) for size in (10, 100_000, 300)]
            exchanges.append(Exchange(f"/20?of={scene.name}-post", method="POST", sent=programs.POSTED,
                                      received=20))
            return programs.curl(scene.environment, exchanges, server.process.pid, scene.port, version)
    return case


def asyncio_at_both_ends(scene):
    """Neither end's library knows a socket: each tells what it sees, and nobody says that the two are one."""
    with programs.AsyncServer(scene.environment, scene.port) as server, \
            programs.client_script(programs.ASYNC_CLIENT, scene.port) as script:
        exchanges = [get(str(size), size, scene.name, size) for size in (10, 100_000, 300)]
        made = programs.asked(script, exchanges, server.process.pid, scene.port, None)
        script.end()
    return [dataclasses.replace(each, joined=False) for each in made]


def wget_and_nginx(version):
    def case(scene):
        exchanges = [get(name, size, scene.name, number) for number, (name, size) in enumerate(
            (("small", SMALL), ("big", programs.BIG), ("chunked/small", SMALL), ("small", SMALL)))]
        return programs.wget(scene.environment, exchanges, *scene.of_nginx(), version)
    return case


def typed_to_nginx(client, version):
    def case(scene):
        exchanges = [get("small", SMALL, scene.name, number) for number in range(3)]
        with client(scene.environment, scene.nginx.port, version) as typed:
            for number, each in enumerate(exchanges):
                typed.say(typed_get(each, last=each is exchanges[-1]))
                typed.wait_for(b"HTTP/1.1 200 OK", number + 1)
            typed.rest()
        return [each.made_by(typed.pid, *scene.of_nginx(), version) for each in exchanges]
    return case


def openssl_typed(which="installed"):
    return lambda environment, port, version: programs.openssl_typed(environment, port, version, which)


def openssl_at_both_ends(version, which="installed"):
    """s_server as well calls SSL_read and SSL_write here."""
    def case(scene):
        exchanges = [get("typed", size, scene.name, size) for size in (5, 3000, 10)]
        with programs.OpensslServer(scene.environment, scene.port, which) as server, \
                programs.openssl_typed(scene.environment, scene.port, version, which) as client:
            for number, each in enumerate(exchanges, 1):
                client.say(typed_get(each))
                server.wait_for(each.target.encode())
                server.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % each.received + b"t" * each.received)
                client.wait_for(b"HTTP/1.1 200 OK", number)
                client.wait_for(b"t" * each.received)
        return [each.made_by(client.pid, server.pid, scene.port, version) for each in exchanges]
    return case


def openssl_pages(version):
    """s_server -www works through BIO_f_ssl, which calls no function that others can: the client's end tells."""
    def case(scene):
        exchange = get("page", 0, scene.name, 1)
        with openssl_server(scene.environment, scene.port, "ecdsa") as server, \
                programs.openssl_typed(scene.environment, scene.port, version) as client:
            client.say(typed_get(exchange))
            body = client.rest().split(b"\r\n\r\n", 1)[1]
        exchange = dataclasses.replace(exchange, received=len(body))
        return [exchange.made_by(client.pid, server.process.pid, scene.port, version)]
    return case


def gnutls_at_both_ends(version):
    def case(scene):
        exchange = get("page", None, scene.name, 1)
        with gnutls_server(scene.environment, scene.port, kind="ecdsa") as server, \
                programs.gnutls_typed(scene.environment, scene.port, version) as client:
            client.wait_for(b"Simple Client Mode")
            client.say(typed_get(exchange))
            client.rest()
        return [exchange.made_by(client.pid, server.process.pid, scene.port, version)]
    return case


CASES = {
    "at-once": at_once,
    "several-connections": several_connections,
    "threads": by_threads,
    "proxied": proxied,
    "early-data": early_data,
    "asyncio-asyncio": asyncio_at_both_ends,
}
for _name, _version in VERSIONS.items():
    CASES.update({
        f"curl-nginx-{_name}": curl_and_nginx(_version),
        f"http.client-nginx-{_name}": script_and_nginx(programs.HTTP_CLIENT, _version),
        f"asyncio-nginx-{_name}": script_and_nginx(programs.ASYNC_CLIENT, _version),
        f"curl-asyncio-{_name}": asyncio_serves_curl(_version),
        f"wget-nginx-{_name}": wget_and_nginx(_version),
        f"gnutls-nginx-{_name}": typed_to_nginx(programs.gnutls_typed, _version),
        f"gnutls-gnutls-{_name}": gnutls_at_both_ends(_version),
        f"openssl-nginx-{_name}": typed_to_nginx(openssl_typed(), _version),
        f"openssl-openssl-{_name}": openssl_at_both_ends(_version),
        f"openssl-openssl-pages-{_name}": openssl_pages(_version),
        f"openssl-newer-nginx-{_name}": typed_to_nginx(openssl_typed("newer"), _version),
        f"openssl-newer-{_name}": openssl_at_both_ends(_version, "newer"),
        f"openssl-older-nginx-{_name}": typed_to_nginx(openssl_typed("older"), _version),
        f"openssl-older-{_name}": openssl_at_both_ends(_version, "older"),
    })


class Loaded:
    """Libraries that the loader of this machine does not know are met for the first time when somebody has mapped them.
    Here somebody has, so that programs which end within milliseconds are not the first ones."""

    def __init__(self, environment, first_port, left_out):
        self.servers = []
        for port, (name, library, start) in enumerate((
                ("openssl of a newer Debian", "libssl", lambda port: openssl_server(environment, port, newer=True)),
                ("openssl of an older Debian", "libssl",
                 lambda port: programs.OpensslServer(environment, port, "older")),
                ("GnuTLS of a newer Debian", "libgnutls", lambda port: gnutls_server(environment, port, newer=True))),
                first_port):
            try:
                self.servers.append((library, start(port)))
            except Skip as skip:
                left_out[name] = str(skip)

    def __enter__(self):
        for library, server in self.servers:
            server.__enter__()
            if wait_for_breakpoints(server.process.pid, library, COVERED_SECONDS_MAX) is None:
                raise RuntimeError(f"no breakpoint in {library} of {server.process.args[0]}")

    def __exit__(self, *_):
        for _, server in self.servers:
            server.__exit__()


def make_all(environment, nginx, first_port, left_out):
    """What was exchanged, case by case. Why a case is not there goes to `left_out`."""
    made = {}
    with Loaded(environment, first_port, left_out):
        for number, (name, case) in enumerate(CASES.items(), first_port + LOADED_PORTS):
            try:
                made[name] = case(Scene(environment, nginx, name, number))
            except Skip as skip:
                left_out[name] = str(skip)
            except (RuntimeError, OSError) as failure:
                raise RuntimeError(f"{name}: {failure}") from failure
    return made
