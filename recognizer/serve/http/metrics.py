"""Metrics for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # others are counted together
SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The metrics of one app, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "recognizer_requests", "Requests that were answered", ["method", "path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "recognizer_request_seconds", "Response time", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.stage_seconds = Histogram(
            "recognizer_stage_seconds",
            "Time of each stage of processing a picture",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.frames = Counter(
            "recognizer_stream_frames",
            "Received frames: answered, replaced by a newer one, or refused",
            ["end"],
            registry=self.registry,
        )
        self.refused = Counter(
            "recognizer_refused_tokens", "Requests without the right token", ["found"], registry=self.registry
        )
        self.streams = Gauge("recognizer_streams", "Open streams", registry=self.registry)
        self.waiting = Gauge("recognizer_waiting", "Pictures in the queue", registry=self.registry)
        self.jobs = Gauge("recognizer_jobs_running", "Running training jobs", registry=self.registry)

    def observe_stages(self, stages_ms: dict[str, float]) -> None:
        """Record the stage times of a processed picture, in milliseconds."""
        for stage, cost_ms in stages_ms.items():
            self.stage_seconds.labels(stage).observe(cost_ms / 1000)


class RequestCounter:
    """ASGI middleware that counts and times requests per route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            # the route's pattern, because paths with ids would create unlimited label values
            path = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, path, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began_s)
