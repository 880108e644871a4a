"""The handshakes that are compared, by name. Each case makes its connections to ports of its own and says by whom."""

import dataclasses
import os
import socket

from servers import Skip
from tls_programs import (WEAK, Refragmenting, TlsNginx, curl_client, gnutls_client, gnutls_server, openssl_client,
                          openssl_server)

TLS10, TLS11, TLS12, TLS13 = "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"
OPENSSL_VERSIONS = {TLS10: "-tls1", TLS11: "-tls1_1", TLS12: "-tls1_2", TLS13: "-tls1_3"}
GNUTLS_VERSIONS = {TLS10: "1.0", TLS11: "1.1", TLS12: "1.2", TLS13: "1.3"}
PORTS_OF_A_CASE = 10


@dataclasses.dataclass
class Made:
    """One connection or several: the server's port, its pid, and the client's; None: the test itself."""

    port: int
    server: int
    client: int | None
    completes: bool = True


class Scene:
    """What a case works with: certificates, a folder and ports of its own."""

    def __init__(self, environment, folder, port):
        self.environment, self.folder, self.port = environment, folder, port
        os.makedirs(folder, exist_ok=True)
        self.made = []

    def connected(self, server, said, completes=True):
        pid, code, printed = said
        if completes and code != 0:
            raise RuntimeError(f"the handshake failed: {printed[-500:]!r}")
        if not completes and b"\nSSL handshake has read 0 bytes" in printed:
            raise RuntimeError(f"nothing was answered: {printed[-500:]!r}")
        self.made.append(Made(server.port, server.process.pid, pid, completes))

    def file(self, name):
        return os.path.join(self.folder, name)


def openssl(version, *client, kind="rsa", server=(), newer=False, newer_server=None, completes=True, times=1, **more):
    """A case of s_client and s_server."""
    def case(scene):
        weak = ("-cipher", WEAK) if version in (TLS10, TLS11) and "-cipher" not in client else ()
        serving = server if "-cipher" in server or not weak else (*server, *weak)
        versions = (OPENSSL_VERSIONS[version],) if version else ()
        server_newer = newer if newer_server is None else newer_server
        with openssl_server(scene.environment, scene.port, kind, serving, server_newer, **more) as process:
            for _ in range(times):
                said = openssl_client(scene.environment, scene.port, *versions, *weak, *client, newer=newer)
                scene.connected(process, said, completes)
    return case


def make_twice(scene, server, *options, again=()):
    """A first handshake that leaves a session, and one that resumes it."""
    options = (*options, "-servername", "again.tracer.test")
    for session in (("-sess_out", scene.file("session")), ("-sess_in", scene.file("session"), *again)):
        scene.connected(server, openssl_client(scene.environment, scene.port, *options, *session))


def resumed(version, *server, client=()):
    def case(scene):
        with openssl_server(scene.environment, scene.port, options=server) as process:
            make_twice(scene, process, OPENSSL_VERSIONS[version], *client)
    return case


def early_data(scene):
    """s_server takes none while it serves files."""
    with open(scene.file("early"), "w") as file:
        file.write("GET / HTTP/1.0\r\n\r\n")
    certificate, key = scene.environment.certificates.leaf("rsa")
    settings = "ssl_protocols TLSv1.3; ssl_early_data on; ssl_session_cache shared:tests:1m;"
    with TlsNginx(scene.environment, scene.folder, scene.port, certificate, key, settings, h2=False) as server:
        make_twice(scene, server, "-tls1_3", again=("-early_data", scene.file("early")))
        scene.made = [dataclasses.replace(made, server=server.children()[0]) for made in scene.made]


def with_client_certificate(version):
    def case(scene):
        leaf, key = scene.environment.certificates.leaf("ecdsa", "middle", "client.tracer.test")
        authority = scene.environment.certificates.path("authority.pem")
        with openssl_server(scene.environment, scene.port, options=("-verify", "3", "-CAfile", authority)) as process:
            options = (OPENSSL_VERSIONS[version], "-cert", leaf, "-key", key, "-cert_chain",
                       scene.environment.certificates.path("middle.pem"))
            scene.connected(process, openssl_client(scene.environment, scene.port, *options))
            scene.connected(process, openssl_client(scene.environment, scene.port, OPENSSL_VERSIONS[version]))
    return case


def refragmented(version, *client, **more):
    def case(scene):
        to_port = scene.port + 1
        with openssl_server(scene.environment, to_port, **more) as process, Refragmenting(scene.port, to_port):
            said = openssl_client(scene.environment, scene.port, OPENSSL_VERSIONS[version], "-servername",
                                  "split.tracer.test", *client)
            scene.connected(process, said)
            scene.made[-1] = dataclasses.replace(scene.made[-1], port=scene.port, server=None)
            scene.made.append(Made(to_port, process.process.pid, None))
    return case


def gnutls(version, client="NORMAL", server="NORMAL", options=(), kind="rsa", newer=False, with_openssl=None):
    """gnutls-cli with gnutls-serv, or with one end of OpenSSL."""
    def case(scene):
        only = f":-VERS-ALL:+VERS-TLS{GNUTLS_VERSIONS[version]}" if version else ""
        if version in (TLS10, TLS11):
            only += ":%VERIFY_ALLOW_SIGN_WITH_SHA1:+SHA1"
        if with_openssl == "server":
            serving = openssl_server(scene.environment, scene.port, kind,
                                     ("-cipher", WEAK) if version in (TLS10, TLS11) else ())
        else:
            serving = gnutls_server(scene.environment, scene.port, server + only, kind, newer=newer)
        with serving as process:
            if with_openssl == "client":
                said = openssl_client(scene.environment, scene.port, OPENSSL_VERSIONS[version], "-servername",
                                      "localhost")
            else:
                said = gnutls_client(scene.environment, scene.port, client + only, options, newer)
            scene.connected(process, said)
    return case


def nginx(version, *client, kind="rsa", h2=True, times=1, more=""):
    def case(scene):
        certificate, key = scene.environment.certificates.leaf(kind)
        weak = "ssl_ciphers ALL:@SECLEVEL=0;" if version in (TLS10, TLS11) else ""
        settings = f"ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; {weak} {more}"
        flags = {TLS10: ("--tlsv1.0", "--tls-max", "1.0"), TLS11: ("--tlsv1.1", "--tls-max", "1.1"),
                 TLS12: ("--tlsv1.2", "--tls-max", "1.2"), TLS13: ("--tlsv1.3",)}[version]
        weak_client = ("--ciphers", "DEFAULT:@SECLEVEL=0") if weak else ()
        with TlsNginx(scene.environment, scene.folder, scene.port, certificate, key, settings, h2) as server:
            for _ in range(times):
                scene.connected(server, curl_client(scene.environment, scene.port, *flags, *weak_client, *client))
            scene.made = [dataclasses.replace(made, server=server.children()[0]) for made in scene.made]
    return case


def closed_at_once(scene):
    """A connection that says a ClientHello and nothing more; the server answers, and nobody takes it."""
    extensions = bytes.fromhex("000a00040002001d" "000d000400020804")    # x25519, rsa_pss_rsae_sha256
    body = b"\3\3" + bytes(range(32)) + bytes.fromhex("00" "0004c02f00ff" "0100") + len(extensions).to_bytes(2, "big")
    message = b"\1" + (len(body) + len(extensions)).to_bytes(3, "big") + body + extensions
    hello = b"\x16\3\1" + len(message).to_bytes(2, "big") + message
    with openssl_server(scene.environment, scene.port, options=("-tls1_2",)) as process:
        with socket.create_connection(("127.0.0.1", scene.port)) as connection:
            connection.sendall(hello)
            connection.settimeout(10)
            connection.recv(65536)
        scene.made.append(Made(scene.port, process.process.pid, None, completes=False))


SNI = ("-servername", "www.tracer.test")
CASES = {
    # what is negotiated
    "tls10": openssl(TLS10, *SNI),
    "tls11": openssl(TLS11, *SNI),
    "tls12": openssl(TLS12, *SNI),
    "tls13": openssl(TLS13, *SNI),
    "no-sni": openssl(None, "-noservername"),
    "alpn-tls12": openssl(TLS12, *SNI, "-alpn", "h2,http/1.1", server=("-alpn", "http/1.1")),
    "alpn-tls13": openssl(TLS13, *SNI, "-alpn", "spdy/3,h2,http/1.1", server=("-alpn", "h2")),
    "ecdsa-tls12": openssl(TLS12, *SNI, kind="ecdsa"),
    "ecdsa384-tls12": openssl(TLS12, *SNI, kind="ecdsa384"),
    "ed25519-tls12": openssl(TLS12, *SNI, kind="ed25519"),
    "ed25519-tls13": openssl(TLS13, *SNI, kind="ed25519"),
    "ecdsa-tls10": openssl(TLS10, *SNI, kind="ecdsa"),
    "rsa1024-tls12": openssl(TLS12, "-cipher", WEAK, kind="rsa1024", server=("-cipher", WEAK)),
    "chain-tls12": openssl(TLS12, *SNI, kind="rsa", chain=True),
    "chain-tls10": openssl(TLS10, *SNI, kind="ecdsa", chain=True),
    "dhe-tls12": openssl(TLS12, "-cipher", "DHE-RSA-AES256-GCM-SHA384", server=("-cipher", "DHE")),
    "rsa-key-exchange-tls12": openssl(TLS12, "-cipher", "AES128-SHA", server=("-cipher", "ALL:@SECLEVEL=0")),
    "anonymous-tls12": openssl(TLS12, "-cipher", "aNULL:@SECLEVEL=0", server=("-cipher", "aNULL:@SECLEVEL=0"),
                               anonymous=True),
    "null-cipher-tls12": openssl(TLS12, "-cipher", "eNULL:@SECLEVEL=0", server=("-cipher", "eNULL:@SECLEVEL=0")),
    "psk-tls12": openssl(TLS12, "-psk", "0102030405", "-cipher", "PSK", server=("-psk", "0102030405"), anonymous=True),
    "chacha-tls13": openssl(TLS13, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
    "group-p256": openssl(TLS12, *SNI, "-groups", "P-256", kind="ecdsa"),
    "group-x448": openssl(TLS13, *SNI, "-groups", "X448:X25519"),
    "ffdhe-tls13": openssl(TLS13, *SNI, "-groups", "ffdhe2048:ffdhe3072", server=("-groups", "ffdhe2048")),
    "hello-retry": openssl(TLS13, *SNI, "-groups", "X25519:P-384", server=("-groups", "P-384")),
    # again
    "session-id-tls12": resumed(TLS12, "-no_ticket"),
    "session-id-tls10": resumed(TLS10, "-no_ticket", "-cipher", WEAK, client=("-cipher", WEAK)),
    "ticket-tls12": resumed(TLS12),
    "psk-tls13": resumed(TLS13),
    "early-data-tls13": early_data,
    # who the client is
    "client-certificate-tls12": with_client_certificate(TLS12),
    "client-certificate-tls13": with_client_certificate(TLS13),
    # what fails
    "no-common-version": openssl(TLS10, "-cipher", WEAK, server=("-tls1_2", "-cipher", WEAK), completes=False),
    "no-common-suite": openssl(TLS12, "-cipher", "AES128-SHA", server=("-cipher", "AES256-SHA"), completes=False),
    "no-common-group": openssl(TLS13, "-groups", "X25519", server=("-groups", "P-256"), completes=False),
    "refused-certificate-tls12": openssl(TLS12, *SNI, "-verify_return_error", completes=False),
    "refused-certificate-tls13": openssl(TLS13, *SNI, "-verify_return_error", completes=False),
    "no-client-certificate-tls12": openssl(TLS12, server=("-Verify", "3"), completes=False),
    "closed-at-once": closed_at_once,
    # how it is cut
    "refragmented-tls12": refragmented(TLS12),
    "refragmented-tls13": refragmented(TLS13),
    # post-quantum
    "hybrid-by-default": openssl(None, *SNI, newer=True),
    "hybrid-p256": openssl(TLS13, *SNI, "-groups", "SecP256r1MLKEM768", server=("-groups", "SecP256r1MLKEM768"),
                           newer=True),
    "hybrid-p384": openssl(TLS13, *SNI, "-groups", "SecP384r1MLKEM1024", server=("-groups", "SecP384r1MLKEM1024"),
                           newer=True),
    "ml-kem-alone": openssl(TLS13, *SNI, "-groups", "MLKEM512:MLKEM768:MLKEM1024", server=("-groups", "MLKEM1024"),
                            newer=True),
    "hybrid-refused": openssl(None, *SNI, newer=True, newer_server=False),
    "hybrid-retried": openssl(TLS13, *SNI, "-groups", "*X25519:X25519MLKEM768", server=("-groups", "X25519MLKEM768"),
                              newer=True),
    # other libraries
    **{f"gnutls-tls{GNUTLS_VERSIONS[version].replace('.', '')}": gnutls(version)
       for version in (TLS10, TLS11, TLS12, TLS13)},
    "gnutls-resumed-tls12": gnutls(TLS12, options=("--resume",)),
    "gnutls-resumed-tls13": gnutls(TLS13, options=("--resume",)),
    "gnutls-alpn": gnutls(None, options=("--alpn", "h2", "--alpn", "http/1.1", "--sni-hostname", "gnutls.tracer.test")),
    "gnutls-to-openssl-tls12": gnutls(TLS12, with_openssl="server", kind="ecdsa"),
    "gnutls-to-openssl-tls13": gnutls(TLS13, with_openssl="server"),
    "openssl-to-gnutls-tls12": gnutls(TLS12, with_openssl="client"),
    "openssl-to-gnutls-tls13": gnutls(TLS13, with_openssl="client"),
    **{f"curl-nginx-tls{GNUTLS_VERSIONS[version].replace('.', '')}": nginx(version)
       for version in (TLS10, TLS11, TLS12, TLS13)},
    "curl-nginx-http1": nginx(TLS12, "--http1.1", h2=False, kind="ecdsa"),
    "curl-nginx-again": nginx(TLS12, times=3, more="ssl_session_cache shared:tests:1m;"),
}


def make(name, environment, folder, first_port):
    """Makes one; the ports from `first_port` are its own. Returns what was made. Raises Skip."""
    scene = Scene(environment, os.path.join(folder, name), first_port)
    CASES[name](scene)
    if not scene.made:
        raise Skip("nothing was made")
    return scene.made
