//! Where a tensor is computed.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether a device is the CPU.
pub fn on_cpu(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}
