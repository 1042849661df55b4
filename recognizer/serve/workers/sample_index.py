"""An in-memory index of the samples by id, and a cache of the model's predictions for them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from recognizer.samples.sample import Sample, file_name
from recognizer.samples.store import Samples
from recognizer.samples.trash import new_entry_name
from recognizer.serve.http.problems import Problem

CachedPrediction = tuple[str | None, float]  # label, None if rejected or nothing is detected; confidence
CACHE_LIMIT = 50_000


class SampleIndex:
    """Samples by id, reloaded when samples.csv changes. Thread-safe. Raises the errors of the store."""

    def __init__(self, store: Samples) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._by_id: dict[str, Sample] = {}
        self._cached: OrderedDict[tuple[str, str, str], CachedPrediction] = OrderedDict()

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

    def delete(self, sample_ids: Sequence[str]) -> str:
        """Move samples of one task to the trash. Return the name of its entry. Raises Problem (404, 422)."""
        samples = [self.get(sample_id) for sample_id in sample_ids]
        tasks = sorted({sample.task for sample in samples})
        if len(tasks) != 1:
            raise Problem(422, "Nothing was deleted", f"samples of {len(tasks)} tasks", "Send ids of one task.")
        entry = new_entry_name()
        self.store.delete(samples, entry=entry)
        return entry

    def restore(self, sample_id: str) -> Sample:
        """Bring a deleted sample back from the trash, with all that was deleted together. Raises Problem (404)."""
        for entry in reversed(self.store.trash()):
            if any(sample.id == sample_id for sample in entry.samples):
                self.store.restore(entry.name)
                return self.get(sample_id)
        raise Problem(404, "The sample cannot be restored", f"{sample_id!a} is not in the trash", "Record it again.")

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
