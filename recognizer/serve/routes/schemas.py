"""The JSON schemas of requests and responses, as in the OpenAPI document."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from recognizer.errors import SamplesError
from recognizer.samples.sample import LABEL_LIMIT, LABELS_LIMIT, checked_name, clean_label
from recognizer.serve.workers.jobs import Job
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.system.names import NAME_LIMIT
from recognizer.teaching.changes import Deleted

DELETE_LIMIT = 1000  # samples that one request deletes


def _label(word: str) -> str:
    """The label in its stored form. Raises ValueError if it cannot be one."""
    try:
        return clean_label(word)
    except SamplesError as error:
        raise ValueError(str(error)) from error


def _task_name(word: str) -> str:
    try:
        return checked_name("task", word)
    except SamplesError as error:
        raise ValueError(str(error)) from error


Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LABEL_LIMIT),
    AfterValidator(_label),
    Field(description="a word in any script", examples=["ok"]),
]
TaskName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LIMIT),
    AfterValidator(_task_name),
    Field(description="a name that GET /v1/tasks lists", examples=["digits"]),
]
SessionName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LIMIT, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$"),
    Field(
        description="groups samples that were recorded together; the last session of each label is held out for validation"
    ),
]
SampleId = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Box = Annotated[
    list[int], Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels, the last two exclusive")
]
Fraction = Annotated[float, Field(ge=0, le=1)]


class RequestBody(BaseModel):
    """Base of request bodies. Unknown fields are an error."""

    model_config = ConfigDict(extra="forbid")


class RegionInfo(BaseModel):
    """A detected region of the picture."""

    label: str | None = Field(description="null if rejected: background, or not sure enough")
    confidence: Fraction = Field(description="probability of the most probable label")
    top: list[tuple[str, Fraction]] = Field(description="up to three labels with their probabilities, highest first")
    box: Box
    turn: Literal["upside down", "mirrored"] | None = Field(
        None, description="orientation of the writing; null: upright"
    )
    hand: Literal["left", "right", "both"] | None = Field(None, description="the hand or hands that make the sign")
    moves: bool = Field(False, description="whether the label is that of a movement, which has just ended")
    joints: list[tuple[float, float]] | None = Field(None, description="21 joints of a hand, x and y in pixels")
    image: str | None = Field(None, description="the input of the model, a PNG as data: URL")


class PredictResponse(BaseModel):
    """The regions of a picture with their labels."""

    task: str
    model: str | None = Field(description="the version of the model; null if the task has no model yet")
    size: tuple[int, int] = Field(description="width and height of the picture in pixels")
    text: str = Field(description="the labels in reading order")
    regions: list[RegionInfo]
    stages_ms: dict[str, float] = Field(description="milliseconds of each stage")


def _known_subject(name: str) -> str:
    if name not in SUBJECTS:
        raise PydanticCustomError("subject", "Input should be {choices}", {"choices": " or ".join(map(repr, SUBJECTS))})
    return name


SubjectName = Annotated[str, AfterValidator(_known_subject), Field(json_schema_extra={"enum": [*SUBJECTS]})]


class SubjectInfo(BaseModel):
    """What a task can recognize."""

    name: SubjectName
    description: str = Field(description="what the camera shows", examples=["a hand"])
    drawable: bool = Field(description="whether a drawing can replace the camera's picture")
    mirrored: bool = Field(description="whether a camera's picture of it is shown as in a mirror")


class NewTaskRequest(RequestBody):
    """A new task."""

    name: TaskName
    region: SubjectName = Field(description="the subject that is held to the camera")
    labels: list[Label] = Field(min_length=1, max_length=LABELS_LIMIT)
    sides: bool = Field(False, description="whether the left and the right hand mean different things")


class AddLabelsRequest(RequestBody):
    labels: list[Label] = Field(min_length=1, max_length=LABELS_LIMIT)


class ChangeTaskRequest(RequestBody):
    """Another name, another order of the labels, or both."""

    name: TaskName | None = None
    labels: list[Label] | None = Field(None, max_length=LABELS_LIMIT, description="all labels, in their new order")


class MergeRequest(RequestBody):
    into: TaskName


class RenameLabelRequest(RequestBody):
    label: Label = Field(description="its new name; if that is a label of the task, the two are merged")


class DeleteRequest(RequestBody):
    ids: list[SampleId] = Field(min_length=1, max_length=DELETE_LIMIT)


class TrashEntryName(BaseModel):
    entry: str = Field(description="what POST /v1/trash/{entry}/restore takes")


class TrashEntryInfo(TrashEntryName):
    """Something that was deleted, and is kept until the trash is emptied."""

    time: str = Field(description="ISO 8601, UTC; empty if only models were deleted")
    kind: Literal["samples", "label", "task", "model"]
    task: str
    label: str = Field(description="the deleted label; empty if it is none")
    labels: list[str] = Field(description="labels of its samples")
    samples: int
    versions: int = Field(description="number of model versions")

    @classmethod
    def of(cls, deleted: Deleted) -> "TrashEntryInfo":
        return cls(
            entry=deleted.name,
            time=deleted.time,
            kind=deleted.kind,  # type: ignore[arg-type]
            task=deleted.task,
            label=deleted.label,
            labels=list(deleted.labels),
            samples=deleted.samples,
            versions=deleted.versions,
        )


class LabelChangeInfo(BaseModel):
    samples: int = Field(description="how many samples have changed")
    must_retrain: bool = Field(description="whether the model knows of the change only after a training")
    entry: str | None = Field(description="what was deleted, in the trash; null if nothing was")


class TaskInfo(BaseModel):
    """A task: labels, number of samples and current model."""

    name: str
    own: bool = Field(description="whether the user made it: a shipped task keeps its name and its model")
    region: str
    labels: list[str]
    samples: dict[str, int] = Field(description="number of samples of each label")
    enough: dict[str, int] = Field(
        description="number of samples of each label that are enough to learn it and to check that"
    )
    missing: str = Field(
        description="which samples are missing before training; empty if none", examples=["ok needs 2 more"]
    )
    model: str | None = Field(description="the current version; null if there is none")
    can_go_back: bool = Field(description="whether there is a previous version to return to")


class VersionInfo(BaseModel):
    version: str
    current: bool
    card: dict[str, Any] | None = Field(description="labels, data, thresholds, metrics; null if it cannot be read")


class ModelInfo(BaseModel):
    """All model versions of a task, newest first."""

    task: str
    current: str
    versions: list[VersionInfo]


class VersionName(BaseModel):
    task: str
    version: str


class LoadedProjectInfo(BaseModel):
    """What was loaded from a project."""

    task: str
    added: int = Field(description="number of samples that were added to the task")
    there_already: int = Field(description="number of samples that the task had already")
    refused: list[str] = Field(description="why a sample was left out, one message each")
    model: str | None = Field(description="the task's current version; null if the project holds no model")
    is_new_model: bool = Field(description="false if the task had this model already")
    accuracy: Fraction | None = Field(
        description="share of held-out samples that the model recognized when it was trained; null if there were none"
    )


class SampleInfo(BaseModel):
    id: str
    task: str
    label: str
    session: str
    time: str
    source: str
    box: Box
    hand: Literal["left", "right"] | None = Field(None, description="of a movement: its main hand")
    moving_s: float | None = Field(None, description="seconds that the movement lasts; null: the sign is still")
    picture: str = Field(description="URL of the picture; of a movement, a strip of its frames")


class AddedSampleInfo(SampleInfo):
    blurred: bool = Field(description="the picture is blurred")
    seen_before: bool = Field(description="similar to one of the last thirty samples of the session")


class SamplePage(BaseModel):
    total: int = Field(description="number of all samples; `samples` is one page of them")
    samples: list[SampleInfo]


class RelabelRequest(RequestBody):
    label: Label


class SamplePrediction(BaseModel):
    id: str
    label: str
    read_as: str | None
    confidence: Fraction
    readable: bool = Field(True, description="false if the sample's picture is missing or damaged")


class Confusion(BaseModel):
    """Confusion matrix of the current model on the samples. One row per label, one column per predicted label; the last
    column is "rejected".
    """

    task: str
    model: str | None
    labels: list[str]
    counts: list[list[int]] = Field(
        description="counts[i][j]: samples of labels[i] predicted as labels[j]; the last column: rejected"
    )
    samples: list[SamplePrediction]
    left_out: int = Field(description="older samples that were not evaluated")


class LearnRequest(RequestBody):
    task: TaskName


class JobInfo(BaseModel):
    """A training job."""

    id: str
    task: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    started: str
    stage: str = ""
    progress: Fraction = 0.0
    left_s: float | None = Field(None, description="seconds")
    error: str | None = Field(None, description="why it failed")
    result: dict[str, Any] | None = Field(
        None, description="published version, or null and why; metrics before and after; per_label; confused"
    )

    @classmethod
    def of(cls, job: Job) -> "JobInfo":
        report = job.report
        result = {key: value for key, value in report.items() if key != "ended"} if "published" in report else None
        return cls(
            id=job.id,
            task=job.task,
            state=job.state,  # type: ignore[arg-type]
            started=job.started,
            stage=str(report.get("stage", "")),
            progress=min(1.0, max(0.0, float(report.get("progress", 1.0 if result else 0.0)))),
            left_s=report.get("left_s"),
            error=report.get("error") if job.state == "failed" else None,
            result=result,
        )


class Health(BaseModel):
    status: Literal["ok"] = "ok"
