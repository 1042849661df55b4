"""An in-memory index of the samples by id, and a cache of the model's predictions for them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from recognizer.samples.sample import Sample, copied_sample, file_name
from recognizer.samples.store import Samples
from recognizer.serve.http.problems import Problem

CachedPrediction = tuple[str | None, float]  # label, None if rejected or nothing is detected; confidence
CACHE_LIMIT = 50_000
DELETED_LIMIT_BYTES = 64 * 2**20  # pictures of deleted samples that can be restored; the oldest are forgotten


class SampleIndex:
    """Samples by id, reloaded when samples.csv changes. Thread-safe. Raises the errors of the store."""

    def __init__(self, store: Samples) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._by_id: dict[str, Sample] = {}
        self._cached: OrderedDict[tuple[str, str, str], CachedPrediction] = OrderedDict()
        self._deleted: OrderedDict[str, tuple[Sample, bytes]] = OrderedDict()  # by id

    def all(self, task: str | None = None, label: str | None = None) -> list[Sample]:
        """Samples in the order of recording; optionally of one task and label."""
        chosen = self._rows().values()
        return [sample for sample in chosen if task in (None, sample.task) and label in (None, sample.label)]

    def counts(self, task: str) -> dict[str, int]:
        """The number of samples of each label, 0 included."""
        labels = self.store.task(task).labels if task in self.names() else ()
        counts = dict.fromkeys(labels, 0)
        for sample in self.all(task):
            counts[sample.label] = counts.get(sample.label, 0) + 1
        return counts

    def moving_labels(self, task: str) -> set[str]:
        """The labels of the movements among the samples."""
        return {sample.label for sample in self.all(task) if sample.moving_s is not None}

    def names(self) -> list[str]:
        """Names of the tasks in the store."""
        return [task.name for task in self.store.tasks()]

    def get(self, sample_id: str) -> Sample:
        """The sample with this id. Raises Problem (404)."""
        found = self._rows().get(sample_id)
        if found is None:
            raise Problem(404, "There is no such sample", f"{sample_id!a}", "GET /v1/samples?task= lists them.")
        return found

    def delete(self, sample_id: str) -> None:
        """Delete a sample. `restore` undoes it, while this program runs. Raises Problem (404)."""
        sample = self.get(sample_id)
        try:
            png = (self.store.folder / sample.path).read_bytes()
        except FileNotFoundError:  # a row without its picture cannot be restored
            png = b""
        self.store.delete([sample])
        if not png:
            return
        with self._lock:
            self._deleted[sample_id] = sample, png
            while sum(len(data) for _, data in self._deleted.values()) > DELETED_LIMIT_BYTES:
                self._deleted.popitem(last=False)

    def restore(self, sample_id: str) -> Sample:
        """Store a deleted sample again, under a new id. Raises Problem (404) if it was not deleted lately."""
        with self._lock:
            found = self._deleted.pop(sample_id, None)
        if found is None:
            raise Problem(404, "The sample cannot be restored", f"{sample_id!a}", "Record it again.")
        sample, png = found
        self.store.add_labels(sample.task, [sample.label])
        restored = replace(sample, path=copied_sample(sample).path)
        self.store.place([(restored, png)], sync=True)
        return restored

    def cached(self, model: str, samples: Sequence[Sample]) -> dict[str, CachedPrediction]:
        """The cached predictions of the model for samples, by id."""
        with self._lock:
            found = {}
            for sample in samples:
                key = model, sample.task, file_name(sample.path)
                if key in self._cached:
                    self._cached.move_to_end(key)
                    found[sample.id] = self._cached[key]
            return found

    def cache(self, model: str, samples: Sequence[Sample], predictions: Sequence[CachedPrediction | None]) -> None:
        """Remember predictions, except None: those of pictures that could not be read. The least used are dropped."""
        with self._lock:
            for sample, prediction in zip(samples, predictions, strict=True):
                if prediction is not None:
                    self._cached[model, sample.task, file_name(sample.path)] = prediction
            while len(self._cached) > CACHE_LIMIT:
                self._cached.popitem(last=False)

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
