// A CUDA device made of host memory. What it is for stands in src/lib.rs.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <string>

namespace stand_in {

// Counts an operation: "launch aten::mm", "wait copy to host".
void count(const std::string& what);

// How many devices there are, and which is current.
c10::DeviceIndex devices();
c10::DeviceIndex& current();

// The memory of the device, and the host's that it may be copied from while the host goes on.
c10::DeviceAllocator& memory();
c10::Allocator& pinned_memory();
bool is_pinned(const void* pointer);

}  // namespace stand_in
