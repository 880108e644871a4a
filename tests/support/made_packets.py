"""Makes up TCP connections as packets, for capture files that never were on a wire. Checksums are left zero, as an
interface that computes them later leaves them."""

import ipaddress
import struct

SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16
ETHERNET_IPV4 = bytes(12) + b"\x08\x00"
CLIENT, SERVER = 0, 1


class Packet:
    """One frame. `payload`: how many bytes of the stream it carries."""

    def __init__(self, time_ns, frame, sender, payload):
        self.time_ns, self.frame, self.sender, self.payload = time_ns, frame, sender, payload


class Conversation:
    """One connection. Each step appends to `packets`; time goes on by `step_ns` with each of them."""

    def __init__(self, client=("10.0.0.1", 40000), server=("10.0.0.2", 80), first=(1000, 2000), mss=1448,
                 time_ns=1_700_000_000_000_000_000, step_ns=100_000):
        self.addresses = [(ipaddress.IPv4Address(host).packed, port) for host, port in (client, server)]
        self.next = list(first)  # sequence number of the next byte, by sender
        self.mss, self.time_ns, self.step_ns = mss, time_ns, step_ns
        self.packets = []

    def add(self, sender, flags, payload=b"", sequence=None):
        sequence = self.next[sender] if sequence is None else sequence
        source, target = self.addresses[sender], self.addresses[1 - sender]
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0, source[0], target[0])
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], sequence & 0xFFFFFFFF,
                          self.next[1 - sender] & 0xFFFFFFFF if flags & ACK else 0, 0x50, flags, 65535, 0, 0)
        self.packets.append(Packet(self.time_ns, ETHERNET_IPV4 + ip + tcp + payload, sender, len(payload)))
        self.time_ns += self.step_ns
        return self.packets[-1]

    def open(self):
        self.add(CLIENT, SYN)
        self.next[CLIENT] += 1
        self.add(SERVER, SYN | ACK)
        self.next[SERVER] += 1
        self.add(CLIENT, ACK)

    def send(self, sender, data):
        """In segments, each acknowledged. Returns the packets that carry it."""
        carrying = []
        for start in range(0, len(data), self.mss):
            segment = data[start:start + self.mss]
            carrying.append(self.add(sender, PSH | ACK, segment))
            self.next[sender] += len(segment)
            self.add(1 - sender, ACK)
        return carrying

    def close(self):
        for sender in (CLIENT, SERVER):
            self.add(sender, FIN | ACK)
            self.next[sender] += 1
        self.add(CLIENT, ACK)


def write(capture, packets):
    """In the order of their times."""
    for packet in sorted(packets, key=lambda each: each.time_ns):
        capture.add(packet.time_ns // 1_000_000_000, packet.time_ns % 1_000_000_000, packet.frame)
