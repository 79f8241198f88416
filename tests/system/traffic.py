"""Clients that ask all the time, while a test changes something."""

import contextlib
import http.client
import threading

from harness import PATIENCE, wait_until


class Traffic:
    """What its clients got so far."""

    def __init__(self, alb, bodies, kept_body):
        self.alb, self.bodies, self.kept_body = alb, bodies, kept_body
        self.done, self.failed, self.served = threading.Event(), [], 0

    def ask(self, conn, body):
        try:
            conn.request("POST" if body else "GET", "/", body=body)
            got = conn.getresponse()
            if got.status != 200 or got.read() not in self.bodies:
                self.failed.append(got.status)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(error)
        self.served += 1

    def run(self, keep):
        conn = http.client.HTTPConnection(*self.alb.address(), timeout=10 * PATIENCE)
        while not self.done.is_set():
            self.ask(conn, self.kept_body if keep else None)
            if not keep:
                conn.close()
        conn.close()


@contextlib.contextmanager
def traffic(alb, bodies, clients=2, kept_body=None, least=20):
    """Every other client keeps its connection (and POSTs `kept_body`); each answer has to be 200
    with one of the `bodies`, and there are more than `least` of them when this ends."""
    load = Traffic(alb, bodies, kept_body)
    threads = [threading.Thread(target=load.run, args=(n % 2 == 0,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
        wait_until(lambda: load.failed or load.served > least, f"more than {least} answers")
    finally:
        load.done.set()
        for thread in threads:
            thread.join()
    assert load.failed == [], f"{load.failed} of {load.served}"
