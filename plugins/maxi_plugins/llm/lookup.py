"""Looking a host up within seconds: the system's own look-up knows no deadline and cannot be stopped."""

import ipaddress
import socket
from concurrent.futures import Future
from threading import Lock, Thread

_under_way: dict[tuple[str, int], Future[list[str] | str]] = {}  # its addresses, or why there are none
_lock = Lock()


class UnresolvedError(Exception):
    """A host has no address, or none was found in time; says which host."""


def addresses(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of a host in the order in which they are to be tried.

    Raises TimeoutError after `seconds`, UnresolvedError for a host that has none.

    Each host is looked up in a daemon thread: whoever waits for it can go on or be stopped, and so can the process.
    There is one for each host, whose answer all get that ask meanwhile, so that threads that hang do not pile up.
    """
    if _is_address(host):
        return [host]
    with _lock:
        if (found := _under_way.get((host, port))) is None:
            found = Future()
            Thread(target=_look_up, args=(host, port, found), daemon=True, name=f"maxi-lookup-{host}").start()
            _under_way[host, port] = found
    answer = found.result(seconds)
    if isinstance(answer, str):
        raise UnresolvedError(answer)
    return answer


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _look_up(host: str, port: int, found: Future[list[str] | str]) -> None:
    answer: list[str] | str
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer = list(dict.fromkeys(str(row[4][0]) for row in rows))
    except Exception as error:  # the resolver's, and those of a name that is none
        answer = f"host '{host}' cannot be looked up: {error}"
    with _lock:
        del _under_way[host, port]
    found.set_result(answer)
