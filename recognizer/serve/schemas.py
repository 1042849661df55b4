"""What goes in and out as JSON, as the OpenAPI document shows it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from recognizer.samples.sample import LABEL_LIMIT, NAME_LIMIT
from recognizer.serve.jobs import Job
from recognizer.subjects.catalogue import SUBJECTS

LABELS_LIMIT = 200  # of one task


def _no_path(word: str) -> str:
    """A word that is no path, and of which each character is seen."""
    if "/" in word or "\\" in word or not word.strip(". "):
        raise ValueError("A label or name is a word, not a path")
    if any(ord(character) < 32 or ord(character) == 127 for character in word):
        raise ValueError("A label or name holds no control characters")
    return word


Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LABEL_LIMIT),
    AfterValidator(_no_path),
    Field(description="a word in any script, and no path", examples=["ok"]),
]
TaskName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LIMIT),
    AfterValidator(_no_path),
    Field(description="one that GET /v1/tasks lists", examples=["digits"]),
]
SessionName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_LIMIT, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$"),
    Field(description="what was recorded in one go; the last session of each label is held out to test on"),
]
SampleId = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Box = Annotated[
    list[int], Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels, the last two exclusive")
]
Fraction = Annotated[float, Field(ge=0, le=1)]


class RequestBody(BaseModel):
    """What a client sends: nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


class RegionInfo(BaseModel):
    """A place in the picture where something was found."""

    label: str | None = Field(description="null for something that is not known")
    confidence: Fraction = Field(description="of the likeliest label")
    top: list[tuple[str, Fraction]] = Field(description="up to three labels, likeliest first")
    box: Box
    turn: Literal["upside down", "mirrored"] | None = Field(None, description="how the writing is held; null: upright")
    hand: Literal["left", "right"] | None = None
    joints: list[tuple[float, float]] | None = Field(None, description="21 joints of a hand, x and y in pixels")
    image: str | None = Field(None, description="what the network saw, a PNG as data: URL")


class PredictResponse(BaseModel):
    """What a picture shows."""

    task: str
    model: str | None = Field(description="the version that read it; null while the task has none")
    size: tuple[int, int] = Field(description="width and height of the picture in pixels")
    text: str = Field(description="the known labels in reading order")
    regions: list[RegionInfo]
    stages_ms: dict[str, float] = Field(description="milliseconds of each stage")


def _known_subject(name: str) -> str:
    if name not in SUBJECTS:
        raise PydanticCustomError("subject", "Input should be {choices}", {"choices": " or ".join(map(repr, SUBJECTS))})
    return name


SubjectName = Annotated[str, AfterValidator(_known_subject), Field(json_schema_extra={"enum": [*SUBJECTS]})]


class NewTaskRequest(RequestBody):
    """A task of one's own."""

    name: TaskName
    region: SubjectName = Field(description="what the camera is shown")
    labels: list[Label] = Field(min_length=1, max_length=LABELS_LIMIT)


class AddLabelsRequest(RequestBody):
    labels: list[Label] = Field(min_length=1, max_length=LABELS_LIMIT)


class TaskInfo(BaseModel):
    """What is told apart, and what there is of it."""

    name: str
    region: str
    labels: list[str]
    samples: dict[str, int] = Field(description="how many there are of each label")
    model: str | None = Field(description="the version that runs; null while there is none")


class VersionInfo(BaseModel):
    version: str
    current: bool
    card: dict[str, Any] | None = Field(description="labels, data, thresholds, metrics; null where it cannot be read")


class ModelInfo(BaseModel):
    """A task's model with all its versions, the newest first."""

    task: str
    current: str
    versions: list[VersionInfo]


class VersionName(BaseModel):
    task: str
    version: str


class SampleInfo(BaseModel):
    id: str
    task: str
    label: str
    session: str
    time: str
    source: str
    box: Box
    hand: Literal["left", "right"] | None = None
    picture: str = Field(description="address of the picture")


class AddedSampleInfo(SampleInfo):
    blurred: bool = Field(description="hardly worth keeping")
    seen_before: bool = Field(description="much the same as one of the session's last thirty")


class SamplePage(BaseModel):
    total: int = Field(description="how many there are, of which these are a part")
    samples: list[SampleInfo]


class RelabelRequest(RequestBody):
    label: Label


class SamplePrediction(BaseModel):
    id: str
    label: str
    read_as: str | None
    confidence: Fraction


class Confusion(BaseModel):
    """How the current model reads the samples: a row for each label, a column for each reading, the last for none."""

    task: str
    model: str | None
    labels: list[str]
    counts: list[list[int]] = Field(description="counts[i][j]: samples of labels[i] read as labels[j], or not at all")
    samples: list[SamplePrediction]
    left_out: int = Field(description="older samples that were not read")


class LearnRequest(RequestBody):
    task: TaskName


class JobInfo(BaseModel):
    """A training."""

    id: str
    task: str
    state: Literal["running", "done", "failed", "cancelled"]
    started: str
    stage: str = ""
    progress: Fraction = 0.0
    left_s: float | None = Field(None, description="seconds")
    error: str | None = Field(None, description="why it failed")
    result: dict[str, Any] | None = Field(
        None, description="published version or null and why, before and after, per_label, confused"
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
