//! IDX bytes to data sets of u8 images: read, verified, downloaded, or drawn on the fly.
