"""Threads of a running process that do nothing for a while, as if each were in one long callback.

    with stopped_threads(alb.pid, "alb-loop"):      # those whose names begin so
        ...
"""

import contextlib
import ctypes
import os
import pathlib

LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17  # ptrace(2)
WALL = 0x40000000  # threads of others, too: waitpid(2)


def _ptrace(request, thread):
    if LIBC.ptrace(request, thread, None, None) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def threads_named(pid, prefix):
    """Of Linux: a thread's name is in its `comm`."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(t.name) for t in tasks if (t / "comm").read_text().startswith(prefix)]


@contextlib.contextmanager
def stopped_threads(pid, prefix):
    with contextlib.ExitStack() as stack:
        threads = threads_named(pid, prefix)
        assert threads, f"no thread of {pid} is called {prefix}"
        for thread in threads:
            _ptrace(SEIZE, thread)
            stack.callback(_ptrace, DETACH, thread)
            _ptrace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
        yield threads
