"""Signs that move: from the joints of consecutive frames to a movement, its features, and its label.

The live loop gives each frame's hands to a `Segmenter`, and each `Movement` that it returns to a `MotionClassifier`:

    segmenter, classifier = Segmenter(), MotionClassifier.load(folder / FILE)
    movement = segmenter.step(frame.time_s, hands)
    if movement is not None:
        prediction = classifier.predict(movement)  # prediction.label is None for none of the labels
    elif segmenter.is_moving:
        ...  # no still sign is read meanwhile

A recorder stores what the segmenter returns while a label's key is held; training calls `MotionClassifier.fit` with the
stored movements and `save`. A movement that the user recorded is a demonstration whether or not any classifier knows it.
"""
