"""Dockerfile and compose.yaml: what they copy and run exists. No image is built here."""

import argparse
import json
import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch

import pytest
import yaml

from recognizer import cli
from recognizer.serve.routes import pages
from recognizer.system import paths

LINES = (paths.ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
INSTRUCTIONS = [line.split(maxsplit=1) for line in LINES if line.strip() and not line.lstrip().startswith("#")]
COMMENTS = [line.lstrip("# ") for line in LINES if line.startswith("#")]
COMPOSE = yaml.safe_load((paths.ROOT / "compose.yaml").read_text(encoding="utf-8"))


def values(name: str) -> list[str]:
    """The texts after an instruction, in order."""
    return [text.strip() for instruction, text in INSTRUCTIONS if instruction == name]


class Parsed(BaseException):
    """Raised when a command line was parsed."""


@pytest.fixture
def check_command(monkeypatch):
    """A function that parses the command line of the recognizer, without running it."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse_only(self, *args, **kwargs):
        parse_args(self, *args, **kwargs)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)

    def check(words):
        with pytest.raises(Parsed):
            cli.main(words)

    return check


def test_what_is_copied_exists_and_reaches_the_build():
    ignored = (paths.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    copied = [name for text in values("COPY") for name in text.split()[:-1]]
    assert copied
    for name in copied:
        assert (paths.ROOT / name).exists()
        assert any(fnmatch(name, pattern) for pattern in allowed), name
    assert all(any(fnmatch(name, pattern) for name in copied) for pattern in allowed)  # and nothing else
    arguments = dict(text.split("=") for text in values("ARG"))
    assert arguments["REQUIREMENTS"] in copied


def test_the_commands_in_it_can_be_parsed(check_command):
    (entry,), (default,) = values("ENTRYPOINT"), values("CMD")
    assert json.loads(entry) == ["python", "-m", "recognizer"]
    check_command(json.loads(default))
    steps = [step.strip() for text in values("RUN") for step in text.split("&&")]
    ours = [shlex.split(step)[3:] for step in steps if step.startswith("python -m recognizer")]
    assert ours == [["assets"]]
    check_command(ours[0])
    examples = [shlex.split(comment) for comment in COMMENTS if comment.startswith("docker run")]
    assert examples
    for words in examples:
        after = words[words.index("recognizer") + 1 :]
        check_command(after or json.loads(default))


def test_the_server_is_not_root_and_its_health_is_checked():
    assert values("USER") == ["1000"]
    (health,) = values("HEALTHCHECK")
    port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", health).groups()
    assert path in {route.path for route in pages.router.routes}
    assert values("EXPOSE") == [port]
    compile(json.loads(health.partition("CMD ")[2])[2], "healthcheck", "exec")


def test_models_and_data_are_volumes_also_of_the_compose_file():
    assert [json.loads(text) for text in values("VOLUME")] == [["/app/models", "/app/data"]]
    (service,) = COMPOSE["services"].values()
    assert service["build"] == "."
    assert service["volumes"] == ["models:/app/models", "data:/app/data"]
    assert set(COMPOSE["volumes"]) == {"models", "data"}
    assert service["ports"] == [f"127.0.0.1:{values('EXPOSE')[0]}:{values('EXPOSE')[0]}"]
    assert [*service["environment"]] == ["RECOGNIZER_TOKEN"]


def test_its_system_packages_are_those_that_ci_installs():
    (text,) = [text for text in values("RUN") if "apt-get install" in text]
    wanted = re.search(r"--no-install-recommends ([^&]+)", text)[1].split()
    ci = (paths.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{package}\b", ci) for package in wanted)


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_has_no_complaint():
    done = subprocess.run(["hadolint", "--no-color", paths.ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
