import cv2
import numpy as np
import pytest

from recognizer.overlay import drawing
from recognizer.overlay import labels as overlay_labels
from recognizer.overlay import overlay as overlay_overlay
from recognizer.overlay.drawing import KNOWN
from recognizer.overlay.overlay import Overlay
from recognizer.values import Box, Frame, Hand, Observation, Prediction, Region

GREY = 120


def observation(
    boxes: list[tuple[int, int, int, int]] = (),
    labels: list[str | None] = (),
    size_wh: tuple[int, int] = (640, 480),
    text: str = "",
    notice: str | None = None,
    stages_ms: dict[str, float] | None = None,
    image: np.ndarray | None = None,
) -> Observation:
    frame_bgr = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    regions = tuple(Region(Box(*box), np.zeros((4, 4), np.uint8)) for box in boxes)
    predictions = tuple(
        Prediction(label, 0.9, ((label or "3", 0.9), ("8", 0.08), ("5", 0.01)), image_28() if image is None else image)
        for label in labels
    )
    return Observation(
        Frame(frame_bgr, 0, 0.0, "drawn", notice=notice), "digits", regions, predictions, text, stages_ms or {}
    )


def image_28() -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    return image


def changed(picture: np.ndarray) -> np.ndarray:
    """Mask (H, W) bool of the drawn pixels."""
    return (picture != GREY).any(axis=2)


def green(picture: np.ndarray) -> np.ndarray:
    return (picture == KNOWN).all(axis=2)


def words_drawn(monkeypatch: pytest.MonkeyPatch, overlay: Overlay, seen: Observation) -> list[str]:
    """All texts in the picture, in the order in which they are drawn."""
    words = []
    draw_text = drawing.draw_text

    def record(picture, text, *rest):
        words.append(text)
        draw_text(picture, text, *rest)

    for module in (overlay_labels, overlay_overlay):
        monkeypatch.setattr(module, "draw_text", record)
    overlay.draw(seen)
    return words


def test_drawing_does_not_change_the_frame():
    seen = observation([(200, 150, 300, 300)], ["7"], text="7", notice="camera lost, reconnecting")
    for mirror in (False, True):
        picture = Overlay(mirror=mirror, help_line="q quit").draw(seen)
        assert picture.shape == seen.frame.image_bgr.shape
        assert picture.dtype == np.uint8
        assert not np.shares_memory(picture, seen.frame.image_bgr)
    assert (seen.frame.image_bgr == GREY).all()


def test_an_empty_observation_draws_nothing():
    assert not changed(Overlay().draw(observation())).any()


def test_a_labelled_region_shows_label_confidence_bars_and_the_number(monkeypatch):
    words = words_drawn(monkeypatch, Overlay(), observation([(200, 150, 300, 300)], ["7"], text="7"))
    assert words.count("7") == 3  # the number read, the label, the first bar
    assert words.count("90%") == 2
    assert {"8", "8%", "5", "1%"} <= set(words)


def test_the_bars_stand_in_one_place_and_cover_no_digit(monkeypatch):
    def bars(*boxes: tuple[int, int, int, int]) -> np.ndarray:
        seen = observation(boxes, ["7"] * len(boxes))
        picture = changed(Overlay(show_details=False).draw(seen))
        for x1, y1, x2, y2 in boxes:
            picture[max(0, y1 - 40) : y2 + 40, max(0, x1 - 40) : x2 + 40] = False  # the digit and its label
        return picture

    place = bars((100, 150, 200, 300))
    assert place.any()
    assert (bars((250, 200, 320, 400)) == place).all()
    assert (bars((30, 200, 130, 400), (250, 200, 320, 400)) == place).all()
    y, x = np.argwhere(place)[0]
    assert not bars((int(x) - 60, int(y) - 20, int(x) + 60, int(y) + 80)).any()


def unsure(score: float | None, hand: Hand | None = None) -> Observation:
    """A frame with one rejected region."""
    seen = observation([(200, 150, 300, 300)], [None])
    region = Region(seen.regions[0].box, seen.regions[0].crop, hand=hand, score=score)
    return Observation(seen.frame, "digits", (region,), seen.predictions)


def test_what_is_probably_nothing_has_no_box_and_the_scene_a_hint(monkeypatch):
    overlay = Overlay(show_details=False, clock=lambda: 0.0)
    overlay.title, overlay.prompt = "Digits", "hold up a sheet"
    expected = ["Digits · hold up a sheet", "Hold up a sheet"]
    for seen in (observation(), unsure(None), unsure(0.3)):
        assert words_drawn(monkeypatch, overlay, seen) == expected
        assert not changed(overlay.draw(seen))[150, 200:300].any()
    hand = Hand(np.full((21, 3), 220, np.float32), "right", 0.9)
    for seen in (unsure(0.9), unsure(None, hand)):
        assert words_drawn(monkeypatch, overlay, seen) == expected[:1]
        assert changed(overlay.draw(seen))[150, 200:300].all()
    overlay.show_details = True
    assert changed(overlay.draw(unsure(0.3)))[150, 200:300].all()


def test_a_picture_of_another_size_has_the_same_content_and_readable_text(monkeypatch):
    seen = hand_seen(["rock"], (1280, 720), guide=Box(100, 100, 300, 300))
    for size_wh in ((640, 360), (3840, 2160), (300, 500)):
        picture = Overlay(mirror=True, help_line="q quit").draw(seen, size_wh)
        assert picture.shape == (size_wh[1], size_wh[0], 3)
        across, down = size_wh[0] / 1280, size_wh[1] / 720
        x, y = seen.regions[0].hand.landmarks[3, :2]
        x, y = round(size_wh[0] - 1 - across * x), round(down * y)
        assert green(picture)[y - 3 : y + 4, x - 3 : x + 4].any()
    assert (seen.frame.image_bgr == GREY).all()


def test_a_rejected_region_is_a_grey_box_without_label(monkeypatch):
    seen = observation([(200, 150, 300, 300)], [None])
    picture = Overlay().draw(seen)
    assert changed(picture)[150, 200:300].all()
    assert not green(picture).any()
    assert words_drawn(monkeypatch, Overlay(), seen) == ["network input"]


def test_the_inset_shows_the_network_input():
    picture = Overlay().draw(observation([(200, 150, 300, 300)], ["1"]))
    enlarged = cv2.resize(image_28(), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    found = cv2.matchTemplate(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), enlarged, cv2.TM_SQDIFF)
    assert found.min() < 100  # of 3 million pixels squared: the matching rounds


def test_the_inset_shows_a_colour_crop():
    crop_bgr = np.full((200, 150, 3), (10, 20, 240), np.uint8)
    picture = Overlay().draw(observation([(200, 150, 300, 300)], ["rock"], image=crop_bgr))
    assert (picture == (10, 20, 240)).all(axis=2).sum() > 5000


def test_mirroring_flips_the_picture_and_the_boxes_but_no_text(monkeypatch):
    seen = observation([(100, 150, 180, 300)], ["7"], text="7")
    seen.frame.image_bgr[:, :10] = 0
    picture = Overlay(mirror=True).draw(seen)
    assert (picture[250:260, -10:] == 0).all()
    assert green(picture)[200:250, 458:464].any()
    assert not green(picture)[200:250, 98:104].any()
    plain = Overlay().draw(observation(text="42"))
    mirrored = Overlay(mirror=True).draw(observation(text="42"))
    assert (plain == mirrored).all()


def test_stage_times_are_shown_only_if_switched_on(monkeypatch):
    seen = observation(stages_ms={"find": 2.0, "classify": 1.04})
    assert words_drawn(monkeypatch, Overlay(), seen) == []
    words = words_drawn(monkeypatch, Overlay(show_stages=True), seen)
    assert words == ["find", "2.0 ms", "classify", "1.0 ms", "all stages", "3.0 ms"]


def test_the_frame_rate_counts_each_observation_once():
    now_s = 0.0
    overlay = Overlay(clock=lambda: now_s)
    overlay.draw(observation())
    assert overlay.fps is None
    for _ in range(100):
        now_s += 0.05
        seen = observation()
        overlay.draw(seen)
        overlay.draw(seen)
    assert overlay.fps == pytest.approx(20)
    now_s += 60
    overlay.draw(observation())
    assert overlay.fps == pytest.approx(20)


def test_both_notices_are_shown(monkeypatch):
    overlay = Overlay()
    overlay.notice = "saved it"
    words = words_drawn(monkeypatch, overlay, observation(notice="camera lost, reconnecting"))
    assert words == ["camera lost, reconnecting", "saved it"]


def test_the_help_line_leaves_out_what_does_not_fit(monkeypatch):
    overlay = Overlay(help_line="q quit · p timings · m mirror · Space freeze · ? all keys")
    assert "Space" in words_drawn(monkeypatch, overlay, observation(size_wh=(640, 480)))
    narrow = words_drawn(monkeypatch, overlay, observation(size_wh=(200, 300)))
    assert {"q", "?"} <= set(narrow)
    assert "Space" not in narrow


def test_only_one_of_many_digits_has_bars(monkeypatch):
    boxes = [(40 + 110 * i, 200, 100 + 110 * i, 300) for i in range(5)]
    words = words_drawn(monkeypatch, Overlay(), observation(boxes, list("12347"), text="12347"))
    assert words.count("8%") == 1
    assert words.count("90%") == 6  # five labels and the first bar


def test_labels_side_by_side_do_not_cover_each_other():
    scale = drawing.Scale.of(640, 480)
    boxes = [Box(40 + 30 * i, 200, 66 + 30 * i, 240) for i in range(18)]
    wanted = [(box, (28, 20)) for box in boxes]
    places = overlay_labels.place_tags(wanted, boxes, [], scale)
    assert places is not None
    for i, place in enumerate(places):
        assert drawing.fits_frame(place, scale)
        assert not drawing.overlaps_any(place, places[:i])
    assert overlay_labels.place_tags([(box, (90, 20)) for box in boxes], boxes, [], scale) is None


def test_a_digit_in_a_corner_is_not_covered_by_the_inset():
    box = (480, 300, 620, 460)
    picture = Overlay().draw(observation([box], ["4"]))
    assert not changed(picture)[320:440, 500:600].any()


def test_a_small_picture_has_no_inset_that_would_cover_the_digit(monkeypatch):
    words = words_drawn(monkeypatch, Overlay(), observation([(60, 20, 260, 230)], ["8"], size_wh=(320, 240)))
    assert "8" in words
    assert "network input" not in words


def test_a_digit_as_large_as_the_frame_keeps_its_label_inside(monkeypatch):
    words = words_drawn(monkeypatch, Overlay(), observation([(0, 0, 640, 480)], ["8"], text="8"))
    assert words.count("90%") == 1  # the bars would cover it


@pytest.mark.parametrize("label", ["石头", "привет", "thumbs up", "a label as long as a sentence that never ends", ""])
def test_labels_in_any_script_are_drawn(label):
    picture = Overlay().draw(observation([(200, 150, 300, 300)], [label], text=label))
    assert green(picture).any()


@pytest.mark.parametrize(
    "size_wh", [(1, 1), (3, 50), (28, 28), (60, 20), (100, 100), (160, 120), (320, 240), (480, 848), (2000, 60)]
)
def test_frames_of_any_size_are_drawn(size_wh):
    width, height = size_wh
    boxes = [(0, 0, width, height), (0, 0, 1, 1), (width // 3, height // 3, width // 3 + 8, height // 3 + 9)]
    boxes += [(-5, -5, width // 2, height + 9)]
    overlay = Overlay(show_stages=True, help_line="q quit · m mirror")
    for mirror in (False, True):
        overlay.mirror = mirror
        seen = observation(
            boxes, ["7", None, "a word", "3"], size_wh, "7 a word 3", "camera lost, reconnecting", {"find": 1.0}
        )
        assert overlay.draw(seen).shape == (height, width, 3)


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
def test_small_text_stays_readable_when_a_frame_fills_the_screen(size_wh):
    scale = drawing.Scale.of(*size_wh)
    assert scale.small >= 14
    assert scale.small / size_wh[1] >= 0.022
    assert scale.big > 2 * scale.small


def test_a_long_line_is_shortened_to_its_limit():
    line = "saved output/a-very-long-name-of-a-screenshot.png"
    short = drawing.shortened(line, 120, 16)
    assert short.endswith("…")
    assert line.startswith(short[:-1])
    assert drawing.text_width(short, 16) <= 120
    assert drawing.shortened("ok", 120, 16) == "ok"
    assert drawing.shortened("ok", 1, 16) == ""


def hand_seen(labels: list[str | None], size_wh: tuple[int, int] = (640, 480), guide: Box | None = None) -> Observation:
    """An observation of up to two hands, side by side, with joints that fan out from the wrist."""
    frame_bgr = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    regions, predictions = [], []
    side = size_wh[1] // 3
    for number, label in enumerate(labels):
        x1, y1 = round((0.2 + 0.4 * number) * size_wh[0]), round(0.3 * size_wh[1])
        joints = np.zeros((21, 3), np.float32)
        joints[:, 0] = x1 + side * (0.1 + 0.8 * np.linspace(0, 1, 21))
        joints[:, 1] = y1 + side * (0.9 - 0.8 * (np.arange(21) % 5) / 4)
        crop = np.full((side, side, 3), (20, 40, 200), np.uint8)
        regions.append(Region(Box(x1, y1, x1 + side, y1 + side), crop, hand=Hand(joints, "right", 0.9)))
        top = ((label or "rock", 0.9), ("scissors", 0.08), ("paper", 0.01))
        predictions.append(Prediction(label, 0.9, top, crop))
    text = " ".join(label for label in labels if label)
    return Observation(Frame(frame_bgr, 0, 0.0, "x"), "rps", tuple(regions), tuple(predictions), text, guide=guide)


def test_joints_are_drawn_in_mirrored_pictures_too():
    seen = hand_seen(["rock"])
    picture, mirror = Overlay().draw(seen), Overlay(mirror=True).draw(seen)
    for x, y in seen.regions[0].hand.landmarks[:, :2].round().astype(int):
        assert changed(picture)[y, x]
        assert changed(mirror)[y, 639 - x]
        assert green(picture)[y - 1 : y + 2, x - 1 : x + 2].any()


def test_a_rejected_hand_has_a_grey_skeleton():
    picture = Overlay().draw(hand_seen([None]))
    assert not green(picture).any()
    x, y = hand_seen([None]).regions[0].hand.landmarks[10, :2].round().astype(int)
    assert (picture[y, x] == drawing.UNKNOWN).all()


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
def test_two_hands_have_two_labels_that_fit(monkeypatch, size_wh):
    words = words_drawn(monkeypatch, Overlay(), hand_seen(["scissors", "paper"], size_wh))
    assert words.count("90%") >= 2
    assert {"scissors", "paper", "scissors paper"} <= set(words)
    assert "network input" not in words  # hands are read from their joints
    assert not any(word.endswith("…") for word in words)


def test_joints_far_outside_or_nan_do_not_fail():
    seen = hand_seen(["rock"])
    seen.regions[0].hand.landmarks[3] = (1e9, -1e9, 0)
    seen.regions[0].hand.landmarks[4] = np.nan
    assert Overlay(mirror=True).draw(seen).shape == (480, 640, 3)


def test_the_guide_box_is_dashed_and_has_a_caption(monkeypatch):
    seen = hand_seen([], guide=Box(100, 100, 300, 300))
    upper = changed(Overlay().draw(seen))[100, 100:300]
    assert upper[:4].all()
    assert upper[-4:].all()
    assert 0.3 < upper.mean() < 0.9
    mirrored = changed(Overlay(mirror=True).draw(seen))
    assert mirrored[100, 340:540].any()
    assert not mirrored[100:300, 100:330].any()
    assert words_drawn(monkeypatch, Overlay(), seen) == [overlay_overlay.GUIDE_CAPTION]


@pytest.mark.parametrize("guide", [Box(0, 0, 1, 1), Box(0, 0, 640, 480), Box(600, 440, 700, 600)])
def test_guide_boxes_of_any_size_are_drawn(guide):
    assert Overlay().draw(hand_seen([], guide=guide)).shape == (480, 640, 3)


def test_other_panels_avoid_extra_panels():
    place = Box(400, 300, 630, 470)

    def extra(picture, scale, boxes, panels):
        assert boxes == [Box(128, 144, 288, 304)]
        cv2.rectangle(picture, (place.x1, place.y1), (place.x2 - 1, place.y2 - 1), (1, 2, 3), cv2.FILLED)
        return [place]

    picture = Overlay(extra=extra).draw(hand_seen(["rock"]))
    assert (picture[300:470, 400:630] == (1, 2, 3)).all()


def a_rejected_hand(*shares: tuple[str, float], label: str | None = None) -> Observation:
    """A frame with one hand, whose labels have these probabilities."""
    hand = Hand(np.full((21, 3), 200, np.float32), "right", 0.9)
    region = Region(Box(200, 200, 400, 400), np.zeros((4, 4, 3), np.uint8), hand=hand)
    prediction = Prediction(label, shares[0][1], shares, image_28())
    frame = Frame(np.full((480, 640, 3), GREY, np.uint8), 0, 0.0, "drawn")
    return Observation(frame, "letters", (region,), (prediction,))


def test_the_two_candidates_of_a_rejected_hand_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = Overlay(mirror=False)
    assert "M or T?" in words_drawn(monkeypatch, overlay, a_rejected_hand(("M", 0.5), ("T", 0.4), ("S", 0.1)))


@pytest.mark.parametrize(
    "seen",
    [
        a_rejected_hand(("M", 0.55), ("T", 0.40), ("S", 0.05), label="M"),
        a_rejected_hand(("M", 0.40), ("T", 0.25), ("S", 0.20)),
        a_rejected_hand(("M", 0.80), ("T", 0.10), ("S", 0.05)),
        observation([(200, 200, 400, 400)], [None]),
    ],
    ids=["known", "three share it", "one has it", "writing"],
)
def test_other_regions_have_no_candidates(monkeypatch: pytest.MonkeyPatch, seen: Observation) -> None:
    assert not [word for word in words_drawn(monkeypatch, Overlay(mirror=False), seen) if word.endswith("?")]
