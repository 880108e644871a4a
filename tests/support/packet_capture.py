#!/usr/bin/python3
"""Writes what passes an interface into a pcap file: a capture that was not made by the program under test.

    packet_capture.py FILE [INTERFACE]      until SIGINT or SIGTERM; default: lo

Prints "ready" once it captures and, at the end, {"packets": N, "dropped": N}. Needs root. Each packet of the loopback
interface is taken once, when it arrives.
"""

import json
import signal
import socket
import struct
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
BUFFER_BYTES = 256 * 1024 * 1024
PACKET_BYTES_MAX = 256 * 1024
LINKTYPE_ETHERNET = 1


class PcapFile:
    """A classic capture file with nanoseconds; also for tests that make up their packets."""

    def __init__(self, file, linktype=LINKTYPE_ETHERNET):
        self.file = file
        file.write(struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, PACKET_BYTES_MAX, linktype))

    def add(self, seconds, nanoseconds, packet):
        self.file.write(struct.pack("=IIII", seconds, nanoseconds, len(packet), len(packet)))
        self.file.write(packet)


class Stopped(Exception):
    """A signal came."""


def stop(*_):
    raise Stopped


def main():
    path, interface = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "lo"
    # The filter comes before the binding: until it is bound, a packet socket sees nothing.
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if interface == "lo":
        packets.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    packets.bind((interface, ETH_P_ALL))
    taken = 0
    room = bytearray(PACKET_BYTES_MAX)
    view = memoryview(room)
    with open(path, "wb", buffering=1024 * 1024) as file:
        capture = PcapFile(file)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        print("ready", flush=True)
        try:
            while True:
                size, ancillary, _, _ = packets.recvmsg_into([room], 64)
                capture.add(*struct.unpack("=qq", ancillary[0][2]), view[:size])
                taken += 1
        except Stopped:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        # What has arrived and was not read yet belongs to the run too.
        packets.setblocking(False)
        while True:
            try:
                size, ancillary, _, _ = packets.recvmsg_into([room], 64)
            except BlockingIOError:
                break
            capture.add(*struct.unpack("=qq", ancillary[0][2]), view[:size])
            taken += 1
    statistics = packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
    print(json.dumps({"packets": taken, "dropped": struct.unpack("=II", statistics)[1]}), flush=True)


if __name__ == "__main__":
    main()
