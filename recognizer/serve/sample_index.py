"""The samples by their ids, and how they were read: kept in mind for as long as samples.csv stays as it is."""

import threading
from collections.abc import Sequence

from recognizer.samples.sample import Sample, file_name
from recognizer.samples.store import Samples
from recognizer.serve.problems import Problem

CachedPrediction = tuple[str | None, float]  # label and confidence
CACHE_LIMIT = 50_000


class SampleIndex:
    """The store with what a server asks of it often; safe to use from several threads. Raises what the store raises."""

    def __init__(self, store: Samples) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._by_id: dict[str, Sample] = {}
        self._cached: dict[tuple[str, str, str], CachedPrediction | None] = {}

    def all(self, task: str | None = None, label: str | None = None) -> list[Sample]:
        """Samples in the order they were taken, of a task or a label or all."""
        chosen = self._rows().values()
        return [one for one in chosen if task in (None, one.task) and label in (None, one.label)]

    def counts(self, task: str) -> dict[str, int]:
        """How many samples each label has, those without any among them."""
        labels = self.store.task(task).labels if task in self.names() else ()
        counts = dict.fromkeys(labels, 0)
        for sample in self.all(task):
            counts[sample.label] = counts.get(sample.label, 0) + 1
        return counts

    def names(self) -> list[str]:
        """The tasks that have a folder of samples."""
        return [task.name for task in self.store.tasks()]

    def get(self, sample_id: str) -> Sample:
        """The sample of that id. Raises Problem."""
        found = self._rows().get(sample_id)
        if found is None:
            raise Problem(404, "There is no such sample", f"{sample_id!a}", "GET /v1/samples?task= lists them.")
        return found

    def cached(self, model: str, sample: Sample) -> CachedPrediction | None:
        """How the model read the sample. Raises KeyError where that is not known."""
        return self._cached[model, sample.task, file_name(sample.path)]

    def cache(self, model: str, samples: Sequence[Sample], predictions: Sequence[CachedPrediction | None]) -> None:
        if len(self._cached) > CACHE_LIMIT:
            self._cached.clear()
        for sample, cached in zip(samples, predictions, strict=True):
            self._cached[model, sample.task, file_name(sample.path)] = cached

    def _rows(self) -> dict[str, Sample]:
        self.store.refresh()
        try:
            status = self.store.table_path.stat()
            stamp: tuple[int, ...] | None = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            stamp = None
        with self._lock:
            if stamp is None or stamp != self._stamp:
                self._by_id = {sample.id: sample for sample in self.store.read()}
                self._stamp = stamp
            return self._by_id
