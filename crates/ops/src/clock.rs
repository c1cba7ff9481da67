//! What a GPU needs to know to go from step to step by itself.

use candle_core::{DType, Device, Result, Tensor};

use crate::cuda;

/// A clock that lives on a GPU, and goes there: the number of the step, and a table with a row of numbers for each step of an epoch.
///
/// A step that was recorded as a graph does the same work each time. What is to differ it finds by the clock: its images in the epoch's
/// order, its noise in the stream of its number, its learning rates in its row. The host looks in once an epoch, to set it.
///
/// On a CPU there is no use for one, and its methods fail.
#[derive(Clone, Debug)]
pub struct Clock {
    /// `[step, row]`, `(2,)` i64.
    position: Tensor,
    /// `(rows, columns)` f32
    table: Tensor,
}

/// Numbers that an operation finds in a [`Clock`]'s table: from a column on, in the row of the time.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only kernels read it"))]
pub struct Row {
    pub(crate) position: Tensor,
    pub(crate) table: Tensor,
    pub(crate) column: usize,
}

/// A place in a stream of `ganlet-random` whose index is a clock's step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawFrom {
    /// What they are for.
    pub domain: u32,
    /// What was drawn from the stream before: for normal numbers blocks of four, for others words. See [`DrawFrom::after`].
    pub first: u32,
}

impl DrawFrom {
    /// The same stream after `count` numbers of a kind have been drawn.
    pub fn after(self, draw: Draw, count: usize) -> Self {
        let used = match draw {
            // A draw of normal numbers uses up sixteen blocks at a time, four numbers each.
            Draw::Normal { .. } => count.div_ceil(64) * 16,
            Draw::Uniform { .. } | Draw::Mask { .. } => count,
        };
        // Streams repeat after as many.
        Self { first: self.first.wrapping_add(used as u32), ..self }
    }
}

/// What random numbers are to be like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Normal, with mean 0 and this standard deviation: `Stream::fill_normal`, times it.
    Normal {
        /// At least 0.
        deviation: f64,
    },
    /// Uniform in `[low, high)`: `Stream::uniform_in`.
    Uniform {
        /// The least.
        low: f64,
        /// Above the largest.
        high: f64,
    },
    /// 0 with probability `rate`, else `1 / (1 - rate)`: dropout's.
    Mask {
        /// In `[0, 1)`.
        rate: f64,
    },
}

impl Clock {
    /// At step 0, with a table of zeros.
    ///
    /// # Errors
    /// When the table is empty, or the device is no GPU or has no room.
    pub fn new(rows: usize, columns: usize, device: &Device) -> Result<Self> {
        if !device.is_cuda() {
            candle_core::bail!("clock: expected a CUDA device, found {:?}", device.location());
        }
        if rows == 0 || columns == 0 {
            candle_core::bail!("clock: expected a table, found {rows} rows of {columns} numbers");
        }
        let position = Tensor::zeros(2, DType::I64, device)?;
        Ok(Self { position, table: Tensor::zeros((rows, columns), DType::F32, device)? })
    }

    /// Sets the time: the number of the step, and its row in the table.
    ///
    /// # Errors
    /// When there is no such row, or the GPU has failed before.
    pub fn set(&self, step: u64, row: usize) -> Result<()> {
        let rows = self.table.dim(0)?;
        if row >= rows {
            candle_core::bail!("clock: expected one of the table's {rows} rows, found row {row}");
        }
        // The bits count, not the sign.
        let position = [step as i64, row as i64];
        self.position.slice_set(&Tensor::new(&position, self.position.device())?, 0, 0)
    }

    /// Writes the table, row after row.
    ///
    /// # Errors
    /// When there are more or fewer numbers than it has.
    pub fn write(&self, numbers: &[f32]) -> Result<()> {
        self.table.slice_set(&Tensor::from_slice(numbers, self.table.shape(), self.table.device())?, 0, 0)
    }

    /// The numbers from `column` on.
    pub fn row(&self, column: usize) -> Row {
        Row { position: self.position.clone(), table: self.table.clone(), column }
    }

    /// Goes on by one step, and to the next row; after the last to the first.
    ///
    /// # Errors
    /// When the GPU has failed before.
    pub fn tick(&self) -> Result<()> {
        cuda::tick(&self.position, self.table.dim(0)?)
    }

    /// [`gather_normalize`](crate::gather_normalize) of this step's images: `batch` of the `order` `(N,)` u32, from row times `batch` on.
    ///
    /// An index that is not below the number of images gives NaN.
    ///
    /// # Errors
    /// When dtypes or devices do not fit, or the order is too short for the table's rows.
    pub fn gather_normalize(&self, pixels: &Tensor, order: &Tensor, batch: usize) -> Result<Tensor> {
        self.check(order, batch)?;
        cuda::gather_normalize(pixels, order, Some(&self.position), batch)
    }

    /// Their labels, `(batch, classes)` f32: 1 at the label, 0 elsewhere. `labels` is `(N,)` u8.
    ///
    /// # Errors
    /// When dtypes or devices do not fit, or the order is too short for the table's rows.
    pub fn gather_one_hot(
        &self,
        labels: &Tensor,
        order: &Tensor,
        batch: usize,
        classes: usize,
    ) -> Result<Tensor> {
        self.check(order, batch)?;
        cuda::gather_one_hot(labels, order, &self.position, [batch, classes])
    }

    /// Whether the order has a batch for each row.
    fn check(&self, order: &Tensor, batch: usize) -> Result<()> {
        let (found, rows) = (order.dims1()?, self.table.dim(0)?);
        if rows.checked_mul(batch).is_none_or(|expected| found < expected) {
            candle_core::bail!(
                "clock: expected an order of at least {rows} times {batch} indices, found {found}"
            );
        }
        Ok(())
    }

    /// This step's random numbers, `(rows, columns)` f32, so many rows from each of one or two streams: the same bits as on a CPU.
    ///
    /// # Errors
    /// When there are no streams or more than two, or the GPU has no room.
    pub fn draw(&self, seed: u64, from: &[(DrawFrom, usize)], columns: usize, draw: Draw) -> Result<Tensor> {
        cuda::draw(&self.position, seed, from, columns, draw)
    }
}
