#include "cli/doctor_bundle.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/unique_fd.h"
#include "core/records/redaction.h"

namespace tracer::cli {
namespace {

using Json = nlohmann::ordered_json;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void replace_words(std::string& text, std::string_view word, std::string_view by) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
    const std::size_t end = at + word.size();
    if ((at != 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end]))) {
      at = end;
      continue;
    }
    text.replace(at, word.size(), by);
    at += by.size();
  }
}

void redact(Json& value, std::string_view host_name) {
  constexpr std::size_t host_name_min = 3;  // shorter ones would hit words of the report
  if (value.is_structured()) {
    for (Json& member : value) redact(member, host_name);
    return;
  }
  if (!value.is_string()) return;
  std::string text = value.get<std::string>();
  std::string safe;
  if (redact_message(text, safe)) text = std::move(safe);
  if (host_name.size() >= host_name_min) replace_words(text, host_name, "HOST");
  value = std::move(text);
}

}  // namespace

std::string bundle_text(const DoctorReport& report, const Verification& verification,
                        const std::vector<RefusedProgram>& refused, std::string_view host_name) {
  Json opened = Json::array();
  for (const OpenedWay& way : verification.opened) {
    Json programs = Json::array();
    for (const AttachOutcome& outcome : way.outcomes) {
      programs.push_back(
          {{"what", outcome.what}, {"attached", outcome.attached}, {"reason", outcome.reason}, {"code", outcome.code}});
      if (outcome.load_ms) programs.back()["load_ms"] = *outcome.load_ms;
    }
    opened.push_back({{"backend", to_string(way.backend)},
                      {"mechanism", to_string(way.mechanism)},
                      {"programs", std::move(programs)}});
  }
  Json programs = Json::array();
  for (const RefusedProgram& program : refused)
    programs.push_back(
        {{"object", program.object}, {"program", program.program}, {"code", program.code}, {"log", program.log}});
  Json document{{"schema_version", doctor_schema_version},
                {"report", to_json(report)},
                {"opened", std::move(opened)},
                {"refused_programs", std::move(programs)}};
  redact(document, host_name);
  constexpr int indent = 1;
  return document.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<void> write_bundle(const std::string& path, std::string_view text) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) {
    if (errno == EEXIST)
      return fail(Errc::invalid_argument, path + " is there already, and is not overwritten",
                  "tracer doctor --bundle " + path + ".2");
    return std::unexpected(os_failure(errno, path));
  }
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int why = errno;
      ::unlink(path.c_str());
      return std::unexpected(os_failure(why, path));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS) {
    const int why = errno;
    ::unlink(path.c_str());
    return std::unexpected(os_failure(why, path));
  }
  return {};
}

}  // namespace tracer::cli
