"""TCP by hand: reading up to a point, and the ways in which a connection ends."""

import contextlib
import socket
import struct


def read_until_close(sock):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def read_exactly(sock, n, have=b""):
    data = bytearray(have)
    while len(data) < n:
        chunk = sock.recv(min(n - len(data), 1 << 18))
        assert chunk, f"closed after {len(data)} of {n} bytes"
        data += chunk
    return bytes(data)


def is_closed(sock):
    """The other side has closed, or does within the socket's time-out."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def stop_listening(listener):
    """Close a listener that a thread accepts from.

    Closing alone leaves it open while the call lasts; and when a signal has the kernel restart that
    call, it goes by the descriptor's number, which may be another test's listener by then: the
    thread took a connection that was not its own, and the other test waited for it in vain.
    """
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # ends accept()
    listener.close()


def packets_in(sock):
    """Segments that its kernel has got for this connection."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, 140)[0]  # tcpi_segs_in


def is_all_acked(sock):
    """Nothing that it sent waits for an ACK: none will come that belongs to what was before."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, 24)[0] == 0  # tcpi_unacked


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
