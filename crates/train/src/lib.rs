//! Losses, Adam, one step, the loop: how a GAN is trained.
