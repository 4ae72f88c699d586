"""Frames between the thin client and the daemon: one type byte, four bytes of length (big endian), the payload.

    client -> daemon                                daemon -> client
    H  hello, lines of key=value (see service.py)   G  greeting: the daemon has taken the connection
    C  one command line (-c)                        O  text for standard output
    B  a batch: file name, NUL, contents            E  text for standard error
    Z  no more commands                             D  terminal bytes (interactive)
    D  key bytes (interactive)                      R  read this file for me (answer: F or N)
    W  columns and rows, two bytes each             S  save this file: name, NUL, contents (answer: F or N)
    F  file contents, or saved                      X  exit code, one byte; the last frame
    N  could not: the reason as text

The client imports this on its hot path: no imports here.
"""

HELLO = b"H"
COMMAND = b"C"
BATCH = b"B"
END = b"Z"
DATA = b"D"
WINDOW = b"W"
FILE = b"F"
REFUSED = b"N"
GREETING = b"G"
OUTPUT = b"O"
ERROR = b"E"
READ = b"R"
SAVE = b"S"
EXIT = b"X"

MAXIMUM = 256 * 1024 * 1024
"""Largest payload in bytes: a 1,000,000-line batch is about 100 MB."""


def pack(kind: bytes, payload: bytes) -> bytes:
    """One frame as bytes."""
    return kind + len(payload).to_bytes(4, "big") + payload
