// Fields of the records about processes and files. The process itself is at the top of the record; see Owner.
#pragma once

#include "core/records/fields.h"
#include "core/records/process_records.h"

namespace tracer {

template <>
struct FieldTable<ProcessExec> {
  static constexpr std::string_view event_type = "process_exec";
  static constexpr auto fields = std::tuple{
      field<"ppid", Presence::expected>(&ProcessExec::parent),
      field<"executable", Presence::expected, Redaction::path>(
          [](const ProcessExec& e) { return unless_empty(e.executable); }),
  };
};

template <>
struct FieldTable<ProcessExit> {
  static constexpr std::string_view event_type = "process_exit";
  static constexpr auto fields = std::tuple{
      field<"exit_code", Presence::optional>(&ProcessExit::exit_code),
      field<"signal", Presence::optional>(&ProcessExit::signal),
  };
};

template <>
struct FieldTable<FileOpen> {
  static constexpr std::string_view event_type = "file_open";
  static constexpr auto fields = std::tuple{
      field<"file", Presence::expected, Redaction::path>([](const FileOpen& f) { return unless_empty(f.file); }),
      field<"flags", Presence::expected>([](const FileOpen& f) -> std::optional<OwnedTextList> {
        if (!f.flags) return std::nullopt;
        return OwnedTextList{*f.flags};
      }),
      field<"result", Presence::expected>([](const FileOpen& f) -> std::optional<std::string_view> {
        if (!f.result) return std::nullopt;
        return *f.result;
      }),
  };
};

}  // namespace tracer
