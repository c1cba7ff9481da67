//! The tensor operations that GAN training spends its time in, as candle custom operations.
