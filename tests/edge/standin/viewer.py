"""A viewer's connection: requests one after the other, each answered from the origin or by the edge itself."""

import asyncio
import contextlib
import secrets

from . import errors, http1, refusals, websocket
from .origin import OriginError
from .policy import Viewer

IDLE_S = 60  # between two requests (I)
REST_S = 2   # what still comes is read for so long, so that the answer is not lost in a reset


class Stream:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer


class Edge:
    """What serves all viewers: one distribution in front of one origin."""

    def __init__(self, distribution, origin, cached, clock, log):
        self.distribution, self.origin, self.cached, self.clock, self.log = distribution, origin, cached, clock, log

    async def serve(self, reader, writer):
        """A connection, to its end."""
        address, port = writer.get_extra_info("peername")[:2]
        scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        visit = Visit(self, Stream(reader, writer), Viewer(address, port, scheme))
        try:
            while await visit.next():
                pass
        except (OSError, http1.Malformed, TimeoutError) as error:
            self.log("viewer ended", error=repr(str(error) or type(error).__name__))
            writer.transport.abort()
        finally:
            writer.close()


class Visit:
    """One connection of a viewer."""

    def __init__(self, edge, stream, viewer):
        self.edge, self.stream, self.viewer = edge, stream, viewer

    async def next(self):
        """Answer one request. Is there to be another?"""
        try:
            async with asyncio.timeout(IDLE_S):
                head = await http1.read_head(self.stream.reader)
            request = Request(head, self.stream.reader)
            refused = head and refusals.refusal(head, self.viewer.scheme)
        except http1.Malformed as error:
            refused = refusals.of_malformed(error)
        except TimeoutError:
            return False
        if refused:
            return await self._refuse(*refused)
        return head is not None and await self._answer(request)

    async def _refuse(self, status, why):
        """And hang up: what comes behind is not worth reading."""
        await self._write_page(Request(), status, why)
        with contextlib.suppress(TimeoutError, OSError):
            if self.stream.writer.can_write_eof():
                self.stream.writer.write_eof()
            async with asyncio.timeout(REST_S):
                while await self.stream.reader.read(65536):
                    pass
        return False

    async def _answer(self, request):
        edge = self.edge
        kept = edge.cached.find(request.head)
        if kept:
            return await self._write_page(request, *kept)
        if request.head.lists("Expect", "100-continue"):
            self.stream.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        outgoing = edge.distribution.origin_request(request.head, self.viewer, request.id, request.body.framing)
        try:
            connection, response, attempts = await edge.origin.ask(outgoing, request.body)
        except OriginError as error:
            edge.cached.keep(request.head, error.status, str(error))
            return await self._write_page(request, error.status, str(error))
        edge.log("request", id=request.id, method=outgoing.method, target=repr(outgoing.target[:100]),
                 status=response.status, attempts=attempts, reused="yes" if connection.is_reused else "no")
        if response.status == 101:
            return await self._tunnel(request, response, connection)
        return await self._relay(request, response, connection)

    async def _relay(self, request, response, connection):
        """A plain response. Without a length it ends by the end of the connection, on both sides."""
        edge, writer = self.edge, self.stream.writer
        try:
            framing = http1.response_framing(response, request.head.method)
            has_end = framing != http1.UNTIL_CLOSE
            keep_alive = has_end and request.is_kept_alive()
            head = edge.distribution.viewer_response(response, request.id, framing, keep_alive)
            writer.write(head.encode())
            await http1.write_body(writer, edge.origin.body_of(connection, framing))
        except BaseException:
            connection.close()
            raise
        if has_end and response.is_kept_alive() and request.body.is_whole:
            edge.origin.give_back(connection)
        else:
            connection.close()
        edge.cached.keep(request.head, response.status, "An error of the origin, kept by the edge")
        return keep_alive

    async def _tunnel(self, request, response, connection):
        head = self.edge.distribution.viewer_response(response, request.id, http1.NO_BODY, True)
        self.stream.writer.write(head.encode())
        ended = await websocket.relay(self.stream, connection, self.edge.clock.seconds(websocket.IDLE_S))
        self.edge.log("websocket ended", id=request.id, why=repr(ended))
        return False

    async def _write_page(self, request, status, why):
        """An answer of the edge's own. Is there to be another request?"""
        self.edge.log("answered here", id=request.id, status=status, why=repr(why))
        keep_alive = request.is_kept_alive()
        head, body = errors.response(status, why)
        head = self.edge.distribution.viewer_response(head, request.id, ("length", len(body)), keep_alive)
        self.stream.writer.write(head.encode() + (b"" if request.is_for_head() else body))
        await self.stream.writer.drain()
        return keep_alive


class Request:
    """A request of a viewer's, and its id; without a head, one that could not be read."""

    def __init__(self, head=None, reader=None):
        self.head = head
        self.id = secrets.token_urlsafe(36)
        self.body = http1.Body(reader, http1.request_framing(head)) if head else None

    def is_kept_alive(self):
        return self.head is not None and self.body.is_whole and self.head.is_kept_alive()

    def is_for_head(self):
        return self.head is not None and self.head.method == "HEAD"
