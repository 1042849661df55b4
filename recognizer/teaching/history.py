"""What was done to samples, labels and tasks since the program started, so that all of it can be taken back."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from recognizer.registry.store import ModelStore
from recognizer.samples.sample import Sample, clean_label
from recognizer.samples.store import Samples
from recognizer.samples.trash import new_entry_name
from recognizer.teaching import changes
from recognizer.teaching.changes import Deleted, LabelChange, What


@dataclass(eq=False)
class Step:
    """Something that was done to a task."""

    task: str  # its present name
    take_back: Callable[
        [str], str
    ]  # takes that name; returns what was taken back, in words, "" if nothing is left of it
    recorded: list[str] = field(default_factory=list)  # ids of samples that were recorded


@dataclass(frozen=True)
class Undone:
    """What was taken back, in words, and the present name of its task."""

    words: str
    task: str


class History:
    """The steps of a run, oldest first. Its methods may raise SamplesError and ModelError; then nothing has changed."""

    def __init__(self, models: ModelStore, samples: Samples) -> None:
        self._models = models
        self._samples = samples
        self._steps: list[Step] = []

    def begin_burst(self, task: str, label: str) -> None:
        """The samples recorded from now on are taken back together."""
        recorded: list[str] = []

        def take_back(task: str) -> str:
            found = self._with_ids(task, recorded)
            self._samples.undo(found)
            return f"took back {len(found)} of {found[0].label}" if found else ""

        self._steps.append(Step(task, take_back, recorded))

    def recorded(self, sample: Sample) -> None:
        """Notes a sample of the burst that has begun."""
        self._steps[-1].recorded.append(sample.id)

    def delete(self, samples: Sequence[Sample]) -> None:
        """Moves samples of one task to the trash."""
        entry = new_entry_name()
        self._samples.delete(samples, entry=entry)
        self._steps.append(Step(samples[0].task, partial(self._bring_back_samples, entry)))

    def relabel(self, samples: Sequence[Sample], label: str) -> None:
        """Gives samples of one label another one."""
        self._samples.relabel(samples, label)
        self._steps.append(Step(samples[0].task, partial(self._move_back, samples[0].label, _ids(samples))))

    def rename_label(self, task: str, label: str, to: str) -> LabelChange:
        """Renames a label, or merges it into another one."""
        to = clean_label(to)
        moved = _ids(sample for sample in self._read(task) if sample.label == label)
        is_merge = to in self._labels(task)
        done = changes.rename_label(self._models, self._samples, task, label, to)
        back = self._split if is_merge else self._rename_back
        self._steps.append(Step(task, partial(back, label, to, moved, done)))
        return done

    def delete_label(self, task: str, label: str) -> LabelChange:
        """Moves a label with its samples to the trash."""
        done = changes.delete_label(self._models, self._samples, task, label)
        self._steps.append(Step(task, partial(self._bring_back_label, label, done)))
        return done

    def reorder_labels(self, task: str, labels: Sequence[str]) -> None:
        """Gives the labels another order."""
        before = self._labels(task)
        self._samples.reorder_labels(task, labels)

        def take_back(task: str) -> str:
            self._samples.reorder_labels(task, before)
            return "the labels are in the order from before"

        self._steps.append(Step(task, take_back))

    def rename_task(self, task: str, to: str) -> str:
        """Renames a task. Returns its new name."""
        name = changes.rename_task(self._models, self._samples, task, to)
        self._follow(task, name)

        def take_back(present: str) -> str:
            changes.rename_task(self._models, self._samples, present, task)
            self._follow(present, task)
            return f"the task is {task} again"

        self._steps.append(Step(name, take_back))
        return name

    def delete_task(self, task: str, what: What = What.ALL) -> Deleted:
        """Moves a task to the trash."""
        gone = changes.delete_task(self._models, self._samples, task, what)

        def take_back(_: str) -> str:
            if not self._is_in_trash(gone.name):
                return ""
            changes.restore(self._models, self._samples, gone.name)
            return f"brought back {task}"

        self._steps.append(Step(task, take_back))
        return gone

    def undo(self, task: str) -> Undone | None:
        """Takes back the task's last step; None if there is none."""
        for step in [step for step in reversed(self._steps) if step.task == task]:
            words = step.take_back(step.task)
            self._steps.remove(step)
            if words:
                return Undone(words, step.task)
        return None

    def _follow(self, task: str, to: str) -> None:
        """The steps of a renamed task are those of the task with its new name."""
        for step in self._steps:
            step.task = to if step.task == task else step.task

    def _bring_back_samples(self, entry: str, task: str) -> str:
        samples = self._samples.restore(entry) if self._is_in_trash(entry) else []
        return f"brought back {len(samples)} of {samples[0].label}" if samples else ""

    def _bring_back_label(self, label: str, done: LabelChange, task: str) -> str:
        if done.entry and not self._is_in_trash(done.entry):
            return ""
        if done.entry:
            self._samples.restore(done.entry)
        self._return_to_models(done)
        return f"brought back {label} with {done.samples}"

    def _is_in_trash(self, entry: str) -> bool:
        return any(found.name == entry for found in changes.trash(self._models, self._samples))

    def _rename_back(self, label: str, to: str, _: frozenset[str], done: LabelChange, task: str) -> str:
        if not self._return_to_models(done):
            changes.rename_label(self._models, self._samples, task, to, label)
        elif to in self._labels(task):
            self._samples.rename_label(task, to, label)
        return f"{to} is {label} again"

    def _split(self, label: str, to: str, moved: frozenset[str], done: LabelChange, task: str) -> str:
        """Takes back a merge: the samples that came from `label` return to it."""
        self._samples.add_labels(task, [label])
        self._samples.relabel(self._with_ids(task, moved), label)
        self._return_to_models(done)
        return f"{label} and {to} are two labels again"

    def _move_back(self, label: str, ids: frozenset[str], task: str) -> str:
        samples = self._with_ids(task, ids)
        if samples:
            self._samples.relabel(samples, label)
        return f"moved {len(samples)} back to {label}" if samples else ""

    def _return_to_models(self, done: LabelChange) -> bool:
        """The models from before a change of a label, unless they have changed since."""
        return done.model is not None and self._models.undo_rewrite(done.model)

    def _with_ids(self, task: str, ids: Collection[str]) -> list[Sample]:
        return [sample for sample in self._read(task) if sample.id in ids] if ids else []

    def _read(self, task: str) -> list[Sample]:
        return self._samples.read(task) if task in self._samples.task_names() else []

    def _labels(self, task: str) -> tuple[str, ...]:
        return self._samples.task(task).labels if task in self._samples.task_names() else ()


def _ids(samples: Iterable[Sample]) -> frozenset[str]:
    return frozenset(sample.id for sample in samples)
