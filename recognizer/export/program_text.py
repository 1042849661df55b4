"""The texts of an export's program: predict.py, check.py and README.md."""

from collections.abc import Mapping
from typing import Any

from recognizer.export.bundle import Definition, bundle
from recognizer.subjects.catalogue import subject_of

PROGRAM = "recognizer.export.program"
SHOWN_CHARACTERS = 80  # of the labels, in the title
MAIN = 'if __name__ == "__main__":\n    raise SystemExit(main())\n'


def predict_py(model: Mapping[str, Any], runtime: Definition) -> str:
    """The file predict.py of an export, given its model.json and the class that runs its networks."""
    replaced = {
        Definition(f"{PROGRAM}.network", "Network"): runtime,
        Definition("recognizer.classifiers.classifier", "DynamicNetwork"): Definition(
            f"{PROGRAM}.networks", "DynamicNetwork"
        ),
        Definition("recognizer.finders.hands", "open_detector"): Definition(f"{PROGRAM}.hand", "open_detector"),
        Definition(f"{PROGRAM}.paper", "Reader"): Definition(f"{PROGRAM}.{model['subject']}", "Reader"),
    }
    entries = [Definition(f"{PROGRAM}.reading", name) for name in ("open_reader", "read", "watch", "main")]
    return bundle(
        entries,
        replaced,
        f"""{title(model)}

{subject_of(model["subject"]).summary}

    from predict import open_reader, read
    reader = open_reader()
    print(read(reader, cv2.imread("picture.jpg")).text)

These are the functions with which the webcam recognizer itself answers, in one file. Read it from the end: `main` and `Reader`
say what happens to a picture. MIT licence.
""",
        MAIN,
    )


def check_py(model: Mapping[str, Any]) -> str:
    """The file check.py of an export."""
    from_predict = {
        (f"{PROGRAM}.paper", "Reader"),
        *((f"{PROGRAM}.reading", name) for name in ("open_reader", "read")),
        *(("recognizer.values", name) for name in ("Box", "Hand", "Observation", "Prediction", "Region")),
    }
    replaced = {Definition(module, name): Definition("predict", name) for module, name in from_predict}
    about = "Checks whether this export answers as the program did that wrote it: python check.py\n"
    return bundle([Definition(f"{PROGRAM}.check", "main")], replaced, about, MAIN)


def title(model: Mapping[str, Any]) -> str:
    """A line that says what the program recognizes."""
    labels = ", ".join(model["labels"])
    shown = labels if len(labels) <= SHOWN_CHARACTERS else f"{labels[:SHOWN_CHARACTERS]}…"
    return f"Recognizes {shown} in pictures (task {model['task']}, {model['target']})."


def readme(model: Mapping[str, Any]) -> str:
    """The file README.md of an export, for a person who has never seen this project."""
    golden = model["golden"]
    pictures = "drawn" if golden["source"] == "studio" else "samples of the person who exported the model"
    packages = " ".join([*model["runtime"].split(), "numpy", "opencv-python"])
    return f"""# {title(model)}

    pip install {packages}
    python check.py
    python predict.py PICTURE…

- `check.py` answers to the {golden["count"]} pictures in `golden/` ({pictures}), and compares with the recognizer's answers.
- `predict.py` does all that is needed. {subject_of(model["subject"]).summary} Its first lines say how to use it in a program.
- `model.json` names the files, labels, thresholds, training data and licences.
- An input that is unlike all that the model was trained on gets no label. It may still be wrong: test it where you use it.
"""
