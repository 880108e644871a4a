// What is not HTTP: handshakes, opens of keys, libraries, and how processes begin and end. Each logs facts of its own
// kind.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/workloads/recorded_handshakes.h"
#include "tests/workloads/run.h"

namespace tracer::workload {
namespace {

using namespace std::chrono_literals;

constexpr auto held = 700ms;  // what is found by looking now and then, and read after it was opened, must be there then
constexpr uid_t nobody = 65534;
constexpr std::string_view opener_comm = "wl-opener", exec_comm = "wl-exec", exit_comm = "wl-exit";

std::string bytes_of(std::string_view hexadecimal) {
  std::string made;
  for (std::size_t at = 0; at + 1 < hexadecimal.size(); at += 2) {
    made += static_cast<char>(std::strtol(std::string(hexadecimal.substr(at, 2)).c_str(), nullptr, 16));
  }
  return made;
}

// One end of a recorded handshake. `send` may cut what it sends in any way.
void say(int fd, const RecordedHandshake& handshake, bool client, const Send& send) {
  for (const auto& flight : handshake.flights) {
    const auto bytes = bytes_of(flight.hexadecimal);
    if (flight.by_client == client) {
      send(fd, bytes);
    } else {
      receive_exactly(fd, bytes, recv_some);
    }
  }
}

bool say_all(Run& run, const Send& send) {
  const auto server = run.serve([&](int listener) {
    for (const auto& each : recorded_handshakes()) {
      const auto fd = accept_one(listener);
      say(fd.get(), each, false, send_all);
      receive_end(fd.get(), recv_some);
    }
  });
  return run.client([&] {
    for (const auto& each : recorded_handshakes()) {
      const auto fd = connect_to(server);
      const auto started = wall_time_ns();
      say(fd.get(), each, true, send);
      run.truth().add_handshake(each.name, local_address(fd.get()), peer_address(fd.get()), each.fields,
                                {started, wall_time_ns()});
      run.linger();
    }
  });
}

bool tls_handshake(Run& run) { return say_all(run, send_all); }
bool tls_handshake_bytewise(Run& run) { return say_all(run, write_single_bytes); }

// A folder that everybody may enter, and files in it.
class Folder {
 public:
  Folder() : path_(make_folder()) { require(::chmod(path_.c_str(), 0755) == 0, "chmod"); }
  ~Folder() {
    for (const auto& each : files_) ::unlink(each.c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  std::string add(std::string_view name, std::string_view contents, mode_t mode) {
    auto file = path_ + "/" + std::string(name);
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    require(static_cast<bool>(fd), "a file of the scenario");
    write_all(fd.get(), contents);
    require(::fchmod(fd.get(), mode) == 0, "fchmod");
    files_.push_back(file);
    return file;
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

// Tries to open it for reading, and logs that.
UniqueFd open_and_log(Run& run, const std::string& file, std::string_view file_type, int error_expected,
                      const std::string& resolved = {}) {
  const auto at = wall_time_ns();
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = fd ? 0 : errno;
  require(error == error_expected, "an open did not end as it should");
  std::vector<std::string> members{text_member("file", file), R"("flags":["O_RDONLY","O_CLOEXEC"])",
                                   number_member("errno", error), number_member("uid", ::geteuid())};
  if (!file_type.empty()) members.push_back(text_member("file_type", file_type));
  if (!resolved.empty()) members.push_back(text_member("resolved_file", resolved));
  run.truth().add_fact("file_open", ::getpid(), opener_comm, at, members);
  return fd;
}

void become_nobody() { require(::setgid(nobody) == 0 && ::setuid(nobody) == 0, "setuid"); }

bool open_missing_key(Run& run) {
  const Folder folder;
  return run.client(
      [&] {
        become_nobody();
        static_cast<void>(open_and_log(run, folder.path() + "/missing.key", {}, ENOENT));
        static_cast<void>(open_and_log(run, folder.path() + "/missing.pem", {}, ENOENT));
        std::this_thread::sleep_for(held);
      },
      opener_comm);
}

bool open_denied_key(Run& run) {
  Folder folder;
  const auto file = folder.add("denied.key", private_key_pem, 0600);
  return run.client(
      [&] {
        become_nobody();
        static_cast<void>(open_and_log(run, file, {}, EACCES));
        std::this_thread::sleep_for(held);
      },
      opener_comm);
}

bool open_key(Run& run) {
  Folder folder;
  const auto key = folder.add("own.key", private_key_pem, 0600);
  const auto certificate = folder.add("own.pem", certificate_pem, 0644);
  const auto decoy = folder.add("decoy.pem", "there is no key in here\n", 0644);
  folder.add("relative.crt", certificate_pem, 0644);
  return run.client(
      [&] {
        const auto first = open_and_log(run, key, "private_key", 0);
        const auto second = open_and_log(run, certificate, "certificate", 0);
        const auto third = open_and_log(run, decoy, "unknown", 0);
        require(::chdir(folder.path().c_str()) == 0, "chdir");
        const auto fourth = open_and_log(run, "relative.crt", "certificate", 0, folder.path() + "/relative.crt");
        std::this_thread::sleep_for(held);
      },
      opener_comm);
}

bool library_map(Run& run) {
  Folder folder;
  const auto library = folder.add("libssl.so.3", std::string(4096, '\0'), 0755);
  const auto other = folder.add("libnothing.so.1", std::string(4096, '\0'), 0755);
  return run.client(
      [&] {
        const auto at = wall_time_ns();
        for (const auto& file : {library, other}) {
          const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
          require(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0) != MAP_FAILED, "mmap");
        }
        run.truth().add_fact("lib_load", ::getpid(), opener_comm, at,
                             {text_member("library", library), text_member("library_name", "libssl.so.3"),
                              number_member("uid", ::geteuid())});
        std::this_thread::sleep_for(held);
      },
      opener_comm);
}

const std::vector<std::string>& exec_arguments() {
  static const std::vector<std::string> arguments{
      std::string(exec_comm), "--exit-code", "0", "with a space", "", "\xc3\xbc\x6e\xc3\xaf", "--token=not-a-secret"};
  return arguments;
}

void remove_link(const std::string& link) {
  ::unlink(link.c_str());
  ::rmdir(link.substr(0, link.rfind('/')).c_str());
}

bool exec_argv(Run& run) {
  const auto link = named_link_to_self(exec_comm);
  const bool made = run.client([&] {
    const auto at = wall_time_ns();
    const auto child = fork_process("wl-before", run.seconds_max(), [&] {
      std::vector<char*> words;
      for (const auto& each : exec_arguments()) words.push_back(const_cast<char*>(each.c_str()));
      words.push_back(nullptr);
      ::execv(link.c_str(), words.data());
      give_up("exec");
    });
    run.truth().add_fact("process_exec", child, exec_comm, at,
                         {text_member("executable", link), list_member("argv", exec_arguments()),
                          number_member("ppid", ::getpid()), number_member("uid", ::geteuid())});
    require(wait_for(child), "the program that was executed failed");
    run.truth().add_fact("process_exit", child, exec_comm, wall_time_ns(), {number_member("exit_code", 0)});
  });
  remove_link(link);
  return made;
}

bool exit_code(Run& run) {
  const auto link = named_link_to_self(exit_comm);
  const bool made = run.client([&] {
    for (const int code : {7, -SIGTERM}) {
      const auto text = std::to_string(code);
      const auto child = fork_process("wl-before", run.seconds_max(), [&] {
        ::execl(link.c_str(), exit_comm.data(), "--exit-code", text.c_str(), nullptr);
        give_up("exec");
      });
      int status = 0;
      require(::waitpid(child, &status, 0) == child, "waitpid");
      require(code < 0 ? WIFSIGNALED(status) : WEXITSTATUS(status) == code, "a process did not end as it should");
      run.truth().add_fact("process_exit", child, exit_comm, wall_time_ns(),
                           {code < 0 ? number_member("signal", -code) : number_member("exit_code", code)});
    }
  });
  remove_link(link);
  return made;
}

constexpr std::array scenarios{
    Scenario{"tls-handshake", "recorded handshakes: 1.2, 1.3 with a retry and a post-quantum group, a refused one",
             tls_handshake},
    Scenario{"tls-handshake-bytewise", "the same, the client's in single bytes", tls_handshake_bytewise},
    Scenario{"open-missing-key", "another user opens keys that are not there", open_missing_key},
    Scenario{"open-denied-key", "another user opens a key that it may not read", open_denied_key},
    Scenario{"open-key", "a key, certificates, and a file that only is called one", open_key},
    Scenario{"library-map", "maps a file called libssl.so.3 to be executed", library_map},
    Scenario{"exec-argv", "executes a program with arguments", exec_argv},
    Scenario{"exit-code", "one process ends with 7, another by a signal", exit_code},
};

}  // namespace

int exit_with(std::span<char*> words) {
  std::this_thread::sleep_for(held);
  const int code = words.empty() ? 2 : std::atoi(words[0]);
  return code < 0 ? ::raise(-code) : code;
}

std::span<const Scenario> facet_scenarios() { return scenarios; }

}  // namespace tracer::workload
