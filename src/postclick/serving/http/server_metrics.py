"""What `GET /metrics` tells, in the registry of one server."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from postclick.serving.http.model.served_bundle import ServedBundle

# Seconds; 2 ms in the model and 8 ms in all are what 500 candidates should stay below.
_MODEL = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_REQUEST = (0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class ServerMetrics:
    """Counters and histograms; names are those of `docs/serving.md`.

    >>> metrics = ServerMetrics(queue_depth=lambda: 3)
    >>> b"postclick_queue_depth 3.0" in metrics.text()
    True
    """

    def __init__(self, queue_depth: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "postclick_requests_total",
            "Requests to /score by status of the answer.",
            ["status"],
            registry=self._registry,
        )
        self.rejected = Counter(
            "postclick_rejected_total",
            "Requests to /score that were refused, by reason.",
            ["reason"],
            registry=self._registry,
        )
        self.rows = Counter("postclick_rows_total", "Rows scored.", registry=self._registry)
        self.model_seconds = Histogram(
            "postclick_model_seconds",
            "Time in the bundle: encoding of features, and the network.",
            buckets=_MODEL,
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "postclick_request_seconds",
            "Time from the head of a request to /score to the end of its answer.",
            buckets=_REQUEST,
            registry=self._registry,
        )
        self.loads = Counter(
            "postclick_bundle_loads_total",
            "Bundles loaded after the first, by result: swapped, unchanged, refused.",
            ["result"],
            registry=self._registry,
        )
        self._bundle = Gauge(
            "postclick_bundle_info",
            "1 for the bundle that serves.",
            ["version", "method"],
            registry=self._registry,
        )
        depth = Gauge(
            "postclick_queue_depth",
            "Requests that wait for a model thread.",
            registry=self._registry,
        )
        depth.set_function(queue_depth)
        ProcessCollector(registry=self._registry)

    def serves(self, bundle: ServedBundle) -> None:
        """`bundle` serves from now on."""
        self._bundle.clear()
        self._bundle.labels(bundle.version, bundle.method).set(1)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)
