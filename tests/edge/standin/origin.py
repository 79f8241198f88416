"""The origin's connections: attempts, time-outs, and the pool of those that are kept alive."""

import asyncio
import contextlib

from . import http1

IDEMPOTENT = ("GET", "HEAD")  # a WebSocket's upgrade is a GET


class OriginError(Exception):
    """There is no response: `status` is what the viewer gets."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.is_reused = False
        self.watch = None

    def is_alive(self):
        return not (self.reader.at_eof() or self.reader.exception() or self.writer.is_closing())

    def close(self):
        self.writer.close()


FAILURES = (OSError, http1.Malformed)  # a TimeoutError is an OSError


def error_of(failure):
    if isinstance(failure, TimeoutError):
        return OriginError(504, "The origin does not answer in time")
    return OriginError(502, f"The origin's answer is missing or malformed: {failure}")


class Origin:
    """One origin. `options` has address, source, tls, name, attempts and the three time-outs in seconds; `log` is
    told what goes wrong."""

    def __init__(self, options, log):
        self.options, self.log = options, log
        self.idle = []

    async def ask(self, head, body):
        """Send a request: (connection, head of the final response, attempts). The caller reads the response's body,
        and then gives the connection back or closes it.

        No connection: tried again, as often as connection attempts are allowed. No response in time: likewise for a
        GET or HEAD, on a new connection. An idle connection that the origin closes just then is a 502.
        """
        for attempt in range(1, self.options.attempts + 1):
            connection = None
            try:
                connection = await self._take(reuse=attempt == 1)
                return connection, await self._exchange(connection, head, body), attempt
            except FAILURES as failure:
                self.log("attempt failed", attempt=attempt, why=repr(str(failure) or type(failure).__name__))
                in_time = not isinstance(failure, TimeoutError)
                is_repeated = not connection or (not in_time and head.method in IDEMPOTENT)
                if not is_repeated or attempt == self.options.attempts:
                    raise error_of(failure) from failure

    async def _take(self, reuse):
        while reuse and self.idle:
            connection = self.idle.pop()
            connection.watch.cancel()
            if connection.is_alive():
                connection.is_reused = True
                return connection
            connection.close()
        return await self._connect()

    async def _connect(self):
        o = self.options
        async with asyncio.timeout(o.connect_timeout):
            streams = await asyncio.open_connection(
                *o.address, limit=http1.HEAD_MAX, local_addr=(o.source, 0) if o.source else None, ssl=o.tls,
                server_hostname=o.name if o.tls else None)
        return Connection(*streams)

    async def _exchange(self, connection, head, body):
        connection.writer.write(head.encode())
        sending = asyncio.create_task(http1.write_body(connection.writer, body, self.options.response_timeout))
        reading = asyncio.create_task(self._final_head(connection.reader))
        try:
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(self.options.response_timeout):
                return await reading
        except BaseException:
            connection.close()
            raise
        finally:
            for task in (sending, reading):
                task.cancel()
            # What went wrong with sending shows in the response, or in that there is none.
            await asyncio.gather(sending, reading, return_exceptions=True)

    @staticmethod
    async def _final_head(reader):
        for _ in range(2):
            head = await http1.read_head(reader)
            if head is None:
                raise http1.Malformed("closed without a response")
            if head.status >= 200 or head.status == 101:
                return head
        raise http1.Malformed("more than one 100 Continue")

    def body_of(self, connection, framing):
        """A response's body, each piece within the response time-out."""
        return http1.Body(connection.reader, framing, self.options.response_timeout)

    def give_back(self, connection):
        """Keep it for another request, for as long as the keep-alive time-out."""
        connection.watch = asyncio.create_task(self._watch(connection))
        self.idle.append(connection)

    async def _watch(self, connection):
        why = "closed by the origin"
        try:
            async with asyncio.timeout(self.options.keepalive_timeout):
                await connection.reader.read(1)
        except TimeoutError:
            why = "keep-alive time-out"
        except OSError:
            why = "reset by the origin"
        with contextlib.suppress(ValueError):
            self.idle.remove(connection)
        self.log("idle connection ended", why=repr(why))
        connection.close()
