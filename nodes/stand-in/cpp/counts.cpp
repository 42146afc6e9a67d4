// What was done, and how often: written when the process ends.
#include "stand_in.h"

#include <fstream>
#include <map>
#include <mutex>
#include <unistd.h>

namespace stand_in {
namespace {

// Never destroyed: other threads may still count while the process ends.
std::mutex& guard() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<std::string, long>& counts() {
  static auto* all = new std::map<std::string, long>;
  return *all;
}

__attribute__((destructor)) void write() {
  const char* folder = std::getenv("STAND_IN_COUNTS");
  if (!folder) return;
  std::ofstream file(std::string(folder) + "/" + std::to_string(getpid()));
  std::lock_guard<std::mutex> lock(guard());
  for (const auto& [what, times] : counts()) file << times << " " << what << "\n";
}

}  // namespace

void count(const std::string& what) {
  std::lock_guard<std::mutex> lock(guard());
  counts()[what]++;
}

}  // namespace stand_in
