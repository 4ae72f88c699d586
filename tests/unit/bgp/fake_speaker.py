"""Stands in for the speaker process in unit tests: `python fake_speaker.py SCENARIO DESCRIPTOR DAEMON`.

Speaks frames as the real one does; what it does wrong is said by the scenario.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from controller.bgp.speaker.frames import Kind, Splitter, frame


def main(scenario: str, line: socket.socket) -> None:
    if scenario == "never":
        sys.stderr.write("something is missing, password hunter2\n")
        sys.exit(3)
    if scenario == "silent":
        time.sleep(600)
    if scenario == "nonsense":
        line.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        time.sleep(600)
    line.sendall(frame(Kind.READY))
    splitter = Splitter()
    commands = 0
    while data := line.recv(1 << 16):
        for kind, payload in splitter.feed(data):
            commands += 1
            if scenario == "dies" and kind is Kind.SEND:
                sys.stderr.write("it broke\n")
                sys.stderr.flush()
                os._exit(7)
            if scenario == "refuses" and kind is Kind.CONFIGURE:
                line.sendall(frame(Kind.REFUSED, b"can not bind, hunter2"))
                continue
            if kind is Kind.CONFIGURE and b"neighbor" in payload:
                up = {
                    "session": commands,
                    "address": "192.0.2.9",
                    "families": [[1, 128]],
                    "hold": 90,
                    "router_id": "9.9.9.9",
                    "as4": True,
                    "size": 4096,
                }
                line.sendall(frame(Kind.UP, json.dumps(up).encode()))
            if kind is Kind.STOP:
                return
            line.sendall(frame(Kind.DONE))


if __name__ == "__main__":
    main(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
