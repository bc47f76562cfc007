"""How long the server takes to answer, while something else happens."""

import http.client
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class LatencyProbe:
    """Asks for one path again and again on a connection of its own, from a thread of its own.

    `latencies` are in seconds, one for each answer. An answer other than 200 ends the probe, and
    the `with` block raises it.
    """

    def __init__(self, base_url: str, path: str, interval: float = 0.005) -> None:
        self.latencies: list[float] = []
        self._address = urlsplit(base_url)
        self._path = path
        self._interval = interval
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="latency probe")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._error is not None and error is None:
            raise self._error

    def quantile(self, share: float) -> float:
        """The latency that this share of the answers did not exceed, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def _run(self) -> None:
        assert self._address.hostname is not None
        connection = http.client.HTTPConnection(
            self._address.hostname, self._address.port, timeout=60
        )
        try:
            while not self._stop.wait(self._interval):
                started = time.perf_counter()
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                self.latencies.append(time.perf_counter() - started)
                if response.status != 200:
                    raise AssertionError(f"{self._path} answered {response.status}")
        except Exception as error:
            self._error = error
        finally:
            connection.close()
