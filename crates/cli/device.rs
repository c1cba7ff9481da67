//! `auto`, `cpu`, `cuda:N`, `cuda:N+tf32`: from the word to the device.

use std::fmt;
use std::str::FromStr;

use candle_core::{Device, DeviceLocation};

use crate::error::{Error, Result};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first GPU where CUDA is built in and there is one, else the CPU.
    Auto,
    Cpu,
    /// The GPU of this number, or an error.
    Cuda {
        number: usize,
        /// Whether the products of large matrices are computed in TF32.
        tf32: bool,
    },
}

/// What is added to a GPU's name.
const TF32: &str = "+tf32";

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            _ => {
                let gpu = text.strip_suffix(TF32).unwrap_or(text);
                let number = match gpu {
                    "cuda" => Some(0),
                    _ => {
                        gpu.strip_prefix("cuda:").filter(|n| !n.starts_with('+')).and_then(|n| n.parse().ok())
                    }
                };
                let cuda = |number| Self::Cuda { number, tf32: gpu.len() < text.len() };
                number.map(cuda).ok_or_else(|| {
                    "expected auto, cpu, cuda or cuda:N, the last two with or without +tf32".into()
                })
            }
        }
    }
}

impl DeviceChoice {
    /// The device.
    pub(crate) fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda { number, tf32 } => cuda(number, tf32),
            Self::Auto if cfg!(feature = "cuda") => Ok(cuda(0, false).unwrap_or(Device::Cpu)),
            Self::Auto => Ok(Device::Cpu),
        }
    }
}

/// Lets what loads and measures use as many threads as training does, for rayon does not know of this variable. Refuses a number that
/// nobody means.
pub(crate) fn limit_threads() -> Result<()> {
    let Some(found) = std::env::var_os("CANDLE_NUM_THREADS").filter(|found| !found.is_empty()) else {
        return Ok(());
    };
    let number: Option<usize> = found.to_str().and_then(|text| text.parse().ok());
    let Some(number) = number.filter(|number| (1..=ganlet_ops::MOST_THREADS).contains(number)) else {
        return Err(Error::Threads { found: found.to_string_lossy().into_owned() });
    };
    // It fails where there are threads already: not this early.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(number).build_global();
    Ok(())
}

fn cuda(number: usize, tf32: bool) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(Error::CudaNotBuilt { number });
    }
    tf32::switch(tf32);
    ganlet_ops::open_gpu(number).map_err(|source| Error::Cuda { number, source })
}

/// candle's switch, which is one for all GPUs.
#[cfg(feature = "cuda")]
mod tf32 {
    pub(super) use candle_core::cuda::{
        gemm_reduced_precision_f32 as is_on, set_gemm_reduced_precision_f32 as switch,
    };
}

#[cfg(not(feature = "cuda"))]
mod tf32 {
    pub(super) fn is_on() -> bool {
        false
    }

    pub(super) fn switch(_: bool) {}
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { number, tf32 } => write!(f, "cuda:{number}{}", if *tf32 { TF32 } else { "" }),
        }
    }
}

/// `cpu`, `cuda:0` or `cuda:0+tf32`, as it can be asked for.
pub(crate) fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => {
            DeviceChoice::Cuda { number: gpu_id, tf32: tf32::is_on() }.to_string()
        }
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_words_of_the_help() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        for (text, number, tf32) in
            [("cuda", 0, false), ("cuda:3", 3, false), ("cuda+tf32", 0, true), ("cuda:3+tf32", 3, true)]
        {
            let choice = DeviceChoice::Cuda { number, tf32 };
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for wrong in [
            "",
            "gpu",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:x",
            "CPU",
            "+tf32",
            "cpu+tf32",
            "auto+tf32",
            "cuda:+tf32",
        ] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
