// Which files with TLS in them processes have mapped, and of which of them the plaintext can be read: for doctor. Says
// only what the files themselves show; a program without symbols that speaks TLS all the same is not known as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/ebpf/tls_functions.h"

namespace tracer {

enum class TlsCoverage : std::uint8_t {
  covered,
  stripped,            // a library of the table that names none of the functions
  other_architecture,  // or 32 bits
  unreadable,          // the file cannot be opened or read; why is in the reason
  malformed,           // no ELF file, or one with tables that do not fit
  other_library,       // of a kind that has no rows in the table: NSS, Go, rustls
};
[[nodiscard]] std::string_view to_string(TlsCoverage coverage);

struct TlsUser {
  std::uint32_t pid = 0;  // as /proc numbers it
  std::string name;       // comm
};

// One file, however many processes, paths and mount namespaces it is mapped through.
struct TlsFile {
  std::string path;  // as the first process found has it mapped
  std::uint64_t device = 0, inode = 0;
  std::string_view kind;  // "OpenSSL", "GnuTLS", "NSS", "Go", "rustls". Static storage
  bool program = false;   // held by the program itself: not a library of its own
  bool deleted = false;   // has no name any more: it was replaced
  TlsCoverage coverage{};
  std::string reason;          // why not; empty: covered
  std::size_t functions = 0;   // of the table, that it has
  std::size_t wanted = 0;      // that the table has for its family
  std::vector<TlsUser> users;  // by pid
};

struct TlsCoverageReport {
  std::vector<TlsFile> files;  // by path
  std::size_t processes = 0;   // that were looked at
  std::size_t unreadable = 0;  // whose mappings may not be read
  std::size_t left_out = 0;    // over a limit: processes, and files
};

struct TlsCoverageOptions {
  std::string proc_root = "/proc";
  TlsTable table = tls_table();
  std::size_t processes_max = 32'768;
  std::size_t files_max = 1024;
  std::size_t maps_bytes_max = 8u << 20;    // of one process
  std::size_t table_bytes_max = 64u << 20;  // symbols and their names, of one file
};

// A look at every process; reads each file once. Takes a second where there are some hundred processes.
[[nodiscard]] TlsCoverageReport find_tls_files(const TlsCoverageOptions& options = {});

// What is known of one file by what is in it. Pure; `names` are the symbols of other libraries that were found in it.
struct TlsEvidence {
  std::string_view family;    // by the file's name, or of the functions that a program has; empty: none
  std::size_t functions = 0;  // of the family
  bool complete = false;      // at least one that sends and one that receives
  bool opened = false, elf = false, own_architecture = false;
  std::string open_error;  // of the system
  bool program = false;
  bool go = false;      // section .go.buildinfo
  bool rustls = false;  // symbols of it
  bool nss = false;     // by the file's name
};
struct TlsVerdict {
  bool tells = false;  // false: nothing says that there is TLS in it
  std::string_view kind{};
  TlsCoverage coverage{};
  std::string reason{};
};
[[nodiscard]] TlsVerdict judge(const TlsEvidence& evidence);

}  // namespace tracer
