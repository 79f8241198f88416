"""A target that takes its time: the idle timeout decides, and 504 says so. Silence is in
test_alb_bad_responses.py."""

import threading

from balancer import forward_config
from http_wire import read_response, request

IDLE = "idle_timeout.timeout_seconds = 1"


def test_a_slow_but_steady_answer_passes(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for letter in b"slow":
            threading.Event().wait(0.4)
            sock.sendall(bytes([letter]))
        return True
    alb = start_alb(forward_config(start_target(script), alb=IDLE))

    with alb.connect() as sock:
        sock.sendall(request())
        assert read_response(sock).body == b"slow"


def test_a_target_that_reads_no_request_is_a_504(start_alb, start_target):
    is_over = threading.Event()

    def script(sock, _head, _rest):
        is_over.wait(30)
        return False
    alb = start_alb(forward_config(start_target(script), alb=IDLE))

    with alb.connect() as sock:
        def upload():
            try:
                sock.sendall(request("POST", fields=b"Content-Length: 50000000\r\n"))
                sock.sendall(b"x" * 50000000)
            except OSError:
                pass  # cut, as it should be
        sender = threading.Thread(target=upload)
        sender.start()
        alb.access_row(" 504 - ")
        is_over.set()
        sock.close()
        sender.join()
