// What libtorch asks of a device before it computes: how many there are, which is current, what runs on its streams.
#include "stand_in.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace stand_in {

c10::DeviceIndex devices() {
  const char* count = std::getenv("STAND_IN_DEVICES");
  return count ? static_cast<c10::DeviceIndex>(std::atoi(count)) : 1;
}

c10::DeviceIndex& current() {
  static thread_local c10::DeviceIndex index = 0;
  return index;
}

namespace {

using c10::Device;
using c10::DeviceIndex;
using c10::Stream;

// Everything is done when it is asked for, so that there is nothing to wait for.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::kCUDA; }
  Device exchangeDevice(Device device) const override {
    Device before = getDevice();
    current() = device.index();
    return before;
  }
  Device getDevice() const override { return Device(c10::kCUDA, current()); }
  void setDevice(Device device) const override { current() = device.index(); }
  void uncheckedSetDevice(Device device) const noexcept override { current() = device.index(); }
  Stream getStream(Device device) const override {
    return Stream(Stream::DEFAULT, Device(c10::kCUDA, device.has_index() ? device.index() : current()));
  }
  Stream exchangeStream(Stream stream) const override { return Stream(Stream::DEFAULT, stream.device()); }
  DeviceIndex deviceCount() const noexcept override { return devices(); }
  void record(void**, const Stream&, DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const Stream&) const override { return true; }
  void synchronizeStream(const Stream&) const override { count("wait for a stream"); }
  void recordDataPtrOnStream(const c10::DataPtr&, const Stream&) const override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

}  // namespace
}  // namespace stand_in

namespace at {

// The registry knows it by this name.
struct CUDAHooks final : CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return stand_in::devices() > 0; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return stand_in::devices() > 0; }
  long versionCUDART() const override { return 13000; }
  DeviceIndex deviceCount() const override { return stand_in::devices(); }
  DeviceIndex getCurrentDevice() const override { return stand_in::current(); }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  bool isPinnedPtr(const void* pointer) const override { return stand_in::is_pinned(pointer); }
  Allocator* getPinnedMemoryAllocator() const override { return &stand_in::pinned_memory(); }
};

REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace at
