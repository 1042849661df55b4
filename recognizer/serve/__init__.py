"""The recognizer over HTTP and in the browser: on the same pipeline, samples and models as the window."""
