// What an inventory holds: processes, and what they did, each kind of thing once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/record.h"

namespace tracer {

// One process, from its start to its end, whatever programs it became.
struct ProcessItem {
  ProcessFacts facts;      // of the program that it became last
  bool asked_for = false;  // by the user's selection
  std::string executable;  // as given to exec; empty: not known
  std::optional<std::uint32_t> parent;
  std::optional<std::vector<std::string>> arguments;
  bool arguments_cut = false;
  std::optional<std::uint32_t> gid;
  std::optional<WallTime> started_at;  // absent: not known
  bool preexisting = false;            // it ran before the tracer watched
  bool exec_seen = false;              // or found running
  bool exited = false;
  std::optional<int> exit_code, signal;
  std::vector<std::string_view> missing;  // fields that its records lacked; static storage

  // Empty: not known.
  [[nodiscard]] const std::string& program() const { return facts.executable.empty() ? executable : facts.executable; }
};

// By whom, when, how often, and how that is known.
struct Sightings {
  struct User {
    std::uint32_t process = 0;  // index into Inventory::processes()
    std::uint64_t count = 0;
    std::uint64_t refused = 0;  // of these; only of files
    [[nodiscard]] bool got_nothing() const { return refused == count; }
  };
  struct Origin {
    BackendKind backend{};
    std::optional<Mechanism> mechanism;
    auto operator<=>(const Origin&) const = default;
  };
  std::uint64_t count = 0;
  WallTime first, last;
  std::vector<User> users;  // in the order of their index
  bool users_cut = false;   // there were more
  std::set<Origin> origins;
  std::set<std::string_view> missing, inferred;  // names of record fields; static storage
  std::vector<Evidence> evidence;                // each once
  std::uint64_t evidence_left_out = 0;           // more than are listed, counted as often as it came
};

struct LibraryItem {
  std::string path, container_id;  // key; path may be empty: not known
  std::string name, family, version, note;
  bool found_mapped = false;          // by a process that had it before the tracer looked
  std::optional<WallTime> loaded_at;  // the first time that was seen; absent: none was
  Sightings seen;
};

struct FileItem {
  std::string path, container_id;  // key: as opened if that is absolute, else as resolved
  std::string resolved;            // empty: not known
  std::string type;                // by contents; "unknown": nothing was found in it; empty: not known
  std::string name_suggests, name_rule;
  std::vector<FileAsset> assets;      // all that were ever found, also if it changed meanwhile
  std::uint64_t assets_left_out = 0;  // more than are listed
  bool contents_seen = false, contents_cut = false;
  bool out_of_reach = false;  // at one time nobody could look at its contents
  std::string not_seen_reason;
  std::set<std::string> flags;
  std::uint64_t opened = 0, found_open = 0, result_unknown = 0;
  std::map<std::string, std::uint64_t> failures;  // by the name of the error
  Sightings seen;
};

// Which end of a handshake `seen.users` are. `observer`: no process of either end is known, or asked for.
enum class HandshakeRole : std::uint8_t { client, server, observer };
[[nodiscard]] constexpr std::string_view to_string(HandshakeRole role) {
  switch (role) {
    case HandshakeRole::client:
      return "client";
    case HandshakeRole::server:
      return "server";
    case HandshakeRole::observer:
      return "observer";
  }
  return "";
}

// What makes two handshakes be of one kind.
struct HandshakeKind {
  HandshakeRole role{};
  // Of a server, its client's address; else the server's address with its port. Absent: not known.
  std::optional<Endpoint> peer;
  std::optional<std::string> sni, alpn, version, cipher_suite, group, signature_algorithm;
  std::optional<bool> resumed;
  std::optional<PostQuantum> post_quantum;
  bool complete = false;
  std::string_view incomplete_reason;
  auto operator<=>(const HandshakeKind&) const = default;
};

struct HandshakeItem {
  HandshakeKind kind;
  std::vector<std::string> certificates, client_certificates;          // SHA-256 of each that was shown
  bool certificates_known = false, client_certificates_known = false;  // false: encrypted, or not seen
  std::set<std::string_view> findings;
  std::map<std::string, std::uint64_t> alerts;  // "server fatal handshake_failure"
  std::set<std::string> ja3, ja3s, ja4;
  Sightings seen;
};

struct CallKind {
  std::string function, library, argument;
  std::optional<std::uint64_t> size;
  std::optional<std::int64_t> result;
  auto operator<=>(const CallKind&) const = default;
};

struct CallItem {
  CallKind kind;
  Sightings seen;  // count: calls, not records
};

}  // namespace tracer
