"""Small networks that replace large ones in tests."""


def tiny_vgg(backbone, weights, side):
    """A backbone with VGG16's layer names and preprocessing, but two convolutions."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((side, side, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="block4_conv1")(image)
    x = layers.MaxPooling2D(4, name="block4_pool")(x)
    x = layers.Conv2D(8, 3, activation="relu", padding="same", name="block5_conv1")(x)
    return keras.Model(image, x), keras.applications.vgg16.preprocess_input
