"""A target that takes its time: the idle timeout decides, and 504 says so."""

import threading

from harness import ask, forward_config, read_head, read_response, request, wait_until

IDLE = "idle_timeout.timeout_seconds = 1"


def silent(sock, _head, _rest):
    sock.recv(1)
    return False


def test_no_answer_within_the_idle_timeout_is_a_504(start_alb, start_target):
    target = start_target(silent)
    alb = start_alb(forward_config(target, alb=IDLE))

    assert ask(alb, request()).status == 504
    row = alb.access_row(" 504 - ")
    assert 'end="target did not answer within the idle timeout"' in row
    wait_until(lambda: not target._open, "the target's connection to be closed")


def test_a_target_that_stalls_within_its_answer_is_cut(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        return silent(sock, _head, _rest)
    alb = start_alb(forward_config(start_target(script), alb=IDLE))

    with alb.connect() as sock:
        sock.sendall(request())
        _, rest = read_head(sock)
        while chunk := sock.recv(100):
            rest += chunk
    assert rest == b"part"
    assert 'end="idle timeout within the response"' in alb.access_row("end=")


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
    def script(sock, _head, _rest):
        threading.Event().wait(3)
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
        sock.close()
        sender.join()
