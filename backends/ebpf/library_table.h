// Which functions of which libraries breakpoints are set in: what the tables of crypto_functions.h and tls_functions.h
// have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tracer {

// Files that hold the functions of a family, by their own names.
struct LibraryFile {
  std::string_view family;
  std::string_view pattern;  // as core/base/glob.h has it
};

// By the last part of a path; nullopt: no library of these.
[[nodiscard]] std::optional<std::string_view> family_of(std::span<const LibraryFile> files, std::string_view path);

struct LibraryFunction {
  std::string_view family;
  std::string_view name;  // the symbol
  // A program that has a function of each part from 1 on holds the library itself. 0: says nothing of that.
  std::uint8_t part = 0;
  std::string_view unless{};  // not needed where there is this one, which it ends in
};

// What is looked for. The functions' places in `functions` number them. Points into the table that it was made of.
struct LibraryTable {
  std::span<const LibraryFile> files;
  std::vector<LibraryFunction> functions;

  [[nodiscard]] std::optional<std::string_view> family_of(std::string_view path) const {
    return tracer::family_of(files, path);
  }
  // Of a family; of all of them.
  [[nodiscard]] std::vector<std::string_view> names(std::optional<std::string_view> family = std::nullopt) const;

  using Offsets = std::unordered_map<std::string_view, std::uint64_t>;  // by the names that were found
  struct Place {
    std::size_t number = 0;  // of the function
    std::uint64_t offset = 0;
  };
  // Of the functions of `family`, without those that are not needed.
  [[nodiscard]] std::vector<Place> places(std::string_view family, const Offsets& found) const;
  // How many functions of `family` there would have to be, where these were found.
  [[nodiscard]] std::size_t needed(std::string_view family, const Offsets& found) const;
  // Of which a program with these functions holds the library itself; nullopt: of none.
  [[nodiscard]] std::optional<std::string_view> held_family(const Offsets& found) const;
};

}  // namespace tracer
