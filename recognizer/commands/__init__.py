"""The commands: one module each, and the table of their names."""

COMMANDS = {  # help of each command; its module has the same name
    "read": "read pictures, or folders of them: read FILE|DIR…",
    "tasks": "list the tasks, or create your own: tasks new NAME",
    "samples": "record, list, relabel and delete samples without a window",
    "models": "manage trained models: list, show, roll back, export, import, delete",
    "export": "take a model along: to LiteRT, ONNX, Keras or a web page",
    "actions": "let signs do something: check a file of actions, or make one",
    "learn": "train a task on its samples: learn TASK",
    "train": "retrain a shipped model: digits, letters or rps",
    "evaluate": "measure accuracy on MNIST, photographs or videos",
    "workshop": "train, compare and publish other networks on other data",
    "serve": "run the recognizer in the browser and as a REST API",
    "doctor": "check versions, cameras, screen and models",
    "assets": "download the files that hand signs need",
    "benchmark": "measure speed, memory and few-shot learning",
}
DEFAULT_COMMAND = "live"  # the module that runs when no command is given
RENAMED_COMMANDS = {
    "image": "read",
    "new": "tasks new",
    "capture": "samples record",
}  # names from earlier versions
