"""The live loop: reads frames from a source and writes one observation for each to all sinks."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice

from recognizer.actions.runner import ActionRunner
from recognizer.actions.task_actions import TaskActions
from recognizer.errors import SettingsError
from recognizer.event_detection.event_log import open_event_log
from recognizer.event_detection.event_sink import EventSink
from recognizer.hot_swap import LivePipeline
from recognizer.overlay.drawing import combined
from recognizer.overlay.overlay import Overlay
from recognizer.preprocess.turns import Unmirror
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.settings import HEADLESS_FRAMES, Settings
from recognizer.sinks.contact_sheet import ContactSheet
from recognizer.sinks.csv_log import CsvLog
from recognizer.sinks.sink import Sink, open_sinks
from recognizer.sinks.video import VideoWriter
from recognizer.sources.opening import default_source, open_source
from recognizer.sources.source import Source
from recognizer.studio.scenes import STUDIO_SCENES
from recognizer.subjects.subject import Subject
from recognizer.system.ctrl_c import CtrlC
from recognizer.teaching.teacher import Teacher
from recognizer.values import Observation
from recognizer.window.answering import while_answering
from recognizer.window.caption import Caption
from recognizer.window.fired_panel import FiredPanel
from recognizer.window.game import TASK, GameSink, RockPaperScissors
from recognizer.window.maps_panel import MapsPanel
from recognizer.window.score_board import ScoreBoard
from recognizer.window.spelling import open_practice, open_spelling
from recognizer.window.teach_panel import TeachPanel
from recognizer.window.window import Window, has_screen

TAB = "\t"
VIDEO_NAME, SHEET_NAME, CSV_NAME = "annotated.mp4", "contact-sheet.png", "predictions.csv"


def live(settings: Settings, models: ModelStore, samples: Samples) -> int:
    """Runs the program until the source ends or the user quits. Returns the exit code."""
    unmirror = Unmirror(settings.unmirror)
    with (
        CtrlC() as ctrl_c,
        LivePipeline(settings.task, models, samples) as pipeline,
        _opened_events(settings, models, samples) as (events, runner),
    ):
        chosen_source = _chosen_source(settings)
        spec = f"studio:{studio_scene(pipeline)}" if chosen_source == "studio" else chosen_source
        headless = _is_headless(settings)
        with (
            _saying_what_was_written(settings, headless),
            open_source(spec, size_wh=settings.size_wh, fps=settings.fps, paced=not headless) as source,
        ):
            if chosen_source == "studio":
                pipeline.on_task = lambda task: source.show(studio_scene(pipeline))
            is_studio = spec.startswith("studio")
            overlay = Overlay(show_details=False)
            limit = settings.max_frames or (HEADLESS_FRAMES if headless and (source.live or is_studio) else None)
            sees_user = source.live and not is_studio
            caption = Caption(overlay, pipeline, lambda subject: _is_mirrored(settings, subject, sees_user))
            overlay.extra = FiredPanel(runner)
            sinks, window = _sinks(
                settings, pipeline, models, samples, overlay, source, headless, unmirror, events, runner
            )
            observations: Iterator[Observation] = (
                pipeline.step(unmirror(frame)) for frame in islice(ctrl_c.frames(source), limit)
            )
            if window is not None:
                observations = while_answering(observations, window.collect, source.stop)
            with open_sinks([caption, events, *sinks]) as opened:
                for observation in observations:
                    for sink in opened:
                        sink.write(observation)
    return 0


@contextmanager
def _saying_what_was_written(settings: Settings, headless: bool) -> Iterator[None]:
    """Prints at the end of a headless run which files it has written, also after Ctrl-C."""
    paths = [settings.output / name for name in (VIDEO_NAME, SHEET_NAME, CSV_NAME)] if headless else []
    before = {path: path.stat().st_mtime_ns for path in paths if path.exists()}

    def written() -> list[str]:
        return [f"Wrote {path}" for path in paths if path.exists() and path.stat().st_mtime_ns != before.get(path)]

    try:
        yield
    except KeyboardInterrupt:
        if headless:
            kept = written()
            print(
                "\n".join(["Stopped. The frames until then are kept.", *kept] if kept else ["Stopped before a frame."])
            )
        raise
    for line in written():
        print(line)


@contextmanager
def _opened_events(
    settings: Settings, models: ModelStore, samples: Samples
) -> Iterator[tuple[EventSink, ActionRunner]]:
    """The sink of events, with what listens to it: the log, if there is one, and the actions. Raises RecognizerError."""
    with ExitStack() as stack:
        logs = [] if settings.events is None else [stack.enter_context(open_event_log(settings.events))]
        actions = TaskActions(models, samples, settings.actions)
        actions.ask(settings.task)
        runner = stack.enter_context(ActionRunner(actions.rules, dry_run=settings.dry_run))
        yield EventSink(*logs, runner, on_task=runner.use_task), runner


def _chosen_source(settings: Settings) -> str:
    """The source in the settings. "auto" means the first camera, or the synthetic camera ("studio") if there is none."""
    if settings.source != "auto":
        return settings.source
    spec, line = default_source()
    if line:
        print(line)
    return spec


def _is_headless(settings: Settings) -> bool:
    """Whether to run without a window. Raises SettingsError if an option needs one."""
    headless = settings.headless or not has_screen()
    for option, is_given in (("--play", settings.play), ("--spell", settings.spell), ("--practice", settings.practice)):
        if is_given and headless:
            raise SettingsError(
                f"{option} needs a window, and there is none. Leave --headless out and run it on a machine with a screen."
            )
    if headless and not settings.headless:
        print("No screen found: running without a window.")
    return headless


def _is_mirrored(settings: Settings, subject: Subject, sees_user: bool) -> bool:
    """Whether to show the picture as in a mirror: by default that of a camera, unless it shows writing."""
    return sees_user and subject.is_mirrored if settings.mirror is None else settings.mirror


def studio_scene(pipeline: LivePipeline) -> str:
    """The name of the studio scene that suits the current task."""
    return STUDIO_SCENES.get(pipeline.task) or pipeline.subject.studio_scene


def _sinks(
    settings: Settings,
    pipeline: LivePipeline,
    models: ModelStore,
    samples: Samples,
    overlay: Overlay,
    source: Source,
    headless: bool,
    unmirror: Unmirror,
    events: EventSink,
    runner: ActionRunner,
) -> tuple[Sequence[Sink], Window | None]:
    """The sinks of this run, and which of them is the window: files if headless, else the window with all its keys."""
    if headless:
        return _file_sinks(settings, overlay, source), None
    teacher = Teacher(pipeline, models, samples)
    return _window_sinks(settings, pipeline, samples, teacher, overlay, source, unmirror, events, runner)


def _file_sinks(settings: Settings, overlay: Overlay, source: Source) -> Sequence[Sink]:
    """The video, contact sheet and CSV file of a headless run."""
    return [
        VideoWriter(settings.output / VIDEO_NAME, overlay, fps=source.fps or settings.fps),
        ContactSheet(settings.output / SHEET_NAME, overlay),
        CsvLog(settings.output / CSV_NAME),
    ]


def _window_sinks(
    settings: Settings,
    pipeline: LivePipeline,
    samples: Samples,
    teacher: Teacher,
    overlay: Overlay,
    source: Source,
    unmirror: Unmirror,
    events: EventSink,
    runner: ActionRunner,
) -> tuple[Sequence[Sink], Window]:
    """The window in which the user switches tasks, records samples, trains models and plays."""
    maps, panel, game = MapsPanel(pipeline, overlay), TeachPanel(teacher), RockPaperScissors()
    board = ScoreBoard(game, can_play=lambda: pipeline.task == TASK, is_playing=settings.play)
    practice = open_practice(settings, pipeline, samples, lambda: overlay.mirror)
    strips = (panel, board, practice)
    spelling = open_spelling(
        settings, pipeline, events.emit, practice.open, lambda: any(strip.is_open for strip in strips)
    )
    overlay.extra = combined(panel, board, spelling, FiredPanel(runner), maps)
    toggles = {
        TAB: pipeline.next_task,
        "f": maps.toggle,
        "x": unmirror.toggle,
        "g": board.toggle,
        "w": spelling.toggle,
    }
    play, pause = (("g", "play"),), (("a", "pause actions"),)
    window = Window(
        overlay,
        source.stop,
        screenshot_dir=settings.output,
        actions={**toggles, "a": runner.toggle_pause, **teacher.actions},
        keys=lambda key: teacher.key(key) or board.key(key) or practice.key(key) or spelling.key(key),
        key_line=lambda: (
            spelling.key_line
            or (
                *teacher.keys,
                *(play if pipeline.task == TASK else ()),
                *(pause if runner.has_actions else ()),
            )
        ),
        strips=strips,
        unsaved=lambda: teacher.unsaved,
        typing=lambda: teacher.is_typing,
    )
    runner.is_teaching = lambda: panel.is_open
    teacher.notify = pipeline.notify = spelling.notify = practice.notify = runner.notify = window.notify
    return [teacher, maps, GameSink(game), practice, spelling, window], window
