"""Draws the list of a task, its labels and the trash: the chosen row, the name that is typed, and what a click does."""

from collections.abc import Callable
from functools import partial

from recognizer.overlay.drawing import ALERT, BOLD, KNOWN, MUTED, PAPER, draw_text, shortened, text_width
from recognizer.teaching.editor import Editor, RowKind
from recognizer.values import Box
from recognizer.window.chips import around_cursor, chip_rows, draw_chips
from recognizer.window.strip import Page

MERGES = 6  # other labels that each get words to click
HEADINGS = {RowKind.TASK: "task", RowKind.LABEL: "labels", RowKind.DELETED: "trash"}


def draw_editor(page: Page, editor: Editor, act: Callable[[Callable[[], None]], object]) -> None:
    """Draws the list. `act` does what a click asks for, and shows what went wrong."""
    scale = page.scale
    if editor.question is not None:
        page.text(editor.question.words, scale.text, ALERT, BOLD)
        page.gap()
        yes, no = partial(act, partial(editor.answer, True)), partial(act, partial(editor.answer, False))
        draw_chips(page, [("yes", yes), ("no", no)])
        return
    if editor.field is not None:
        page.text("What is it called?", scale.small, PAPER)
        page.text(around_cursor(editor.field.before, editor.field.after, page), scale.text, KNOWN, BOLD)
        return
    chips: list[tuple[str, Callable[[], object]]] = [
        (words, partial(act, action)) for words, action in _actions(editor)
    ]
    below = chip_rows(page, [words for words, _ in chips]) * round(1.9 * scale.small) + scale.pad
    _draw_rows(page, editor, page.bottom - below)
    draw_chips(page, chips)


def _draw_rows(page: Page, editor: Editor, bottom: int) -> None:
    """Draws as many rows around the chosen one as there is room for above `bottom`."""
    scale, row_height = page.scale, round(1.5 * page.scale.small)
    shown = max(1, (bottom - page.y) // row_height - len(HEADINGS))
    first = min(max(0, editor.index - shown // 2), max(0, len(editor.rows) - shown))
    heading = None
    for number, row in enumerate(editor.rows[first : first + shown], start=first):
        if row.kind in HEADINGS and row.kind is not heading:
            heading = row.kind
            draw_text(page.picture, HEADINGS[row.kind], page.left, page.y + row_height // 2, scale.small, MUTED)
            page.y += row_height
        is_chosen = number == editor.index
        color, count = KNOWN if is_chosen else PAPER, str(row.count)
        y, right = page.y + row_height // 2, page.left + page.width
        width = text_width(count, scale.small)
        words = shortened(f"{'>' if is_chosen else ' '} {row.words}", page.width - width - scale.pad, scale.small)
        draw_text(page.picture, words, page.left, y, scale.small, color)
        draw_text(page.picture, count, right - width, y, scale.small, color)
        page.on_click(Box(page.left, page.y, right, page.y + row_height), partial(editor.choose, number))
        page.y += row_height
    page.y += scale.pad // 2


def _actions(editor: Editor) -> list[tuple[str, Callable[[], None]]]:
    """What can be done with the chosen row."""
    row = editor.chosen
    if row.kind is RowKind.TRASH:
        return [("empty the trash", editor.change)]
    if row.kind is RowKind.DELETED:
        return [("bring back", editor.change), ("delete for good", editor.delete)]
    if row.is_fixed:
        return [("× delete your samples", editor.delete)] if row.kind is RowKind.TASK else []
    found = [("rename", editor.change), ("× delete", editor.delete)]
    if row.kind is RowKind.LABEL:
        found += [("up", partial(editor.move, -1)), ("down", partial(editor.move, 1))]
        others = [label for label in editor.labels if label != row.name]
        if len(others) <= MERGES:  # else there is no room: typing the name of the other label merges, too
            found += [(f"merge into {label}", partial(editor.ask_to_merge, row.name, label)) for label in others]
    return found
