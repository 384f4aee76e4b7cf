"""The program of a worker process: read a job, decode, answer, until the reader hangs up.

The reader starts it as `python -c` with its own `sys.path`, so it needs no guard in the user's script, inherits no
state of torch or of a decoder, and imports the decoder by itself; it loads no plugins.
"""

import os
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from maxi_core.errors import MaxiError
from maxi_core.system.threads import wait_passively
from maxi_core.video.jobs import Job, Setup, answer
from maxi_core.video.wire import pack, receive, send


def main() -> None:
    """Serve jobs from standard input until it is closed."""
    wait_passively()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):  # sent to all processes of a job
        signal.signal(number, signal.SIG_IGN)  # to end is the reader's business, which then hangs up
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    first = receive(sys.stdin.buffer)
    if first is None:
        return
    setup = Setup(**first[0])
    threading.Thread(target=_listen, args=(sys.stdin.buffer, jobs), daemon=True).start()
    try:
        decode, cache = setup.load(), setup.frame_cache()
    except MaxiError as error:
        send(replies, {"broken": [error.problem, error.fix]})
        os._exit(1)  # at once: the thread that listens would hold up an ordinary end
    send(replies, {"ready": True})
    while True:
        job = Job.from_json(jobs.get())
        send(replies, *pack(answer(job, decode, setup, cache)))


def _listen(pipe: BinaryIO, jobs: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Hand over jobs as they come; end the process when the reader is gone, even in the middle of a decode."""
    while (message := receive(pipe)) is not None:
        jobs.put(message[0])
    os._exit(0)
