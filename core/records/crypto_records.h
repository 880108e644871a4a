// What processes do with cryptographic files and libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ownership.h"
#include "core/records/certificate_facts.h"
#include "core/records/evidence.h"
#include "core/records/flow_identity.h"

namespace tracer {

// One thing that was found inside a file. Of private keys: type and size, nothing else.
struct FileAsset {
  std::string_view type;              // "certificate", "private_key", "public_key", "keystore", …; static storage
  std::string format;                 // "PEM", "DER", "PKCS#12", "JKS", "OpenSSH", "PuTTY", …
  std::string algorithm;              // of a key: "RSA", "EC", …; empty: not known or none
  std::optional<std::uint32_t> bits;  // of a key
  std::string curve;
  std::optional<bool> encrypted;         // of a private key or a keystore
  std::optional<std::uint64_t> entries;  // of a keystore or trust store, as far as they are in clear
  std::string
      public_key_sha256;  // of the SubjectPublicKeyInfo, as a certificate's; empty: the public half is not in clear
  std::optional<CertificateFacts> certificate;
  Evidence evidence;
};

// What is known of a file, for its name and, where it could be read, its contents.
struct FileFinding {
  std::string path;       // absolute, as the process sees it; empty: could not be resolved
  std::string file_type;  // "certificate", "private_key", "keystore", … by contents; "unknown": nothing was found in it
  std::string expected;   // what the name alone suggests; empty: nothing
  std::string name_rule;  // of the registry, that made it worth a look; empty: none
  std::vector<FileAsset> assets;
  std::uint64_t assets_left_out = 0;  // more than are listed
  bool contents_seen = false;         // false: the file could not be read, or not any more
  bool contents_cut = false;          // it is larger than what is looked at
  std::string not_seen_reason;        // why contents_seen is false
  bool out_of_reach = false;          // there were contents, and nobody could look at them
};

// A cryptographic library was mapped into a process.
struct LibLoad {
  std::shared_ptr<const ProcessFacts> process;
  std::string library;       // path; empty: not known
  std::string resolved;      // with all links followed; empty: could not be resolved
  std::string library_name;  // the file's own name, which is the soname in most cases
  std::string family;        // "OpenSSL", "GnuTLS", …
  std::string version;       // empty: not known
  std::string note;          // of the registry: FIPS, post-quantum
  bool preexisting = false;  // was mapped before the tracer looked
  std::vector<Evidence> evidence;
};

// Calls of a function of a cryptographic library.
struct ApiCall {
  std::shared_ptr<const ProcessFacts> process;
  std::string function_name;
  std::string library;
  std::string argument;  // empty: none is told
  std::optional<std::uint64_t> size;
  std::optional<std::int64_t> result;
  std::uint64_t count = 1;  // since the last record of the same
  std::vector<Evidence> evidence;
};

}  // namespace tracer
