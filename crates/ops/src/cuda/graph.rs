//! Work that is recorded once and replayed with one call.

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::CudaGraph;
use candle_core::cuda::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use candle_core::{Device, Error};

/// A CUDA graph: a sequence of kernels that the GPU starts by itself, one after the other, without waiting for the host to ask.
///
/// What it computes, it computes from and to the memory that the recorded work had. Whatever changes from one replay to the next must
/// be in that memory: see [`Clock`](crate::Clock).
pub struct Graph(CudaGraph);

impl Graph {
    /// Runs `work` as it is, and keeps what small tables candle copies to the GPU for it: a recording of the same work finds them there.
    ///
    /// They are kept for good, so nothing may be copied that is different each time.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn rehearse<T, E: From<Error>>(device: &Device, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _kept = device.as_cuda_device()?.enable_cuda_graph_htod_cache();
        work()
    }

    /// Records `work`, which has run under [`Graph::rehearse`] before. Nothing is computed, and what memory it takes, it must give back.
    ///
    /// # Errors
    /// Those of `work`; and when it waits for the GPU, copies from or to the host, or gives back memory that was there before.
    pub fn record<E: From<Error>>(device: &Device, work: impl FnOnce() -> Result<(), E>) -> Result<Self, E> {
        let gpu = device.as_cuda_device()?;
        let stream = gpu.cuda_stream();
        let recorded = {
            let _kept = gpu.enable_cuda_graph_htod_cache();
            stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
            work()
        };
        // Ended in any case, or the stream would record for ever.
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        recorded?;
        graph.w()?.map(Self).ok_or_else(|| Error::msg("graph: there was nothing to record").into())
    }

    /// Queues the work once more.
    ///
    /// # Errors
    /// When the GPU has failed before.
    pub fn replay(&self) -> candle_core::Result<()> {
        self.0.launch().w()
    }
}
