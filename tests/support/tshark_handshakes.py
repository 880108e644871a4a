"""What tshark says of the TLS handshakes in a capture file, in the words of our records."""

import collections
import datetime
import functools
import hashlib
import json
import subprocess

from servers import need
from tls_names import (ALERTS, ATTRIBUTES, CURVES, GREASE, GROUPS, KEYS, LEVELS, SIGNATURE_ALGORITHMS, SIGNATURES,
                       VERSIONS, ja4)

SECONDS_MAX = 120
CLIENT_HELLO, SERVER_HELLO, NEW_TICKET = 1, 2, 4
ALERT, CHANGE = "alert", "change of cipher"
CERTIFICATE, SERVER_KEY, CERTIFICATE_REQUEST, SERVER_DONE = 11, 12, 13, 14
# RFC 8446 section 4.1.3: the random of a ServerHello that is a HelloRetryRequest.
RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").hexdigest()
SIGNATURES_OF_KEYS = 13
TICKET, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS, ECH = 35, 41, 42, 43, 0xFE0D
ANSWERED_IN_CLEAR_MAX = 0x0303
HYBRID = frozenset((0x11EB, 0x11EC, 0x11ED, 0x0200, 0x0201, 0x0202, 0x6399, 0x639A))


@functools.cache
def suite_names():
    """As the IANA registry has them."""
    said = subprocess.run([need("tshark"), "-G", "values"], capture_output=True, text=True, check=True,
                          timeout=SECONDS_MAX).stdout
    rows = (line.split("\t") for line in said.splitlines() if line.startswith("V\ttls.handshake.ciphersuite\t"))
    return {int(row[2], 0): row[3] for row in rows}


def named(names, code):
    return "GREASE" if code in GREASE else names.get(code) or f"0x{code:04x}"


class Tree:
    """A list of (name, value) as tshark nests it: the same name may come several times."""

    def __init__(self, pairs):
        self.pairs = pairs if isinstance(pairs, list) else []

    def all(self, name):
        """Every value of that name at any depth, in order."""
        found = []
        for key, value in self.pairs:
            if key == name:
                found.append(value)
            if isinstance(value, list):
                found += Tree(value).all(name)
        return found

    def trees(self, name):
        return [Tree(value) for value in self.all(name) if isinstance(value, list)]

    def first(self, name, otherwise=None):
        return next(iter(self.all(name)), otherwise)

    def numbers(self, name):
        return [int(value, 0) for value in self.all(name)]

    def number(self, name):
        return next(iter(self.numbers(name)), None)

    def bytes(self, name):
        return bytes.fromhex(self.first(name, "").replace(":", ""))


def flows(capture, ports):
    """Stream, client and server port → [(whether the client sent it, kind, tree)], kind: a handshake type, ALERT
    or CHANGE; and of each when it began. What comes behind a side's CHANGE is encrypted, if only by a null cipher."""
    command = [need("tshark"), "-r", capture, "-d", f"tcp.port=={ports},tls", "-Y", "tcp && tls", "-T", "json",
               "-J", "frame tcp tls"]
    said = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS_MAX).stdout
    made, client_ports, began, changed = collections.defaultdict(list), {}, {}, set()
    for packet in json.loads(said, object_pairs_hook=list):
        layers = Tree(Tree(packet).first("layers"))
        tcp = next(iter(layers.trees("tcp")), None)
        if tcp is None:     # quoted by an ICMP message
            continue
        stream, source, destination = (tcp.number(f"tcp.{name}") for name in ("stream", "srcport", "dstport"))
        for kind, tree in messages(layers):
            if kind == CLIENT_HELLO:
                client_ports.setdefault(stream, (source, destination))
                began.setdefault(stream, float(layers.first("frame.time_epoch")))
            if stream in client_ports and ((stream, source) not in changed or kind in (CLIENT_HELLO, SERVER_HELLO)):
                made[(stream, *client_ports[stream])].append((source == client_ports[stream][0], kind, tree))
            # In TLS 1.3 it means nothing, and alerts behind it are encrypted all the same.
            if kind == CHANGE:
                changed.add((stream, source))
    return made, began


def messages(tree):
    for name, value in tree.pairs:
        if name == "tls.change_cipher_spec":
            yield CHANGE, Tree([])
        if not isinstance(value, list):
            continue
        inner = Tree(value)
        if name == "tls.handshake" and inner.number("tls.handshake.type") is not None:
            yield inner.number("tls.handshake.type"), inner
        elif name == "tls.alert_message" and inner.number("tls.alert_message.level") is not None:
            yield ALERT, inner
        else:
            yield from messages(inner)


def escaped(value):
    """RFC 4514 section 2.4."""
    made = "".join("\\" + each if each in '"+,;<>\\' else each for each in value)
    if made.startswith(("#", " ")):
        made = "\\" + made
    return made[:-1] + "\\ " if made.endswith(" ") and len(value) > 1 else made


def distinguished_name(tree):
    parts = []
    for one in tree.all("x509if.RDNSequence_item_tree"):
        values = []
        for attribute in Tree(one).trees("x509if.RelativeDistinguishedName_item_element"):
            texts = [value for name, value in flat(attribute) if isinstance(value, str) and
                     name.startswith(("x509sat.", "pkcs9at.", "x509if.any")) and name != "x509sat.DirectoryString"]
            oid = attribute.first("x509if.oid") or attribute.first("x509if.id")
            values.append(f"{ATTRIBUTES.get(oid, oid)}={escaped(texts[0] if texts else '')}")
        parts.append("+".join(values))
    return ",".join(reversed(parts))


def flat(tree):
    for name, value in tree.pairs:
        yield name, value
        if isinstance(value, list):
            yield from flat(Tree(value))


def moment(tree):
    said = tree.first("x509af.utcTime") or tree.first("x509af.generalizedTime")
    text = said.replace(" (UTC)", "").replace(".000000000 UTC", "")
    for form in ("%Y-%m-%d %H:%M:%S", "%b %d, %Y %H:%M:%S"):
        try:
            return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            continue
    raise ValueError(f"tshark says a time in a way that is not understood: {said!r}")


def alternative_names(tree):
    kinds = {"x509ce.dNSName": "DNS", "x509ce.rfc822Name": "email", "x509ce.uniformResourceIdentifier": "URI",
             "x509ce.IPAddress.ipv4": "IP", "x509ce.IPAddress.ipv6": "IP"}
    for extension in tree.trees("x509af.Extension_element"):
        if extension.first("x509af.extension.id") == "2.5.29.17":
            return [f"{kinds[name]}:{value}" for name, value in flat(extension) if name in kinds]
    return []


def key_of(element):
    """Type, bits and curve."""
    identifiers = element.all("x509af.algorithm.id")
    key = KEYS.get(identifiers[0], identifiers[0])
    if key == "RSA":
        return key, int.from_bytes(element.bytes("pkcs1.modulus"), "big").bit_length(), None
    if key == "EC":
        curve = next((value for name, value in flat(element) if isinstance(value, str) and value in CURVES), None)
        return key, *reversed(CURVES[curve])
    return key, {"Ed25519": 255, "Ed448": 448}.get(key), None


def serial_number(signed):
    """Without the zero in front that keeps a number from being negative."""
    octets = signed.bytes("x509af.serialNumber")
    return (octets[1:] if len(octets) > 1 and octets[0] == 0 else octets).hex()


def certificate(der, tree):
    signed = tree.trees("x509af.signedCertificate_element")[0]
    key = key_of(signed.trees("x509af.subjectPublicKeyInfo_element")[0])
    subject = distinguished_name(next(iter(signed.trees("x509af.subject_tree")), Tree([])))
    issuer = distinguished_name(next(iter(signed.trees("x509af.issuer_tree")), Tree([])))
    signature = signed.trees("x509af.signature_element")[0].first("x509af.algorithm.id")
    validity = signed.trees("x509af.validity_element")[0]
    return {"subject": subject, "issuer": issuer, "serial": serial_number(signed),
            "names": alternative_names(signed), "not_before": moment(validity.trees("x509af.notBefore_tree")[0]),
            "not_after": moment(validity.trees("x509af.notAfter_tree")[0]), "key_type": key[0], "key_bits": key[1],
            "curve": key[2], "signature_algorithm": SIGNATURES.get(signature, signature),
            "sha256": hashlib.sha256(der).hexdigest(), "self_issued": subject == issuer}


def certificates(tree):
    ders = [bytes.fromhex(each.replace(":", "")) for each in tree.all("tls.handshake.certificate")]
    trees = tree.trees("tls.handshake.certificate_tree")
    return [certificate(der, each) for der, each in zip(ders, trees, strict=True)]


def extensions(hello):
    return hello.numbers("tls.handshake.extension.type")


def extension_trees(hello, wanted):
    return [Tree(value) for _, value in hello.pairs
            if Tree(value).number("tls.handshake.extension.type") == wanted]


def resumed_by_ticket(hello, server_hello):
    """In TLS 1.3; None: a key that was agreed on in another way looks the same but for its age."""
    chosen = server_hello.number("tls.handshake.extensions.psk.identity.selected")
    if chosen is None:
        return False
    ages = hello.numbers("tls.handshake.extensions.psk.identity.obfuscated_ticket_age")
    return True if ages[chosen] else None


def of_client(hello):
    """`hello`: the first ClientHello."""
    versions = hello.numbers("tls.handshake.extensions.supported_version")
    version = hello.number("tls.handshake.version")
    # Another extension has those of certificates.
    signatures = [number for each in extension_trees(hello, SIGNATURES_OF_KEYS)
                  for number in each.numbers("tls.handshake.sig_hash_alg")]
    groups = hello.numbers("tls.handshake.extensions_supported_group")
    shares = hello.numbers("tls.handshake.extensions_key_share_group")
    suites = hello.numbers("tls.handshake.ciphersuite")
    alpn = hello.all("tls.handshake.extensions_alpn_str")
    found = extensions(hello)
    return {
        "sni": hello.first("tls.handshake.extensions_server_name"), "alpn_offered": alpn,
        "versions_offered": [named(VERSIONS, each) for each in versions or [version]],
        "cipher_suites_offered": [named(suite_names(), each) for each in suites],
        "groups_offered": [named(GROUPS, each) for each in groups],
        "key_shares_offered": [named(GROUPS, each) for each in shares],
        "signature_algorithms_offered": [named(SIGNATURE_ALGORITHMS, each) for each in signatures],
        "session_ticket_offered": any(each.number("tls.handshake.extension.len")
                                      for each in extension_trees(hello, TICKET)),
        "psk_offered": PRE_SHARED_KEY in found,
        "early_data_offered": EARLY_DATA in found, "ech_offered": ECH in found,
        "ja3": hello.first("tls.handshake.ja3"),
        "ja4": ja4(versions or [version], suites, found, signatures, alpn),
        "post_quantum": "offered" if HYBRID & set(groups + shares) else "none",
    }


def of_server(hello, told, last_client_hello):
    """`told`: all that either said."""
    version = hello.number("tls.handshake.extensions.supported_version") or hello.number("tls.handshake.version")
    suite = hello.number("tls.handshake.ciphersuite")
    from_server = {kind: tree for by_client, kind, tree in told if not by_client}
    key = from_server.get(SERVER_KEY, Tree([]))
    group = hello.number("tls.handshake.extensions_key_share_group") or key.number("tls.handshake.server_named_curve")
    in_clear = version <= ANSWERED_IN_CLEAR_MAX
    signature = key.number("tls.handshake.sig_hash_alg")
    return {
        "version": named(VERSIONS, version), "cipher_suite": named(suite_names(), suite),
        "group": None if group is None else named(GROUPS, group),
        "signature_algorithm": None if signature is None else named(SIGNATURE_ALGORITHMS, signature),
        "alpn": hello.first("tls.handshake.extensions_alpn_str") if in_clear else None,
        "ja3s": hello.first("tls.handshake.ja3s"),
        # A server that resumes says nothing between its hello and its change of cipher.
        "resumed": SERVER_DONE not in from_server if in_clear else resumed_by_ticket(last_client_hello, hello),
        "client_certificate_requested": CERTIFICATE_REQUEST in from_server if in_clear else None,
        "session_ticket_issued": NEW_TICKET in from_server if in_clear and CHANGE in from_server else None,
        **({"post_quantum": "negotiated"} if group in HYBRID else {}),
    }


def shown(first):
    """Certificates up to TLS 1.2: whether there is one is known when a side has said all that it says in clear."""
    made = {}
    for by_client, name in ((False, "certificates"), (True, "client_certificates")):
        whole = first(by_client, CHANGE) or (not by_client and first(False, SERVER_DONE))
        tree = first(by_client, CERTIFICATE)
        made[name] = certificates(tree) if tree else [] if whole else None
    return made


def findings(made, now, key):
    """What is weak in what was agreed on, and in certificates that are in clear."""
    suite, found = made["cipher_suite"] or "", set()
    found |= {name for version, name in (("TLS 1.0", "tls1_0"), ("TLS 1.1", "tls1_1"), ("SSL 3.0", "ssl3"))
              if made["version"] == version}
    found |= {name for part, name in (("_WITH_NULL_", "null_cipher"), ("_anon_", "anonymous"), ("_RC4_", "rc4"),
                                      ("_3DES_", "3des"), ("_EXPORT_", "export"), ("_DES_", "des"), ("_DES40_", "des"),
                                      ("_RC2_", "rc2")) if part in suite}
    if 0 < int.from_bytes(key.bytes("tls.handshake.p"), "big").bit_length() < 2048:
        found.add("dh_under_2048")
    if signature := key.number("tls.handshake.sig_hash_alg"):
        found |= {name for hashed, name in ((1, "md5_signature"), (2, "sha1_signature")) if signature >> 8 == hashed}
    both = [made["certificates"] or [], made["client_certificates"] or []]
    for each, is_leaf in ((each, each is chain[0]) for chain in both for each in chain):
        trusted_by_itself = each["self_issued"] and not is_leaf
        found |= {name for holds, name in (
            (each["key_type"] == "RSA" and each["key_bits"] < 2048, "rsa_under_2048"),
            (now > each["not_after"], "expired"), (now < each["not_before"], "not_yet_valid"),
            (each["signature_algorithm"].startswith("sha1") and not trusted_by_itself, "sha1_signature"),
            (each["signature_algorithm"].startswith("md5") and not trusted_by_itself, "md5_signature")) if holds}
    return found


def handshake(told, began):
    """One connection's messages → the fields of a record. What nobody said in clear is None."""
    def first(by_client, kind, retry=False):
        for client, found, tree in told:
            is_retry = kind == SERVER_HELLO and tree.bytes("tls.handshake.random").hex() == RETRY_RANDOM
            if (client, found, is_retry) == (by_client, kind, retry):
                return tree
        return None

    made = {**dict.fromkeys(("certificates", "client_certificates", "version", "cipher_suite", "group", "ja3s", "alpn",
                             "signature_algorithm", "resumed", "client_certificate_requested", "hello_retry_request",
                             "session_ticket_issued")), **of_client(first(True, CLIENT_HELLO))}
    if hello := first(False, SERVER_HELLO):
        client_hellos = [tree for by_client, kind, tree in told if by_client and kind == CLIENT_HELLO]
        made.update(of_server(hello, told, client_hellos[-1]))
        made["hello_retry_request"] = first(False, SERVER_HELLO, True) is not None
        if made["version"] == VERSIONS[0x0304]:     # encrypted, but for those who need none
            if PRE_SHARED_KEY in extensions(hello):
                made |= {"certificates": [], "client_certificates": [], "client_certificate_requested": False}
        else:
            made |= shown(first)
    began = datetime.datetime.fromtimestamp(began, datetime.timezone.utc)
    made["findings"] = findings(made, began, first(False, SERVER_KEY) or Tree([]))
    made["alerts"] = [{"from": "client" if by_client else "server",
                       "level": named(LEVELS, tree.number("tls.alert_message.level")),
                       "description": named(ALERTS, tree.number("tls.alert_message.desc"))}
                      for by_client, kind, tree in told if kind == ALERT]
    return made


def handshakes(capture, ports):
    """(client port, server port) → one dictionary per connection, in the order they were made. `ports`: as tshark -d
    takes them."""
    found = collections.defaultdict(list)
    told, began = flows(capture, ports)
    for stream, client, server in sorted(told):
        found[client, server].append(handshake(told[stream, client, server], began[stream]))
    return dict(found)
