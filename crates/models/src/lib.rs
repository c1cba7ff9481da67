//! Generator and discriminator as multi-layer perceptrons, with PyTorch's initialisation and state dicts.
