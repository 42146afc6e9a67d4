// What NVIDIA's driver says of its GPUs: asked itself, because libtorch tells less, and nothing of why there is none.
#include <dlfcn.h>
#include <string.h>

namespace {

// Where Windows puts its driver for Linux; elsewhere the system's list of libraries has it.
const char* const kPlaces[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"};

void* library() {
  // Never closed: libtorch finds it by its name then, wherever it was.
  static void* handle = [] {
    for (const char* place : kPlaces) {
      if (void* opened = dlopen(place, RTLD_NOW | RTLD_GLOBAL)) return opened;
    }
    return static_cast<void*>(nullptr);
  }();
  return handle;
}

template <class F>
F function(const char* name) {
  void* handle = library();
  return handle ? reinterpret_cast<F>(dlsym(handle, name)) : nullptr;
}

// The attributes of CUDA's `CUdevice_attribute`.
constexpr int kMajor = 75, kMinor = 76;

}  // namespace

extern "C" {

// CUDA's error code; -1 without the library.
int hf_driver_init() {
  auto init = function<int (*)(unsigned)>("cuInit");
  return init ? init(0) : -1;
}

// The CUDA version that it knows, as 13000; 0 where it does not say.
int hf_driver_version() {
  auto ask = function<int (*)(int*)>("cuDriverGetVersion");
  int version = 0;
  return ask && ask(&version) == 0 ? version : 0;
}

int hf_driver_count() {
  auto ask = function<int (*)(int*)>("cuDeviceGetCount");
  int count = 0;
  return ask && ask(&count) == 0 ? count : 0;
}

// Name and compute capability of a GPU; whether it told.
bool hf_driver_gpu(int index, char* name, int length, int* major, int* minor) {
  auto get = function<int (*)(int*, int)>("cuDeviceGet");
  auto named = function<int (*)(char*, int, int)>("cuDeviceGetName");
  auto attribute = function<int (*)(int*, int, int)>("cuDeviceGetAttribute");
  int device = 0;
  memset(name, 0, length);
  return get && named && attribute && get(&device, index) == 0 && named(name, length - 1, device) == 0 &&
         attribute(major, kMajor, device) == 0 && attribute(minor, kMinor, device) == 0;
}

}
