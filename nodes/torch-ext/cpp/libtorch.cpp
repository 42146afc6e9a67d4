// Switches, devices and copies of libtorch. No exception leaves a function.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <string.h>
#include <torch/version.h>

static_assert(TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 11,
    "tch is made for libtorch 2.11: `make` brings it, or set LIBTORCH to one");

namespace {

// Text that the caller frees.
char* text(const char* what) { return strdup(what); }

template <class F>
char* caught(F f) {
  try {
    f();
    return nullptr;
  } catch (const c10::Error& error) {
    return text(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return text(error.what());
  } catch (...) {
    return text("an exception of an unknown type");
  }
}

}  // namespace

extern "C" {

// Whether this libtorch has CUDA at all.
bool hf_cuda_is_built() {
  bool built = false;
  caught([&] { built = at::detail::getCUDAHooks().isBuilt(); });
  return built;
}

// The CUDA version that it was built with, as 13000; 0 without.
int hf_cuda_version() {
  long version = 0;
  caught([&] { version = at::detail::getCUDAHooks().versionCUDART(); });
  return static_cast<int>(version);
}

// Of a device with CUDA: whether products and convolutions in float32 may round their factors to 19 bits.
char* hf_set_tf32(bool allowed) {
  return caught([&] {
    at::globalContext().setAllowTF32CuBLAS(allowed);
    at::globalContext().setAllowTF32CuDNN(allowed);
  });
}

// Only algorithms that give the same bits each time; attention by products, as the fused kernels' gradients do not.
char* hf_set_deterministic(bool on) {
  return caught([&] {
    auto& context = at::globalContext();
    context.setDeterministicAlgorithms(on, false);
    context.setDeterministicCuDNN(on);
    // Every tensor would be filled before it is written.
    context.setDeterministicFillUninitializedMemory(false);
    context.setSDPUseFlash(!on);
    context.setSDPUseMemEfficient(!on);
    context.setSDPUseCuDNN(!on);
    // Else cuDNN tries its algorithms once for each shape, and takes the fastest.
    context.setBenchmarkCuDNN(!on);
  });
}

// The most bytes that tensors had, and that were taken from the driver for them.
char* hf_device_memory(int index, int64_t* allocated, int64_t* reserved) {
  return caught([&] {
    const auto stats = c10::getDeviceAllocator(c10::kCUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    *allocated = stats.allocated_bytes[0].peak;
    *reserved = stats.reserved_bytes[0].peak;
  });
}

// A tensor of the CPU on a GPU, by way of memory that does not move: the host does not wait for the copy.
char* hf_send(const at::Tensor* tensor, int index, at::Tensor** sent) {
  return caught([&] {
    const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
    *sent = new at::Tensor(tensor->pin_memory().to(device, tensor->scalar_type(), /*non_blocking=*/true));
  });
}

}
