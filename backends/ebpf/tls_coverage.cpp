#include "backends/ebpf/tls_coverage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "backends/ebpf/elf_functions.h"
#include "backends/ebpf/mapped_files.h"
#include "core/base/unique_fd.h"

namespace tracer {
namespace {

// NSS's own files: the table has no rows for them.
constexpr std::array nss_files{LibraryFile{"nss", "libssl3.so*"}, LibraryFile{"nss", "libnspr4.so*"}};

std::string_view kind_of(std::string_view family) {
  if (family == "openssl") return "OpenSSL";
  if (family == "gnutls") return "GnuTLS";
  return family;
}

struct Opened {
  UniqueFd file{};
  int error = 0;
};

// Only regular files: an open of something else may wait, or do something.
Opened open_regular(const std::string& path) {
  UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat facts{};
  if (!place || ::fstat(place.get(), &facts) != 0) return {{}, errno};
  if (!S_ISREG(facts.st_mode)) return {{}, EINVAL};
  UniqueFd file(::open(("/proc/self/fd/" + std::to_string(place.get())).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  const int error = file ? 0 : errno;
  return {std::move(file), error};
}

TlsEvidence look_into(const Opened& opened, std::string_view family, bool program, bool nss,
                      const TlsCoverageOptions& options, const LibraryTable& libraries, std::size_t& wanted) {
  TlsEvidence out;
  out.family = family;
  out.program = program;
  out.nss = nss;
  out.opened = static_cast<bool>(opened.file);
  if (!out.opened) {
    out.open_error = std::generic_category().message(opened.error);
    return out;
  }
  const auto elf = ElfFile::read(part_of(opened.file.get(), options.table_bytes_max));
  out.elf = elf || elf.error().code == Errc::not_supported;
  out.own_architecture = elf.has_value();
  if (!elf) return out;
  const auto names = libraries.names(family.empty() ? std::nullopt : std::optional(family));
  const ElfFunctions found = find_functions(*elf, names);
  if (const auto held = libraries.held_family(found.offsets); held && (family.empty() || *held == family)) {
    out.family = *held;
    out.complete = true;
  }
  if (!out.family.empty()) {
    out.functions = libraries.places(out.family, found.offsets).size();
    wanted = libraries.needed(out.family, found.offsets);
  }
  if (!program || out.complete) return out;
  out.go = elf->has_section(".go.buildinfo");
  if (!out.go)
    elf->for_each_function([&](std::string_view name, std::uint64_t) {
      // Of Rust's manglings both: "_ZN6rustls…", "_RNv…_6rustls…".
      out.rustls = name.starts_with("_") && name.contains("6rustls");
      return !out.rustls;
    });
  return out;
}

class Search {
 public:
  explicit Search(const TlsCoverageOptions& options) : options_(options), libraries_(options.table.libraries()) {}

  TlsCoverageReport run() {
    for (const std::uint32_t pid : list_processes(options_.proc_root)) {
      if (report_.processes >= options_.processes_max)
        ++report_.left_out;
      else
        look_at(pid);
    }
    for (auto& [key, file] : files_)
      if (file.tells) report_.files.push_back(std::move(file.told));
    std::ranges::sort(report_.files, {},
                      [](const TlsFile& each) { return std::tie(each.path, each.device, each.inode); });
    for (TlsFile& file : report_.files) std::ranges::sort(file.users, {}, &TlsUser::pid);
    return std::move(report_);
  }

 private:
  struct File {
    bool tells = false;
    TlsFile told{};
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  void look_at(std::uint32_t pid) {
    const std::string process = options_.proc_root + "/" + std::to_string(pid);
    if (mapped_pages(options_.proc_root, pid) == 0) return;  // a thread of the kernel, or gone
    ++report_.processes;
    std::vector<File*> mine;
    const bool readable = for_each_executable_mapping(
        options_.proc_root, pid, options_.maps_bytes_max, [&](const ExecutableMapping& mapping) {
          const auto family = libraries_.family_of(mapping.path);
          const bool nss = !family && tracer::family_of(nss_files, mapping.path);
          if (!family && !nss) return;
          std::string place = process + "/map_files/" + std::string(mapping.range);
          struct stat facts{};
          if (::stat(place.c_str(), &facts) != 0) place = process + "/root" + std::string(mapping.path);
          add(place, mapping.path, mapping.deleted, family.value_or(std::string_view{}), false, nss, mine);
        });
    if (!readable) {
      ++report_.unreadable;
      return;
    }
    std::string path(4096, '\0');
    const ssize_t length = ::readlink((process + "/exe").c_str(), path.data(), path.size());
    path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    constexpr std::string_view gone = " (deleted)";
    const bool deleted = path.ends_with(gone);
    if (deleted) path.resize(path.size() - gone.size());
    if (!path.empty()) add(process + "/exe", path, deleted, {}, true, false, mine);
    if (mine.empty()) return;
    TlsUser user{pid, {}};
    std::ifstream comm(process + "/comm");
    std::getline(comm, user.name);
    for (File* each : mine) each->told.users.push_back(user);
  }

  void add(const std::string& place, std::string_view path, bool deleted, std::string_view family, bool program,
           bool nss, std::vector<File*>& mine) {
    struct stat facts{};
    const bool there = ::stat(place.c_str(), &facts) == 0;
    const int error = errno;
    // A file that cannot even be told from others is one by its path.
    const Key key = there ? Key{facts.st_dev, facts.st_ino} : Key{0, std::hash<std::string_view>{}(path)};
    auto known = files_.find(key);
    if (known == files_.end()) {
      if (files_.size() >= options_.files_max) {
        ++report_.left_out;
        return;
      }
      known = files_.emplace(key, File{}).first;
      TlsFile& file = known->second.told;
      const Opened opened = there ? open_regular(place) : Opened{{}, error};
      const TlsEvidence evidence = look_into(opened, family, program, nss, options_, libraries_, file.wanted);
      const TlsVerdict verdict = judge(evidence);
      known->second.tells = verdict.tells;
      file.path = path;
      file.device = there ? facts.st_dev : 0;
      file.inode = there ? facts.st_ino : 0;
      file.kind = verdict.kind;
      file.program = program;
      file.deleted = deleted;
      file.coverage = verdict.coverage;
      file.reason = verdict.reason;
      file.functions = evidence.functions;
    }
    if (known->second.tells && std::ranges::find(mine, &known->second) == mine.end()) mine.push_back(&known->second);
  }

  const TlsCoverageOptions& options_;
  LibraryTable libraries_;
  std::map<Key, File> files_;
  TlsCoverageReport report_;
};

}  // namespace

std::string_view to_string(TlsCoverage coverage) {
  switch (coverage) {
    case TlsCoverage::covered:
      return "covered";
    case TlsCoverage::stripped:
      return "stripped";
    case TlsCoverage::other_architecture:
      return "other_architecture";
    case TlsCoverage::unreadable:
      return "unreadable";
    case TlsCoverage::malformed:
      return "malformed";
    case TlsCoverage::other_library:
      return "other_library";
  }
  return "";
}

TlsVerdict judge(const TlsEvidence& evidence) {
  using enum TlsCoverage;
  const auto verdict = [](std::string_view kind, TlsCoverage coverage, std::string reason) {
    return TlsVerdict{true, kind, coverage, std::move(reason)};
  };
  if (evidence.nss) return verdict("NSS", other_library, "no functions of NSS are in the table");
  if (evidence.go)
    return verdict("Go", other_library, "crypto/tls of Go, if it uses TLS, has no functions in the table");
  if (evidence.rustls) return verdict("rustls", other_library, "no functions of rustls are in the table");
  if (evidence.family.empty()) return {};  // a program of which nothing is known
  const std::string_view kind = kind_of(evidence.family);
  if (!evidence.opened) return verdict(kind, unreadable, evidence.open_error);
  if (!evidence.elf) return verdict(kind, malformed, "not an ELF file, or one with unusual headers");
  if (!evidence.own_architecture) return verdict(kind, other_architecture, "for another architecture, or 32 bits");
  if (evidence.functions == 0) return verdict(kind, stripped, "it names none of the functions");
  if (!evidence.complete) return verdict(kind, stripped, "it names no function that sends, or none that receives");
  return verdict(kind, covered, {});
}

TlsCoverageReport find_tls_files(const TlsCoverageOptions& options) { return Search(options).run(); }

}  // namespace tracer
