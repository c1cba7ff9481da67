//! Work that is recorded once and replayed with one call.

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::CudaGraph;
use candle_core::cuda::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use candle_core::{Device, Error};

use super::workspace::Workspace;

/// A CUDA graph: a sequence of kernels that the GPU starts by itself, one after the other, without waiting for the host to ask.
///
/// What it computes, it computes from and to the memory that the recorded work had. Whatever changes from one replay to the next must
/// be in that memory: see [`Clock`](crate::Clock).
pub struct Graph {
    graph: CudaGraph,
    /// What the kernels write to.
    _workspace: Workspace,
    /// What holds the kernels.
    _device: Device,
}

/// What a rehearsal leaves for the recording of the same work.
pub struct Rehearsal(Workspace);

impl Graph {
    /// Runs `work` as it is, and keeps what a recording of the same work needs: the memory of its results, which is not given back, and what
    /// small tables candle copies to the GPU for it.
    ///
    /// The tables are kept for good, so nothing may be copied that is different each time.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn rehearse<T, E: From<Error>>(
        device: &Device,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Rehearsal), E> {
        let _tables = device.as_cuda_device()?.enable_cuda_graph_htod_cache();
        let (result, workspace) = Workspace::default().filled_by(work);
        Ok((result?, Rehearsal(workspace)))
    }

    /// Records `work`, which has run as this rehearsal before. Nothing is computed: what `work` returns, the replays fill.
    ///
    /// # Errors
    /// Those of `work`; and when it waits for the GPU, copies from or to the host, gives back memory that was there before, or is not
    /// what was rehearsed.
    pub fn record<T, E: From<Error>>(
        device: &Device,
        rehearsal: Rehearsal,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let gpu = device.as_cuda_device()?;
        let stream = gpu.cuda_stream();
        let (recorded, workspace) = {
            let _tables = gpu.enable_cuda_graph_htod_cache();
            stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
            rehearsal.0.used_by(work)
        };
        // Ended in any case, or the stream would record for ever; and an error that is on record would keep cudarc from it.
        let earlier = stream.context().check_err();
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        let result = recorded?;
        earlier.w()?;
        let Some(graph) = graph.w()? else {
            return Err(Error::msg("graph: there was nothing to record").into());
        };
        Ok((Self { graph, _workspace: workspace, _device: device.clone() }, result))
    }

    /// Queues the work once more.
    ///
    /// # Errors
    /// When the GPU has failed before.
    pub fn replay(&self) -> candle_core::Result<()> {
        self.graph.launch().w()
    }
}
