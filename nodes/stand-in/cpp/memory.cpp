// Memory of the device, which ends, and is full of numbers that show where nothing was written.
#include "stand_in.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace stand_in {
namespace {

std::atomic<size_t> used{0};
std::atomic<size_t> most{0};

size_t capacity() {
  const char* bytes = std::getenv("STAND_IN_MEMORY");
  return bytes ? std::strtoull(bytes, nullptr, 10) : SIZE_MAX;
}

// Each block is preceded by its size.
constexpr size_t kHeader = 64;

void give_back(void* pointer) {
  if (!pointer) return;
  char* block = static_cast<char*>(pointer) - kHeader;
  used -= *reinterpret_cast<size_t*>(block);
  std::free(block);
}

struct Memory final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    const c10::Device device(c10::kCUDA, current());
    if (bytes == 0) return {nullptr, nullptr, &give_back, device};
    TORCH_CHECK_WITH(
        OutOfMemoryError, used + bytes <= capacity(), "CUDA out of memory. Tried to allocate ", bytes,
        " bytes. GPU 0 has a total capacity of ", capacity(), " bytes of which ", capacity() - used, " are free.");
    auto* block = static_cast<char*>(std::aligned_alloc(kHeader, (bytes + 2 * kHeader - 1) / kHeader * kHeader));
    *reinterpret_cast<size_t*>(block) = bytes;
    // As a number it is 3e38: nobody can compute with what was never written.
    std::memset(block + kHeader, 0x7f, bytes);
    used += bytes;
    for (size_t seen = most; seen < used && !most.compare_exchange_weak(seen, used);) {}
    return {block + kHeader, block + kHeader, &give_back, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { most = used.load(); }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    for (auto* of : {&stats.allocated_bytes, &stats.reserved_bytes}) {
      (*of)[0].current = static_cast<int64_t>(used.load());
      (*of)[0].peak = static_cast<int64_t>(most.load());
    }
    return stats;
  }
};

std::mutex pinned_guard;
std::map<const char*, size_t>& pinned() {
  static auto* blocks = new std::map<const char*, size_t>;
  return *blocks;
}

void unpin(void* pointer) {
  std::lock_guard<std::mutex> lock(pinned_guard);
  pinned().erase(static_cast<char*>(pointer));
  std::free(pointer);
}

struct Pinned final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* block = bytes ? std::malloc(bytes) : nullptr;
    if (block) {
      std::lock_guard<std::mutex> lock(pinned_guard);
      pinned()[static_cast<char*>(block)] = bytes;
    }
    return {block, block, &unpin, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &unpin; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

}  // namespace

c10::DeviceAllocator& memory() {
  static auto* memory = new Memory;
  return *memory;
}

c10::Allocator& pinned_memory() {
  static auto* memory = new Pinned;
  return *memory;
}

bool is_pinned(const void* pointer) {
  const auto* place = static_cast<const char*>(pointer);
  std::lock_guard<std::mutex> lock(pinned_guard);
  auto after = pinned().upper_bound(place);
  if (after == pinned().begin()) return false;
  const auto& [start, bytes] = *std::prev(after);
  return place < start + bytes;
}

namespace {
const bool registered = (c10::SetAllocator(c10::kCUDA, &memory()), true);
}

}  // namespace stand_in
