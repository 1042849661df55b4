"""The samples by their ids, and how they were read: kept in mind for as long as samples.csv stays as it is."""

import threading
from collections.abc import Sequence

from recognizer.samples.sample import Sample, file_name
from recognizer.samples.store import Samples
from recognizer.serve.problems import Problem

Reading = tuple[str | None, float]  # label and confidence
READINGS_KEPT = 50_000


class Shelf:
    """The store with what a server asks of it often; safe to use from several threads. Raises what the store raises."""

    def __init__(self, store: Samples) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._by_id: dict[str, Sample] = {}
        self._readings: dict[tuple[str, str, str], Reading | None] = {}

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

    def reading(self, model: str, sample: Sample) -> Reading | None:
        """How the model read the sample. Raises KeyError where that is not known."""
        return self._readings[model, sample.task, file_name(sample.path)]

    def keep_readings(self, model: str, samples: Sequence[Sample], readings: Sequence[Reading | None]) -> None:
        if len(self._readings) > READINGS_KEPT:
            self._readings.clear()
        for sample, reading in zip(samples, readings, strict=True):
            self._readings[model, sample.task, file_name(sample.path)] = reading

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
