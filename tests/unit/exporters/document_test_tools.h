// Makes documents of records.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/exporters/documents.h"
#include "tests/unit/exporters/crypto_samples.h"

namespace tracer::samples {

inline DocumentOptions document_options() {
  DocumentOptions options;
  options.version = "0.1.0";
  options.now = [] { return WallTime{start_ns + 3 * second_ns}; };
  options.user_name = [](std::uint32_t uid) {
    return uid == 33 ? std::optional<std::string>("www-data") : std::nullopt;
  };
  options.random = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  return options;
}

inline std::string document_of(Sink& sink, const std::vector<Record>& records) {
  std::string out;
  for (const Record& record : records) sink.write(record, out);
  EXPECT_EQ(out, "") << "a document is written at the end only";
  sink.finish(out);
  return out;
}

using MakeDocument = std::unique_ptr<DocumentSink> (*)(DocumentOptions);

inline std::string document_of(MakeDocument make, const std::vector<Record>& records,
                               DocumentOptions options = document_options()) {
  return document_of(*make(std::move(options)), records);
}
inline nlohmann::json parsed(MakeDocument make, const std::vector<Record>& records,
                             DocumentOptions options = document_options()) {
  return nlohmann::json::parse(document_of(make, records, std::move(options)));
}

// To accept a change on purpose: TRACER_UPDATE_GOLDEN=1, then review the diff.
inline void expect_golden(const std::string& name, const std::string& got) {
  const std::string path = std::string(TRACER_SOURCE_DIR "/tests/golden/documents/") + name;
  if (std::getenv("TRACER_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << got;
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  std::stringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(got, wanted.str()) << path;
}

}  // namespace tracer::samples
