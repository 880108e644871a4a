// A planted secret appears in no output, wherever it was planted.
#include <gtest/gtest.h>

#include "core/sinks/json_sink.h"
#include "core/sinks/json_text.h"
#include "core/sinks/text_sink.h"
#include "tests/unit/sinks/sample_records.h"

namespace tracer {
namespace {

using namespace std::string_literals;

constexpr std::string_view planted = "S3cr3tHunter2";

std::string base64(std::string_view text) {
  std::string out;
  {
    LineBuffer line(out);
    put_base64(line, text);
  }
  return out.substr(1, out.size() - 2);
}

// The secret itself, or what any alignment of it looks like in base64.
bool leaks(std::string_view output) {
  if (output.contains(planted)) return true;
  for (std::size_t skip = 0; skip < 3; ++skip) {
    const std::string encoded = base64(planted.substr(skip, (planted.size() - skip) / 3 * 3));
    if (output.contains(encoded)) return true;
  }
  return false;
}

std::string all_output(const Record& record, bool redact = true) {
  std::string out;
  make_json_sink({.run_id = "r", .redact = redact})->write(record, out);
  make_text_sink({.run_id = "r", .redact = redact})->write(record, out);
  return out;
}

std::string with(std::string text) {
  for (std::size_t at = text.find('@' + "S"s); at != std::string::npos; at = text.find("@S"))
    text.replace(at, 2, planted);
  return text;
}

// "@S" stands for the secret.
TEST(Secrets, NotFromUrls) {
  const std::string urls[] = {"/x?token=@S",
                              "/x?a=1&access_token=@S&b=2",
                              "/x?a=1;api_key=@S",
                              "/x?API-KEY=@S#frag",
                              "/x#access_token=@S",
                              "/x?%74oken=@S",
                              "/x?acces%73%5Ftoken=@S",
                              "/x?X-Amz-Signature=@S",
                              "/x?user[password]=@S",
                              "/x?q=1&amp;pwd=@S",
                              "/x;jsessionid=@S",
                              "/x;jsessionid=@S/y?z=1",
                              "/x?next=https%3A%2F%2Fh%2F%3Ftoken%3D@S",
                              "/x?next=https%253A%252F%252Fh%252F%253Ftoken%253D@S",
                              "/x?next=http%3A%2F%2Fu%3A@S%40h%2F",
                              "/x?u=http://u:@S@h/",
                              "/x?token=a;@S",
                              "/x?token=a,@S",
                              "/x?token=a/@S",
                              "/x?token=a%26@S",
                              "/x?token=a\"@S",
                              "/x?token=\xff@S",
                              "/x?token=a b@S",
                              "/x?token=a?@S",
                              "/x?token==@S",
                              "/x?code=@S&state=1",
                              "/x?sig=@S",
                              "/x?key=@S",
                              "/x?sid=@S",
                              "/x?AWSAccessKeyId=@S",
                              "/x?client_secret=@S",
                              "/x?\xfftoken=@S",
                              "/x?a=token=@S",
                              "?password=@S",
                              "*?token=@S",
                              "http://user:@S@example.com/x",
                              "http://@S@example.com/x",
                              "http://user:a%40@S@example.com/",
                              "//user:@S@h/x",
                              "http://user:a/@S@example.com/x",
                              "http://user:a?@S@example.com/x",
                              "http://user:a#@S@example.com/x",
                              "http://user:x@@S@example.com/x",
                              "http://user:@S;x=1&y@example.com/x",
                              "user:@S@example.com:443",
                              "@S@example.com:443",
                              "http://u:a=@S@h",
                              "ftp://u:@S@h/",
                              "/x?token=%0@S",
                              "/x?" + std::string(300, 'a') + "token=@S",
                              "token=@S"};
  for (const std::string& pattern : urls) {
    const std::string url = with(pattern);
    for (const std::string_view method : {"GET", "CONNECT"}) {
      const Record as_target =
          samples::http(samples::request(method, url, {{"Host", "h"}}), samples::response(200, "OK", {}));
      EXPECT_FALSE(leaks(all_output(as_target))) << url << "\n" << all_output(as_target);
      EXPECT_TRUE(leaks(all_output(as_target, false))) << url;
    }
    for (const std::string_view header : {"Referer", "Location", "Content-Location", "Origin", "X-Original-URL"}) {
      const Record as_header = samples::http(samples::request("GET", "/", {{header, url}}),
                                             samples::response(302, "Found", {{header, url}}));
      EXPECT_FALSE(leaks(all_output(as_header))) << header << ": " << url << "\n" << all_output(as_header);
      EXPECT_TRUE(leaks(all_output(as_header, false)));
    }
  }
}

TEST(Secrets, NotFromHeaders) {
  const std::pair<std::string_view, std::string> headers[] = {
      {"Authorization", "Bearer @S"},
      {"authorization", "@S"},
      {"AUTHORIZATION", "Basic @S"},
      {"Authorization", "@S x"},
      {"Authorization", "Digest username=\"u\", response=\"@S\""},
      {"Proxy-Authorization", "Negotiate @S"},
      {"Authorization", "Bearer\t@S"},
      {"Authorization", "Custom @S"},
      {"Authorization", "\xff@S"},
      {"Cookie", "a=@S"},
      {"Cookie", "a=1; b=@S; c=2"},
      {"Cookie", "@S"},
      {"Cookie", "a=1;@S"},
      {"Cookie", "a==@S"},
      {"Cookie", "a=\"x; @S\""},
      {"Cookie", "a=\xff@S"},
      {"Set-Cookie", "sid=@S; Path=/; HttpOnly"},
      {"Set-Cookie", "@S"},
      {"Set-Cookie", "a=1; custom=@S"},
      {"Set-Cookie", "Path=@S"},
      {"Set-Cookie", "a=1; Secure; x@S"},
      {"X-Api-Key", "@S"},
      {"Api-Key", "@S"},
      {"apikey", "@S"},
      {"X-Auth-Token", "@S"},
      {"X-Amz-Security-Token", "@S"},
      {"X-CSRF-Token", "@S"},
      {"X-Vault-Token", "@S"},
      {"X-Session-Id", "@S"},
      {"X-My-Secret", "@S"},
      {"Password", "@S"},
      {"X-Credential", "@S"},
      {"X-Goog-IAP-JWT-Assertion", "@S"},
      {"X-Forwarded-Authorization", "Bearer @S"},
      {"Ocp-Apim-Subscription-Key", "@S"},
      {"Authentication-Info", "nextnonce=\"@S\""},
      {"Link", "<https://h/x?token=@S>; rel=next"},
      {"Refresh", "5; url=https://u:@S@h/"},
      {"Via", "1.1 u:@S@proxy"},
      {"Forwarded", "for=1.2.3.4;host=\"u:@S@h\""},
      {"X-Json", "{\"u\":\"http:\\/\\/u:@S@h\"}"},
      {"Host", "u:@S@h"},
      {"X-Query", "password = @S"},
      {"X-Query", "password=\"a b \\\" @S\""},
      {"X-Query", "token='@S'"},
      {"User-Agent", "bot (+http://u:@S@h/)"},
      {"Content-Type", "text/plain; token=@S"},
      {"X\xff-Token", "@S"}};
  for (const auto& [name, pattern] : headers) {
    const std::string value = with(pattern);
    const Record record =
        samples::http(samples::request("GET", "/", {{name, value}}), samples::response(200, "OK", {{name, value}}));
    EXPECT_FALSE(leaks(all_output(record))) << name << ": " << value << "\n" << all_output(record);
    EXPECT_TRUE(leaks(all_output(record, false))) << name;
  }
}

TEST(Secrets, NotFromTheTracersOwnWords) {
  for (const std::string pattern : {"open http://u:@S@h/: refused", "token=@S refused", "exec --password=@S: failed",
                                    "header Authorization: Bearer @S", "{\"api_key\": \"@S\"}"}) {
    const std::string text = with(pattern);
    Record start = samples::trace_start();
    auto& t = std::get<TraceStart>(start.body);
    t.blind = t.scope = {text};
    t.attached = {{"program", false, text}};
    t.plan.facets[0].rejected[0].reason = text;
    Record end = samples::trace_end();
    std::get<TraceEnd>(end.body).reason = text;
    Record change = samples::backend_switch();
    std::get<BackendSwitch>(change.body).reason = text;
    for (const Record* record : {&start, &end, &change}) {
      EXPECT_FALSE(leaks(all_output(*record))) << text << "\n" << all_output(*record);
      EXPECT_TRUE(leaks(all_output(*record, false)));
    }
  }
}

TEST(Secrets, HomeDirectories) {
  Record record = samples::typical_http();
  auto& t = std::get<HttpTransaction>(record.body);
  t.flow.client.process = samples::process(1, "app", "/home/" + std::string(planted) + "/bin/app");
  t.flow.server.process = samples::process(2, "srv", "/var/lib/merged/home/" + std::string(planted) + "/srv");
  EXPECT_FALSE(leaks(all_output(record)));
  EXPECT_TRUE(all_output(record).contains("/home/USER/bin/app"));
  EXPECT_TRUE(leaks(all_output(record, false)));
}

}  // namespace
}  // namespace tracer
