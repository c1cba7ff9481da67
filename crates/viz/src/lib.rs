//! Tensors to pictures: grids, PNG.
