#include "core/sinks/text_sink.h"

#include <algorithm>

#include "core/records/address_text.h"
#include "core/records/fields_record.h"
#include "core/sinks/field_redactor.h"
#include "core/sinks/short_text.h"
#include "core/sinks/terminal_text.h"

namespace tracer {
namespace {

enum class Colour : std::uint8_t { none, good, notice, bad, dim };

std::string_view escape_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::good:
      return "\x1b[32m";
    case Colour::notice:
      return "\x1b[33m";
    case Colour::bad:
      return "\x1b[31m";
    case Colour::dim:
      return "\x1b[2m";
  }
  return "";
}

Colour colour_of_status(std::uint16_t status) {
  if (status >= 500) return Colour::bad;
  if (status >= 400) return Colour::notice;
  return Colour::good;
}

class LineWriter {
 public:
  LineWriter(LineBuffer& out, FieldRedactor& redactor, const SinkOptions& options)
      : out_(out), redactor_(redactor), options_(options) {}

  void head(WallTime time) {
    time_of_day(time);
    gap();
  }

  void body(const HttpTransaction& t) {
    parties(t.flow);
    status(t);
    right(size_text(t.request.present ? t.request.body_bytes : std::nullopt), 7);
    right(size_text(t.response.present ? t.response.body_bytes : std::nullopt), 7);
    right(duration_text(t.duration_ms), 8);
    url(t);
    if (t.tls && t.tls->version) note(Colour::dim, *t.tls->version, {});
    if (!t.complete) note(Colour::notice, "incomplete", t.incomplete_reason);
    for (const std::string_view anomaly : t.anomalies) note(Colour::bad, "anomaly", anomaly);
  }

  void body(const ConnectionSummary& c) {
    parties(c.flow);
    left("-", 3);
    right(size_text(c.client_to_server ? std::optional(c.client_to_server->moved) : std::nullopt), 7);
    right(size_text(c.server_to_client ? std::optional(c.server_to_client->moved) : std::nullopt), 7);
    right(duration_text(c.duration_ms), 8);
    out_.put("connection ");
    if (c.protocol) {
      put_terminal_text(out_, *c.protocol);
      out_.put(' ');
    }
    put_terminal_text(out_, c.state);
  }

  void body(const ProcessExec& e) {
    acting("exec", e.process);
    path(e.executable.empty() && e.process ? e.process->executable : e.executable);
  }

  void body(const ProcessExit& e) {
    acting("exit", e.process);
    if (e.exit_code)
      out_.put_number(*e.exit_code);
    else
      out_.put(e.signal ? "signal " : "-");
    if (e.signal) out_.put_number(*e.signal);
  }

  void body(const FileOpen& f) {
    acting("open", f.process);
    path(f.file);
    if (f.result) {
      const Colour shade = *f.result == "success" ? Colour::none : Colour::bad;
      out_.put(' ');
      colour(shade);
      put_terminal_text(out_, *f.result);
      plain(shade);
    }
    if (f.flags) {
      char separator = ' ';
      for (const std::string& flag : *f.flags) {
        out_.put(std::exchange(separator, '|'));
        out_.put(flag);
      }
    }
    if (f.preexisting) note(Colour::dim, "already open", {});
    found_in(f.finding);
  }

  void body(const LibLoad& l) {
    acting("load", l.process);
    path(l.library.empty() ? l.library_name : l.library);
    if (!l.family.empty()) word(l.family);
    if (!l.version.empty()) word(l.version);
    if (l.preexisting) note(Colour::dim, "already loaded", {});
    if (!l.note.empty()) note(Colour::notice, "note", l.note);
  }

  void body(const ApiCall& a) {
    acting("call", a.process);
    put_terminal_text(out_, a.function_name);
    if (!a.argument.empty()) {
      out_.put(' ');
      path(a.argument);
    }
    if (a.size) {
      word("size ");
      out_.put_number(*a.size);
    }
    if (a.result) {
      word("= ");
      out_.put_number(*a.result);
    }
    if (a.count > 1) {
      word("x");
      out_.put_number(a.count);
    }
  }

  void body(const TlsHandshake& t) {
    parties(t.flow);
    out_.put(t.version ? std::string_view() : "TLS");
    char separator = '\0';
    for (const auto* text : {&t.version, &t.cipher_suite, &t.group, &t.sni}) {
      if (!*text) continue;
      if (separator != '\0' || !t.version) out_.put(' ');
      separator = ' ';
      put_terminal_text(out_, **text);
    }
    if (t.resumed.value_or(false)) word("resumed");
    if (t.post_quantum == PostQuantum::negotiated) word("post-quantum");
    for (const CertificateFacts& leaf :
         std::span(t.certificates).first(std::min<std::size_t>(t.certificates.size(), 1)))
      note(Colour::none, "certificate", leaf.subject);
    for (const TlsAlert& alert : t.alerts)
      if (alert.level == "fatal") note(Colour::bad, "alert", alert.description);
    if (!t.complete) note(Colour::notice, "incomplete", t.incomplete_reason);
    for (const std::string_view finding : t.findings) note(Colour::bad, "weak", finding);
  }

  void body(const TraceStart& t) {
    out_.put("tracer ");
    put_terminal_text(out_, t.version);
    out_.put(" on ");
    put_terminal_text(out_, t.host.empty() ? std::string_view("this machine") : t.host);
    out_.put(":");
    for (const FacetPlan& facet : t.plan.facets) {
      if (!facet.backend) continue;
      out_.put(' ');
      out_.put(to_string(facet.facet));
      out_.put(" by ");
      backend(*facet.backend, facet.mechanism);
      if (facet.facet == Facet::https) out_.put(" + uprobe");
    }
    if (!std::ranges::any_of(t.plan.facets, [](const FacetPlan& facet) { return facet.backend.has_value(); }))
      out_.put(" nothing can be seen");
    for (const std::string& blind : t.blind) note(Colour::notice, "blind", message(blind));
  }

  void body(const TraceEnd& t) {
    out_.put("end (");
    put_terminal_text(out_, message(t.reason));
    out_.put("): ");
    out_.put_number(t.records_written);
    out_.put(" written, ");
    out_.put_number(t.records_filtered);
    out_.put(" filtered, ");
    if (t.flows_filtered != 0) {
      out_.put_number(t.flows_filtered);
      out_.put(" flows filtered in the kernel, ");
    }
    out_.put_number(t.unjoined);
    out_.put(" unjoined, ");
    out_.put_number(t.unwitnessed);
    out_.put(" unwitnessed");
    losses(t.lost);
    blind(t.blind);
  }

  void body(const Loss& l) {
    colour(Colour::bad);
    out_.put("lost ");
    out_.put_number(l.count.events);
    out_.put(" events (");
    out_.put_number(l.count.bytes);
    out_.put(" bytes) in ");
    put_terminal_text(out_, l.where);
    out_.put(": ");
    put_terminal_text(out_, l.count.cause);
    plain(Colour::bad);
  }

  void body(const BackendSwitch& s) {
    colour(Colour::notice);
    out_.put(to_string(s.facet));
    out_.put(": ");
    backend(s.from_backend, s.from_mechanism);
    out_.put(" -> ");
    if (s.to_backend)
      backend(*s.to_backend, s.to_mechanism);
    else
      out_.put("nothing");
    out_.put(", unwatched for ");
    out_.put(duration_text(s.unwatched_ms).view());
    out_.put(": ");
    put_terminal_text(out_, message(s.reason));
    plain(Colour::notice);
  }

 private:
  void colour(Colour wanted) {
    if (options_.colour) out_.put(escape_of(wanted));
  }
  void plain(Colour was) {
    if (options_.colour && was != Colour::none) out_.put("\x1b[0m");
  }
  void gap() { out_.put("  "); }
  void spaces(std::size_t columns) {
    std::memset(out_.reserve(columns), ' ', columns);
    out_.commit(columns);
  }
  void fill(std::size_t used, std::size_t width) { spaces(width > used ? width - used : 0); }
  void left(std::string_view text, std::size_t width) {
    out_.put(text);
    fill(text.size(), width);
    gap();
  }
  void right(const ShortText& text, std::size_t width) {
    fill(text.size, width);
    out_.put(text.view());
    gap();
  }
  std::string_view message(std::string_view raw) { return redactor_.field(Redaction::message, raw).text; }

  void time_of_day(WallTime time) {
    constexpr std::int64_t day_ms = 86'400'000;
    const std::int64_t local_ms = time.ns / 1'000'000 + std::int64_t{options_.utc_offset_seconds} * 1000;
    auto of_day = static_cast<unsigned>((local_ms % day_ms + day_ms) % day_ms);
    char* const to = out_.reserve(12);
    const auto number = [&](std::size_t at, std::size_t digits, unsigned value) {
      for (; digits-- > 0; value /= 10) to[at + digits] = static_cast<char>('0' + value % 10);
    };
    number(0, 2, of_day / 3'600'000);
    number(3, 2, of_day / 60'000 % 60);
    number(6, 2, of_day / 1000 % 60);
    number(9, 3, of_day % 1000);
    to[2] = to[5] = ':';
    to[8] = '.';
    out_.commit(12);
  }

  void backend(BackendKind kind, std::optional<Mechanism> mechanism) {
    out_.put(to_string(kind));
    if (!mechanism) return;
    out_.put('/');
    out_.put(to_string(*mechanism));
  }

  void parties(const FlowIdentity& flow) {
    fill(party(flow.client), party_columns);
    out_.put(" \xe2\x86\x92 ");  // an arrow to the right
    fill(party(flow.server), party_columns);
    gap();
  }

  // "name[pid]", or where no process is known "address:port". Returns its columns.
  std::size_t party(const Party& who) {
    const ProcessFacts* const process = who.process.get();
    if (process != nullptr && !process->comm.empty()) {
      std::size_t columns = put_terminal_text(out_, process->comm);
      const std::size_t start = out_.size();
      if (const auto pid = process_fields::pid(process); pid || process->tgid != 0) {
        out_.put(pid ? "[" : "[host ");
        out_.put_number(pid ? *pid : process->tgid);
        out_.put(']');
      }
      return columns + out_.size() - start;
    }
    const std::size_t start = out_.size();
    if (who.endpoint)
      endpoint(*who.endpoint);
    else
      out_.put('?');
    return out_.size() - start;
  }

  void endpoint(const Endpoint& where) {
    char* const to = out_.reserve(address_text_max);
    const std::size_t size = format_address(where.address, to);
    const bool v6 = std::string_view(to, size).contains(':');
    if (v6) {
      std::memmove(to + 1, to, size);
      to[0] = '[';
      to[size + 1] = ']';
    }
    out_.commit(size + (v6 ? 2 : 0));
    out_.put(':');
    out_.put_number(where.port);
  }

  void status(const HttpTransaction& t) {
    if (!t.response.present) return left("-", 3);
    const Colour shade = colour_of_status(t.response.status_code);
    colour(shade);
    const std::size_t start = out_.size();
    out_.put_number(t.response.status_code);
    fill(out_.size() - start, 3);
    plain(shade);
    gap();
  }

  void url(const HttpTransaction& t) {
    if (!t.request.present) return out_.put("- (request not seen)");
    const std::string_view method = t.request.view(t.request.method);
    const std::string_view target = t.request.view(t.request.url);
    fill(put_terminal_text(out_, method), 7);
    out_.put(' ');
    if (target.starts_with('/') || target == "*") {
      out_.put(t.tls ? "https://" : "http://");
      if (const auto host = request_host(t.request))
        put_terminal_text(out_, redactor_.field(Redaction::url, *host).text);
      else if (t.flow.server.endpoint)
        endpoint(*t.flow.server.endpoint);
      else
        out_.put('?');
      if (target == "*") out_.put(' ');
    }
    put_terminal_text(out_, redactor_.field(Redaction::url, target).text);
  }

  void note(Colour shade, std::string_view what, std::string_view detail) {
    gap();
    colour(shade);
    out_.put('[');
    out_.put(what);
    if (!detail.empty()) {
      out_.put(": ");
      put_terminal_text(out_, detail);
    }
    out_.put(']');
    plain(shade);
  }

  // Who did what.
  void acting(std::string_view what, const std::shared_ptr<const ProcessFacts>& process) {
    fill(party(Party{std::nullopt, process}), party_columns);
    gap();
    left(what, 4);
  }

  void path(std::string_view raw) {
    if (raw.empty()) return out_.put('-');
    put_terminal_text(out_, redactor_.field(Redaction::path, raw).text);
  }

  void asset(const FileAsset& asset) {
    gap();
    out_.put('[');
    put_terminal_text(out_, asset.type);
    const bool named = asset.certificate && !asset.certificate->subject.empty();
    if (const std::string_view what = named ? asset.certificate->subject : asset.algorithm; !what.empty()) {
      out_.put(": ");
      put_terminal_text(out_, what);
    }
    if (!named && asset.bits) {
      out_.put(' ');
      out_.put_number(*asset.bits);
    }
    if (asset.encrypted.value_or(false)) out_.put(", encrypted");
    out_.put(']');
  }

  // What was read in it; what only its name suggests is told as that.
  void found_in(const FileFinding& finding) {
    constexpr std::size_t assets_max = 3;
    const auto shown = std::span(finding.assets).first(std::min(finding.assets.size(), assets_max));
    for (const FileAsset& asset : shown) this->asset(asset);
    if (const std::uint64_t more = finding.assets.size() - shown.size() + finding.assets_left_out; more != 0) {
      gap();
      out_.put("[and ");
      out_.put_number(more);
      out_.put(" more]");
    }
    if (finding.assets.empty() && !finding.expected.empty()) note(Colour::dim, "named like", finding.expected);
  }

  void losses(const std::vector<LossCount>& list) {
    if (list.empty()) return;
    out_.put("; ");
    colour(Colour::bad);
    out_.put("lost:");
    for (const LossCount& count : list) {
      out_.put(' ');
      out_.put_number(count.events);
      out_.put(" events (");
      put_terminal_text(out_, count.cause);
      out_.put(')');
    }
    plain(Colour::bad);
  }

  void blind(const std::vector<BlindCount>& list) {
    if (list.empty()) return;
    out_.put("; ");
    colour(Colour::notice);
    out_.put("not seen into:");
    for (const BlindCount& count : list) {
      out_.put(' ');
      out_.put_number(count.flows ? *count.flows : count.count ? *count.count : count.bytes.value_or(0));
      out_.put(count.flows ? " flows (" : count.count ? " times (" : " bytes (");
      put_terminal_text(out_, count.what);
      out_.put(')');
    }
    plain(Colour::notice);
  }

  void word(std::string_view text) {
    out_.put(' ');
    put_terminal_text(out_, text);
  }

  static constexpr std::size_t party_columns = 23;  // a full comm of 15, brackets and 6 digits

  LineBuffer& out_;
  FieldRedactor& redactor_;
  const SinkOptions& options_;
};

class TextSink final : public Sink {
 public:
  explicit TextSink(SinkOptions options) : options_(std::move(options)), redactor_(options_.redact) {}

  void write(const Record& record, std::string& out) override {
    LineBuffer line(out);
    LineWriter writer(line, redactor_, options_);
    writer.head(record.timestamp);
    std::visit([&](const auto& body) { writer.body(body); }, record.body);
    line.put('\n');
  }

 private:
  SinkOptions options_;
  FieldRedactor redactor_;
};

}  // namespace

std::unique_ptr<Sink> make_text_sink(SinkOptions options) { return std::make_unique<TextSink>(std::move(options)); }

}  // namespace tracer
