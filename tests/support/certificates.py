"""Certificates for tests, made by the openssl command: an authority, one below it, and leaves of several kinds."""

import os
import subprocess

from servers import need

SECONDS_MAX = 60
CONFIGURATION = "[req]\ndistinguished_name = name\n[name]\n"
AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
NAMES = "subjectAltName=DNS:{name},DNS:*.{name},IP:127.0.0.1,IP:2001:db8::17,email:someone@{name},URI:https://{name}/a"
KEYS = {
    "rsa": ("-newkey", "rsa:2048"),
    "rsa1024": ("-newkey", "rsa:1024"),
    "ecdsa": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ecdsa384": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "ed25519": ("-newkey", "ed25519"),
}


class Certificates:
    """Files in a folder: `authority.pem`, `middle.pem`, and of each kind `KIND.pem`, `KIND.key`."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        with open(self.path("openssl.cnf"), "w") as file:
            file.write(CONFIGURATION)
        self.make("authority", "rsa", "/O=Tracer Tests/CN=Test Authority", extensions=AUTHORITY)
        self.make("middle", "ecdsa", "/O=Tracer Tests/CN=Test Authority Below", "authority", AUTHORITY)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, key, subject, issuer=None, extensions=(), days=30, more=()):
        command = [need("openssl"), "req", "-x509", "-nodes", *KEYS[key], "-config", self.path("openssl.cnf"), "-utf8",
                   "-subj", subject, "-days", str(days), "-keyout", self.path(f"{name}.key"),
                   "-out", self.path(f"{name}.pem"), *more]
        for each in extensions:
            command += ["-addext", each]
        if issuer:
            command += ["-CA", self.path(f"{issuer}.pem"), "-CAkey", self.path(f"{issuer}.key")]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS_MAX,
                       env={**os.environ, "OPENSSL_CONF": self.path("openssl.cnf")})

    def leaf(self, kind, issuer="authority", name=None, days=30):
        """Makes it once. Returns the paths of certificate and key."""
        files = f"leaf-{kind}-{issuer}"
        if not os.path.exists(self.path(f"{files}.pem")):
            domain = name or f"{kind}.tracer.test"
            self.make(files, kind, f"/C=DE/O=Tracer, Tests \\+ more/OU=Ünit/CN={domain}", issuer=issuer, days=days,
                      extensions=(NAMES.format(name=domain), "basicConstraints=CA:FALSE"))
        return self.path(f"{files}.pem"), self.path(f"{files}.key")

    def chain(self, kind):
        """A leaf of the authority below, and a file with what stands above it."""
        leaf, key = self.leaf(kind, "middle")
        above = self.path("above.pem")
        with open(above, "w") as file:
            for each in ("middle", "authority"):
                with open(self.path(f"{each}.pem")) as one:
                    file.write(one.read())
        return leaf, key, above
