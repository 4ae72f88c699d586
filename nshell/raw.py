"""The interactive half of the client: the terminal in raw mode, key bytes one way, screen bytes the other.

Imported only for an interactive session: select, signal, termios and tty cost a one-shot command nothing.
"""

import os
import select
import signal
import termios
import tty
from _socket import socket

from nshell import frames
from nshell.client import Receiver


def converse_raw(connection: socket, opening: bytes) -> Receiver:
    """Run an interactive session on this terminal until the daemon ends it."""
    receiver = Receiver(connection)
    connection.sendall(opening)
    before = termios.tcgetattr(0)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)

    def resized(number: int, frame: object) -> None:
        os.write(wake_write, b"w")

    signal.signal(signal.SIGWINCH, resized)
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is kept
        while receiver.code < 0:
            ready, _, _ = select.select([0, connection.fileno(), wake_read], [], [])
            if wake_read in ready:
                os.read(wake_read, 4096)
                columns, rows = os.get_terminal_size()
                connection.sendall(frames.pack(frames.WINDOW, columns.to_bytes(2, "big") + rows.to_bytes(2, "big")))
            if connection.fileno() in ready and not receiver.receive():
                break
            if 0 in ready:
                keys = os.read(0, 65536)
                if not keys:
                    break
                connection.sendall(frames.pack(frames.DATA, keys))
    except (BrokenPipeError, ConnectionResetError):
        receiver.greeted = True
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        os.close(wake_read)
        os.close(wake_write)
    return receiver
