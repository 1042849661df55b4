"""One file a command, and the table of their words."""

COMMANDS = {  # what each word is for; its file has the same name
    "read": "read pictures, or folders of them: read FILE|DIR…",
    "tasks": "list the tasks, or make one of your own: tasks new NAME",
    "samples": "record and look after samples, without a window",
    "models": "look after trained models: list, show, roll back, export, import, delete",
    "learn": "train a task on its samples: learn TASK",
    "train": "train a shipped model anew: digits, letters or rps",
    "evaluate": "measure what is read right, on MNIST, photographs or videos",
    "workshop": "train, compare and publish other networks on other data",
    "serve": "the same in the browser and over REST",
    "doctor": "check versions, cameras, screen and models",
    "assets": "fetch the files that hand signs need",
    "benchmark": "measure speed, memory and few-shot learning",
}
DEFAULT_COMMAND = "live"  # the file of what runs without a word
RENAMED_COMMANDS = {
    "image": "read",
    "new": "tasks new",
    "capture": "samples record",
}  # words that people may still type
