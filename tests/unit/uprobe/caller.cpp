// A program that calls into libcrypto when it is told to, one command a line:
//   load PATH      dlopen
//   cipher NAME N  N times EVP_CIPHER_fetch(null, NAME, null)
//   digest NAME N  N times EVP_get_digestbyname(NAME)
//   random SIZE N  N times RAND_bytes(…, SIZE)
//   threads K N    K threads, N times EVP_get_digestbyname("SHA256") each
//   fork N         a child that looks up "MD5" N times and ends
// Each is answered by "ok" or "failed".
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

void* library = nullptr;

template <typename Function>
Function* function(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

using Fetch = void*(void*, const char*, const char*);
using Lookup = const void*(const char*);
using Random = int(unsigned char*, int);

bool look_up(const char* name, long count) {
  auto* lookup = function<Lookup>("EVP_get_digestbyname");
  for (long i = 0; lookup != nullptr && i < count; ++i) lookup(name);
  return lookup != nullptr;
}

bool run(std::istringstream& line) {
  std::string command, name;
  long count = 0;
  line >> command >> name >> count;
  if (command == "load") return (library = ::dlopen(name.c_str(), RTLD_NOW)) != nullptr;
  if (library == nullptr) return false;
  if (command == "digest") return look_up(name.c_str(), count);
  if (command == "cipher") {
    for (long i = 0; i < count; ++i)
      if (void* cipher = function<Fetch>("EVP_CIPHER_fetch")(nullptr, name.c_str(), nullptr))
        function<void(void*)>("EVP_CIPHER_free")(cipher);
    return true;
  }
  if (command == "random") {
    std::array<unsigned char, 64> bytes{};
    for (long i = 0; i < count; ++i) function<Random>("RAND_bytes")(bytes.data(), std::stoi(name));
    return true;
  }
  if (command == "threads") {
    std::vector<std::thread> threads;
    for (int i = 0; i < std::stoi(name); ++i) threads.emplace_back([&] { look_up("SHA256", count); });
    for (std::thread& each : threads) each.join();
    return true;
  }
  if (command == "fork") {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(look_up("MD5", std::stol(name)) ? 0 : 1);
    int status = 1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  return false;
}

}  // namespace

int main() {
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    std::cout << (run(line) ? "ok" : "failed") << std::endl;
  }
}
