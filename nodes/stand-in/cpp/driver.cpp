// NVIDIA's driver, as far as a worker asks it what there is. It answers what it is told to by the environment.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

int number(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : otherwise;
}

struct Gpu {
  std::string name;
  int major, minor;
};

// `NVIDIA H200:9.0,NVIDIA T4:7.5`
std::vector<Gpu> gpus() {
  const char* told = std::getenv("STAND_IN_GPUS");
  std::string rest = told ? told : "Stand-in:9.0";
  std::vector<Gpu> all;
  while (!rest.empty()) {
    const auto end = rest.find(',');
    const std::string one = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
    const auto colon = one.rfind(':'), dot = one.rfind('.');
    all.push_back({one.substr(0, colon), std::atoi(one.c_str() + colon + 1), std::atoi(one.c_str() + dot + 1)});
  }
  return all;
}

constexpr int kMajor = 75, kMinor = 76;

}  // namespace

extern "C" {

int cuInit(unsigned) { return number("STAND_IN_INIT", 0); }

int cuDriverGetVersion(int* version) {
  *version = number("STAND_IN_DRIVER", 13000);
  return 0;
}

int cuDeviceGetCount(int* count) {
  *count = static_cast<int>(gpus().size());
  return 0;
}

int cuDeviceGet(int* device, int index) {
  *device = index;
  return 0;
}

int cuDeviceGetName(char* name, int length, int device) {
  std::strncpy(name, gpus()[device].name.c_str(), length - 1);
  name[length - 1] = 0;
  return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  const Gpu gpu = gpus()[device];
  *value = attribute == kMajor ? gpu.major : attribute == kMinor ? gpu.minor : 0;
  return 0;
}

}
