#include "core/analyzers/crypto/crypto_catalog.h"

#include <algorithm>
#include <utility>

#include "core/analyzers/crypto/file_contents.h"
#include "core/analyzers/crypto/identity_cache.h"
#include "core/analyzers/crypto/library_version.h"
#include "core/analyzers/crypto/recent_findings.h"
#include "core/analyzers/crypto/secret_bytes.h"

namespace tracer {

namespace {

constexpr std::size_t library_piece_bytes = 256U << 10;

std::size_t bytes_of(const std::vector<FileAsset>& assets) {
  std::size_t bytes = sizeof(FileContents);
  for (const FileAsset& asset : assets) {
    bytes += sizeof asset + asset.evidence.detail.size();
    if (!asset.certificate) continue;
    bytes += asset.certificate->subject.size() + asset.certificate->issuer.size() + 256;
    for (const std::string& name : asset.certificate->names) bytes += sizeof name + name.size();
  }
  return bytes;
}

class CryptoCatalog final : public CryptoLookup {
 public:
  CryptoCatalog(const Registry& registry, FileSource& files, const CryptoLimits& limits)
      : registry_(registry),
        files_(files),
        limits_(limits),
        contents_(limits.cache_entries_max, limits.cache_bytes_max),
        recent_(limits.looks_per_tick, limits.recent_entries_max, limits.recent_bytes_max),
        versions_(limits.library_cache_entries_max, limits.cache_bytes_max) {}

  bool is_candidate(std::string_view path) const override { return registry_.file_rule(path) != nullptr; }

  void tick() override { recent_.clear(); }

  FileFinding look_into(const FileQuestion& question, bool opened) override {
    if (opened) {
      if (const FileFinding* known = recent_.find(question)) return *known;
    }
    FileFinding finding;
    const FileRule* rule = question.path_cut ? nullptr : registry_.file_rule(question.path);
    // A name that was given whole needs no look at a file that nobody opened.
    if (!opened && question.path.starts_with('/') && !question.path_cut) {
      finding.path = question.path;
    } else {
      const FileStat stat = files_.stat(question);
      finding.path = stat.path;
      if (opened) read_into(finding, question, stat);
    }
    if (rule == nullptr && !finding.path.empty()) rule = registry_.file_rule(finding.path);
    if (rule != nullptr) {
      finding.name_rule = rule->id;
      finding.expected = rule->suggests;
    }
    if (!opened) finding.not_seen_reason = "the process did not open it";
    if (finding.contents_seen)
      recent_.put(question, finding, bytes_of(finding.assets) + sizeof finding + question.path.size() * 2);
    return finding;
  }

  std::optional<LibraryFinding> library(const FileQuestion& question) override {
    const LibraryRule* rule = registry_.library_rule(question.path);
    if (rule == nullptr) return std::nullopt;
    const FileStat stat = files_.stat(question);
    LibraryFinding finding{rule->family, {}, rule->note, stat.path, {}};
    const std::string_view name = question.path.substr(question.path.rfind('/') + 1);
    finding.evidence.push_back({EvidenceKind::path_rule, std::string(name), rule->id});
    if (auto text = version_text(question, stat, *rule); !text.version.empty()) {
      finding.version = std::move(text.version);
      finding.evidence.push_back({EvidenceKind::bytes, std::move(text.text), rule->id});
    } else if (rule->version_in_name) {
      finding.version = version_in_name(name);
    }
    return finding;
  }

 private:
  void read_into(FileFinding& finding, const FileQuestion& question, const FileStat& stat) {
    if (stat.kind != FileKind::regular) {
      finding.not_seen_reason = stat.reason.empty() ? "not a regular file" : stat.reason;
      finding.out_of_reach = stat.kind != FileKind::other;
      return;
    }
    const FileContents* contents = contents_.find(stat.identity);
    FileContents fresh;
    if (contents == nullptr) {
      auto bytes = files_.read(question, stat.identity, 0, limits_.file_bytes_max);
      if (!bytes) {
        finding.not_seen_reason = "it could not be read, or was replaced meanwhile";
        finding.out_of_reach = true;
        return;
      }
      const SecretBytes held(*std::move(bytes));
      fresh = read_contents(held.view(), registry_, limits_);
      contents_.put(stat.identity, fresh, bytes_of(fresh.assets));
      contents = &fresh;
    }
    finding.contents_seen = true;
    finding.contents_cut = stat.identity.size > limits_.file_bytes_max;
    finding.assets = contents->assets;
    finding.assets_left_out = contents->left_out;
    finding.file_type = file_type_of(contents->assets);
  }

  // Empty: no rule for it, or nothing found.
  VersionText version_text(const FileQuestion& question, const FileStat& stat, const LibraryRule& rule) {
    if (rule.version_texts.empty()) return {};
    if (stat.kind != FileKind::regular) return {};
    if (const VersionText* known = versions_.find(stat.identity)) return *known;
    VersionText found;
    const std::uint64_t end = std::min<std::uint64_t>(stat.identity.size, limits_.library_bytes_max);
    for (std::uint64_t at = 0; at < end; at += library_piece_bytes) {
      const auto bytes = files_.read(question, stat.identity, at, library_piece_bytes + version_text_bytes_max);
      if (!bytes) return {};  // not the file any more: nothing to remember
      if (auto text = find_version(*bytes, rule.version_texts)) {
        found = *std::move(text);
        break;
      }
    }
    versions_.put(stat.identity, found, sizeof found + found.text.size() + found.version.size());
    return found;
  }

  const Registry& registry_;
  FileSource& files_;
  CryptoLimits limits_;
  IdentityCache<FileContents> contents_;
  RecentFindings recent_;
  IdentityCache<VersionText> versions_;
};

}  // namespace

std::unique_ptr<CryptoLookup> make_crypto_lookup(const Registry& registry, FileSource& files,
                                                 const CryptoLimits& limits) {
  return std::make_unique<CryptoCatalog>(registry, files, limits);
}

}  // namespace tracer
