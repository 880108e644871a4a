// Fields of the records about processes and files. The process itself is at the top of the record; see Owner.
#pragma once

#include "core/records/fields.h"
#include "core/records/fields_tls.h"
#include "core/records/process_records.h"

namespace tracer {

template <>
struct FieldTable<ProcessExec> {
  static constexpr std::string_view event_type = "process_exec";
  static constexpr auto fields = std::tuple{
      field<"ppid", Presence::expected>(&ProcessExec::parent),
      field<"executable", Presence::expected, Redaction::path>(
          [](const ProcessExec& e) { return unless_empty(e.executable); }),
      field<"argv", Presence::expected, Redaction::argv>([](const ProcessExec& e) -> std::optional<OwnedTextList> {
        if (!e.arguments) return std::nullopt;
        return OwnedTextList{*e.arguments};
      }),
      field<"argv_cut", Presence::optional>([](const ProcessExec& e) -> std::optional<bool> {
        return e.arguments_cut ? std::optional(true) : std::nullopt;
      }),
      field<"gid", Presence::optional>(&ProcessExec::gid),
      field<"already_running", Presence::optional>([](const ProcessExec& e) -> std::optional<bool> {
        return e.preexisting ? std::optional(true) : std::nullopt;
      }),
      field<"started_at", Presence::optional>(&ProcessExec::started_at),
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
struct FieldTable<FileAsset> {
  using A = FileAsset;
  static constexpr auto fields = std::tuple{
      field<"type">(&A::type),
      field<"format", Presence::optional>([](const A& a) { return unless_empty(a.format); }),
      field<"algorithm", Presence::optional>([](const A& a) { return unless_empty(a.algorithm); }),
      field<"bits", Presence::optional>(&A::bits),
      field<"curve", Presence::optional>([](const A& a) { return unless_empty(a.curve); }),
      field<"encrypted", Presence::optional>(&A::encrypted),
      field<"entries", Presence::optional>(&A::entries),
      field<"public_key_sha256", Presence::optional>([](const A& a) { return unless_empty(a.public_key_sha256); }),
      field<"certificate", Presence::optional>(&A::certificate),
      field<"evidence">([](const A& a) -> const Evidence& { return a.evidence; }),
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
      field<"errno", Presence::expected>(&FileOpen::error),
      field<"already_open", Presence::optional>(
          [](const FileOpen& f) -> std::optional<bool> { return f.preexisting ? std::optional(true) : std::nullopt; }),
      field<"resolved_file", Presence::optional, Redaction::path>(
          [](const FileOpen& f) { return unless_empty(f.finding.path); }),
      field<"file_type", Presence::expected>([](const FileOpen& f) { return unless_empty(f.finding.file_type); }),
      field<"name_suggests", Presence::optional>([](const FileOpen& f) { return unless_empty(f.finding.expected); }),
      field<"name_rule", Presence::optional>([](const FileOpen& f) { return unless_empty(f.finding.name_rule); }),
      field<"assets">([](const FileOpen& f) { return std::span<const FileAsset>(f.finding.assets); }),
      field<"assets_left_out", Presence::optional>([](const FileOpen& f) -> std::optional<std::uint64_t> {
        return f.finding.assets_left_out != 0 ? std::optional(f.finding.assets_left_out) : std::nullopt;
      }),
      field<"contents", Presence::always>([](const FileOpen& f) -> std::string_view {
        if (!f.finding.contents_seen) return "not_seen";
        return f.finding.contents_cut ? "cut" : "seen";
      }),
      field<"contents_reason", Presence::optional, Redaction::message>(
          [](const FileOpen& f) { return unless_empty(f.finding.not_seen_reason); }),
  };
};

template <>
struct FieldTable<LibLoad> {
  static constexpr std::string_view event_type = "lib_load";
  using L = LibLoad;
  static constexpr auto fields = std::tuple{
      field<"library", Presence::expected, Redaction::path>([](const L& l) { return unless_empty(l.library); }),
      field<"library_name", Presence::expected>([](const L& l) { return unless_empty(l.library_name); }),
      field<"resolved_library", Presence::optional, Redaction::path>([](const L& l) -> std::optional<std::string_view> {
        return l.resolved != l.library ? unless_empty(l.resolved) : std::nullopt;
      }),
      field<"family", Presence::optional>([](const L& l) { return unless_empty(l.family); }),
      field<"version", Presence::optional>([](const L& l) { return unless_empty(l.version); }),
      field<"note", Presence::optional>([](const L& l) { return unless_empty(l.note); }),
      field<"already_loaded", Presence::optional>(
          [](const L& l) -> std::optional<bool> { return l.preexisting ? std::optional(true) : std::nullopt; }),
      field<"evidence">([](const L& l) { return std::span<const Evidence>(l.evidence); }),
  };
};

template <>
struct FieldTable<ApiCall> {
  static constexpr std::string_view event_type = "api_call";
  using A = ApiCall;
  static constexpr auto fields = std::tuple{
      field<"function_name">([](const A& a) { return std::string_view(a.function_name); }),
      field<"library", Presence::expected, Redaction::path>([](const A& a) { return unless_empty(a.library); }),
      field<"argument", Presence::optional, Redaction::path>([](const A& a) { return unless_empty(a.argument); }),
      field<"size", Presence::optional>(&A::size),
      field<"result", Presence::optional>(&A::result),
      field<"count">(&A::count),
      field<"evidence">([](const A& a) { return std::span<const Evidence>(a.evidence); }),
  };
};

}  // namespace tracer
