"""Each kind of action with a real counterpart: a broker, a server, a serial line, an entry field, a speech synthesizer."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import wave
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recognizer.actions.action import ActionError, ActionFailed, Unreachable
from recognizer.actions.kinds import keyboard, mqtt, programs
from recognizer.actions.kinds.mqtt import Mqtt
from recognizer.actions.kinds.osc import Osc
from recognizer.actions.kinds.programs import Command, Notify, Open, Say, Sound, run_program
from recognizer.actions.kinds.serial_port import Serial
from recognizer.actions.kinds.webhook import Webhook
from recognizer.event_detection.event import Phase
from tests.helpers.firings import a_firing, working
from tests.helpers.local_server import closed_address
from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen
from tests.helpers.waiting import HANG_S, until

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def broker(port: int) -> Iterator[None]:
    """A mosquitto that listens on this machine only."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto (apt install mosquitto)")
    running = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port))
        yield
    finally:
        running.terminate()
        running.wait(HANG_S)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Subscriber:
    """Receives all messages of a broker, also after it was away."""

    def __init__(self, port: int) -> None:
        from paho.mqtt import client

        self.messages: list[tuple[str, str]] = []
        self._client = client.Client(client.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda connected, *_: connected.subscribe("#", 1)
        self._client.on_message = lambda _, __, message: self.messages.append((message.topic, message.payload.decode()))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def labels(self) -> list[str]:
        return [json.loads(text)["label"] for topic, text in list(self.messages) if topic == "recognizer/rps"]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_mqtt_publishes_to_a_broker_that_comes_late_and_goes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt: pip install -r requirements-actions.txt")
    monkeypatch.setattr(mqtt, "PUBLISH_S", 0.5)
    port = free_port()
    with working(Mqtt(broker="127.0.0.1", port=port)) as (worker, lines):
        until(lambda: lines)
        assert lines[0].startswith(f"publish 'the label' as recognizer/{{task}} at 127.0.0.1:{port}: The broker ")
        assert lines[0].endswith("trying again.")
        with broker(port):
            subscriber = Subscriber(port)
            until(lambda: len(lines) == 2)
            assert lines[1].endswith("works again.")
            worker.put(a_firing("rock"))
            worker.put(a_firing("rock", Phase.GONE))
            # a first "none" comes once or twice: retained, and as it is published
            until(lambda: subscriber.labels()[-3:] == ["none", "rock", "none"], lambda: subscriber.messages)
            found = dict(subscriber.messages)
            assert found["recognizer/rps/status"] == "online"
            sensor = json.loads(found["homeassistant/sensor/recognizer_rps/config"])
            assert (sensor["state_topic"], sensor["availability_topic"]) == ("recognizer/rps", "recognizer/rps/status")
            assert (sensor["name"], sensor["value_template"]) == ("rps", "{{ value_json.label }}")
        until(lambda: not listens(port))
        worker.put(a_firing("paper"))
        until(lambda: len(lines) == 3)
        with broker(port):
            until(lambda: "paper" in subscriber.labels() and len(lines) == 4, lambda: lines)
            worker.end()
            worker.join(HANG_S)
            until(lambda: subscriber.messages[-1] == ("recognizer/rps/status", "offline"))
            subscriber.close()
    assert [line.rpartition(": ")[2] for line in lines] == ["trying again.", "works again."] * 2


def test_osc_messages_reach_an_osc_server() -> None:
    osc_server = pytest.importorskip("pythonosc.osc_server", reason="needs python-osc")
    from pythonosc.dispatcher import Dispatcher

    arrived: list[tuple[object, ...]] = []
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: arrived.append((address, *values)))
    with osc_server.ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with working(Osc(port=server.server_address[1])) as (worker, lines):
            worker.put(a_firing())
            until(lambda: arrived)
        server.shutdown()
    assert (arrived[0][:2], arrived[0][3], lines) == (("/recognizer/appeared", "rock"), "left", [])
    assert arrived[0][2] == pytest.approx(0.97)


@needs_linux
def test_serial_writes_a_line_a_label_and_opens_the_port_again() -> None:
    pytest.importorskip("serial", reason="needs pyserial")
    board, port = os.openpty()
    with working(Serial(os.ttyname(port), line="{label},{hand}", settle_s=0)) as (worker, lines):
        worker.put(a_firing("rock"))
        worker.put(a_firing("paper"))
        with os.fdopen(board, "rb", buffering=0) as reader:
            text = b""
            while text.count(b"\n") < 2:
                text += reader.read(100)
        assert text.replace(b"\r\n", b"\n") == b"rock,left\npaper,left\n"
        os.close(port)  # the board is pulled out
        worker.put(a_firing("scissors"))
        until(lambda: lines)
    assert "trying again" in lines[0]


def test_a_serial_port_that_is_missing_is_tried_again(tmp_path: Path) -> None:
    pytest.importorskip("serial", reason="needs pyserial")
    with pytest.raises(Unreachable, match="cannot be opened"), Serial(str(tmp_path / "port"), settle_s=0).opened("rps"):
        pass


@contextmanager
def answering(*answers: int) -> Iterator[tuple[str, list[tuple[dict[str, str], object]], threading.Event]]:
    """The address of a server that gives each of the answers, then 200; what it got; and an event that ends its hangs.

    The answer 0 hangs.
    """
    got: list[tuple[dict[str, str], object]] = []
    left, go_on = list(answers), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), json.loads(body)))
            answer = left.pop(0) if left else 200
            if answer == 0:
                go_on.wait(HANG_S)
                return
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/lamp?of={{label}}", got, go_on
        finally:
            go_on.set()
            server.shutdown()


def test_a_webhook_posts_the_event_until_the_server_takes_it() -> None:
    with answering(0, 503, 200) as (address, got, _), working(Webhook(address, timeout_s=0.2)) as (worker, lines):
        worker.put(a_firing())
        until(lambda: len(lines) == 2)
    assert len(got) == 3
    assert [content for _, content in got] == [a_firing().event.as_json()] * 3
    assert len({headers["Idempotency-Key"] for headers, _ in got}) == 1
    assert "did not answer in 0.2 s: trying again." in lines[0]
    assert lines[1].endswith("works again.")


def test_a_webhook_that_is_refused_is_not_sent_again() -> None:
    sent = {"state": "{label}", "sure": "{confidence}", "list": ["{hand}", 1]}
    with answering(403) as (address, got, _), working(Webhook(address, json=sent)) as (worker, lines):
        worker.put(a_firing())
        worker.put(a_firing("paper"))
        until(lambda: len(lines) == 2)
    assert [content for _, content in got] == [
        {"state": "rock", "sure": 0.97, "list": ["left", 1]},
        {"state": "paper", "sure": 0.97, "list": ["left", 1]},
    ]
    assert "answered 403 Forbidden" in lines[0]


def test_a_webhook_reports_a_dead_address_without_its_secrets() -> None:
    address = closed_address().replace("http://", "http://user:secret@") + "?token=secret"
    with pytest.raises(Unreachable, match="cannot be reached") as caught:
        Webhook(address).run(a_firing())
    assert "secret" not in str(caught.value) + Webhook(address).describe()


@needs_linux
@pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)
def test_keys_and_text_reach_the_entry_field_of_another_program() -> None:
    pytest.importorskip("tkinter", reason="needs tkinter")
    if subprocess.run([sys.executable, "-c", "import pynput"], capture_output=True, check=False).stderr.count(
        b"ModuleNot"
    ):
        pytest.skip("needs pynput: pip install -r requirements-actions.txt")
    entry = """
import tkinter
root = tkinter.Tk()
root.title("recognizer")
field = tkinter.Entry(root)
field.pack()
field.focus_force()
field.bind("<Return>", lambda event: (print(field.get(), flush=True), root.destroy()))
root.mainloop()
"""
    presses = """
from recognizer.actions.kinds.keyboard import Key, Type
from tests.helpers.firings import a_firing
Type("{label} 2 ü€").run(a_firing("Rock"))
for keys in ("home", "shift+end", "ctrl+c", "end", "ctrl+v", "backspace", "x", "enter"):
    Key(keys).check()
    Key(keys).run(a_firing())
"""
    with virtual_screen() as display:
        field = Running(display, entry)
        try:
            field.focus()
            environment = {**field.environment, "DISPLAY": display}
            subprocess.run([sys.executable, "-c", presses], env=environment, check=True, timeout=HANG_S)
            assert field.line() == "Rock 2 ü€Rock 2 üx"
        finally:
            field.close()


@pytest.mark.parametrize(
    ("keys", "names"),
    [("a", ["a"]), ("Ctrl + S", ["ctrl", "S"]), ("ctrl++", ["ctrl", "+"]), ("+", ["+"]), ("Escape", ["esc"])],
)
def test_a_combination_of_keys_is_taken_apart(keys: str, names: list[str]) -> None:
    assert keyboard.key_names(keys) == names


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng (apt install espeak-ng)")
def test_the_systems_voice_speaks_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"
    Say("-w {label}", voice="en", file=str(path)).run(a_firing("scissors"))  # the text is no option
    with wave.open(str(path)) as said:
        assert said.getnframes() > said.getframerate() / 2


def stand_in(folder: Path, *names: str) -> Path:
    """Programs that write their arguments to a file. Returns the file."""
    for name in names:
        path = folder / name
        path.write_text(f'#!/bin/sh\nprintf "%s|" {name} "$@" >> {folder}/called\n')
        path.chmod(0o755)
    return folder / "called"


@needs_linux
def test_sounds_and_notifications_go_to_the_systems_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines without a sound card and a desktop have none, so small programs take their place."""
    called = stand_in(tmp_path, "paplay", "notify-send")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    Sound(str(called.parent / "paplay")).check()
    Sound(str(tmp_path / "paplay")).run(a_firing())
    Notify("{label}: {confidence}").run(a_firing("--help"))
    assert called.read_text() == (
        f"paplay|{tmp_path}/paplay|notify-send|--app-name=recognizer|--|recognizer|--help: 0.97|"
    )
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ActionFailed, match="Install it: sudo apt install libnotify-bin"):
        Notify().run(a_firing())


def test_a_command_gets_labels_as_words_and_never_a_shell(capfd: pytest.CaptureFixture[str]) -> None:
    label = "$(touch x); '\" & more"
    script = "import sys; print(sys.argv[1:], file=sys.stderr); sys.exit(len(sys.argv) - 2)"
    Command((sys.executable, "-c", script, "{label}")).run(a_firing(label))
    with pytest.raises(ActionFailed, match=r"ended with 1: \['rock', 'left'\]"):
        Command((sys.executable, "-c", script, "{label}", "{hand}")).run(a_firing())
    with pytest.raises(ActionFailed, match="would be an option"):
        Command((sys.executable, "{label}")).run(a_firing("--version"))
    with pytest.raises(ActionFailed, match="cannot be run: No such file"):
        Command(("no-such-program",)).run(a_firing())
    with pytest.raises(ActionFailed, match=r"was ended after 0\.01 s"):
        run_program([sys.executable, "-c", "import time; time.sleep(100)"], timeout_s=0.01)
    with pytest.raises(ActionError, match="a label may be code itself"):
        Command(("sh", "-c", "echo {label}")).check()


def test_an_address_is_opened_with_its_values_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or len(opened) == 1)
    action = Open("https://example.org/?q={label}")
    action.run(a_firing("a&b/../c d"))
    assert opened == ["https://example.org/?q=a%26b%2F..%2Fc%20d"]
    with pytest.raises(ActionFailed, match="No browser was found"):
        action.run(a_firing())


@needs_linux
def test_without_a_screen_keys_say_so() -> None:
    script = "from recognizer.actions.kinds.keyboard import Key\nfrom tests.helpers.firings import a_firing\n"
    script += "Key('a').run(a_firing())"
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("needs pynput")
    assert "ActionFailed: No screen takes keys here" in done.stderr.splitlines()[-1]


def test_the_first_installed_program_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "aplay", "pw-play")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.first_installed(programs.PLAYERS_ON_LINUX, "plays", "x") == ("pw-play",)
