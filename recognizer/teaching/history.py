"""What was done to the samples since the program started, so that all of it can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from recognizer.samples.sample import Sample, copied_sample
from recognizer.samples.store import Samples


@dataclass(frozen=True, eq=False)
class Step:
    """Something that was done to samples of one task."""

    task: str
    label: str  # of the samples before, or of the new ones
    recorded: list[str]  # ids of samples that were recorded
    deleted: tuple[tuple[Sample, bytes], ...] = ()  # with the PNG data of their pictures
    moved: tuple[str, ...] = ()  # ids of samples that got another label


class History:
    """The steps of a run, oldest first. Its methods may raise SamplesError; then nothing has changed."""

    def __init__(self, store: Samples) -> None:
        self._store = store
        self._steps: list[Step] = []
        self._new_ids: dict[str, str] = {}  # of samples that were deleted and brought back

    def begin_burst(self, task: str, label: str) -> None:
        """The samples recorded from now on are taken back together."""
        self._steps.append(Step(task, label, []))

    def recorded(self, sample: Sample) -> None:
        """Notes a sample of the burst that has begun."""
        self._steps[-1].recorded.append(sample.id)

    def delete(self, samples: Sequence[Sample]) -> None:
        """Deletes samples of one label."""
        pictures = tuple((sample, self._store.png(sample)) for sample in samples)
        self._store.delete(samples)
        self._steps.append(Step(samples[0].task, samples[0].label, [], deleted=pictures))

    def relabel(self, samples: Sequence[Sample], label: str) -> None:
        """Gives samples of one label another one."""
        self._store.relabel(samples, label)
        moved = tuple(sample.id for sample in samples)
        self._steps.append(Step(samples[0].task, samples[0].label, [], moved=moved))

    def undo(self, task: str) -> str:
        """Takes back the task's last step. Returns what that was, in words; "" if there is none."""
        for number in reversed(range(len(self._steps))):
            step = self._steps[number]
            if step.task == task:
                words = self._undone(step)
                del self._steps[number]
                if words:
                    return words
        return ""

    def _undone(self, step: Step) -> str:
        """Takes back a step. Returns "" if there was nothing to take back."""
        if step.deleted:
            # under another name: a store that is shared with others has noted that the old one is deleted
            again = [(copied_sample(sample), png) for sample, png in step.deleted]
            self._store.place(again)
            self._new_ids |= {old.id: new.id for (old, _), (new, _) in zip(step.deleted, again, strict=True)}
            return f"brought back {len(again)} of {step.label}"
        ids = {self._new_id(name) for name in step.moved or step.recorded}
        samples = [sample for sample in self._store.read(step.task) if sample.id in ids] if ids else []
        if not samples:
            return ""
        if step.moved:
            self._store.relabel(samples, step.label)
            return f"moved {len(samples)} back to {step.label}"
        self._store.undo(samples)
        return f"took back {len(samples)} of {step.label}"

    def _new_id(self, name: str) -> str:
        while name in self._new_ids:
            name = self._new_ids[name]
        return name
