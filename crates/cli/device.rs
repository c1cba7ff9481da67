//! `auto`, `cpu`, `cuda:N`: from the word to the device.

use std::fmt;
use std::panic;
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
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".into()),
        }
    }
}

impl DeviceChoice {
    /// The device.
    pub(crate) fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(number) => cuda(number),
            Self::Auto if cfg!(feature = "cuda") => Ok(cuda(0).unwrap_or(Device::Cpu)),
            Self::Auto => Ok(Device::Cpu),
        }
    }
}

/// Lets what counts and measures use as many threads as training does: rayon knows one of the two variables.
pub(crate) fn limit_threads() {
    // It fails where the threads are there already, which then stay.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(ganlet_ops::threads()).build_global();
}

fn cuda(number: usize) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(Error::CudaNotBuilt { number });
    }
    // Where there is no driver, cudarc panics instead of saying so.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let device = panic::catch_unwind(|| ganlet_ops::open_gpu(number));
    panic::set_hook(hook);
    match device {
        Ok(device) => device.map_err(|source| Error::Cuda { number, source }),
        Err(_) => Err(Error::CudaDriver { number }),
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// `cpu` or `cuda:0`, as it can be asked for.
pub(crate) fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
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
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
