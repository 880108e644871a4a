// What is hidden, and as important, what is not.
#include "core/records/redaction.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tracer {
namespace {

template <typename Function>
std::string apply(Function redact, std::string_view text) {
  std::string out = "kept ";
  if (!redact(text, out)) {
    EXPECT_EQ(out, "kept ");  // left alone
    return std::string(text);
  }
  EXPECT_TRUE(out.starts_with("kept "));
  return out.substr(5);
}
std::string url(std::string_view text) { return apply(redact_url, text); }
std::string text(std::string_view value) { return apply(redact_text, value); }
std::string message(std::string_view value) { return apply(redact_message, value); }
std::string path(std::string_view value) { return apply(redact_path, value); }
std::string header(std::string_view name, std::string_view value) {
  return apply([&](std::string_view in, std::string& out) { return redact_header(classify_header(name), in, out); },
               value);
}
std::string argument(std::string_view previous, std::string_view value) {
  return apply([&](std::string_view in, std::string& out) { return redact_argument(previous, in, out); }, value);
}

TEST(Redaction, Parameters) {
  EXPECT_EQ(url("/x?token=abc"), "/x?token=REDACTED");
  EXPECT_EQ(url("/x?a=1&token=abc&b=2"), "/x?a=1&token=REDACTED&b=2");
  EXPECT_EQ(url("/x?a=1;token=abc;b=2&c=3"), "/x?a=1;token=REDACTED&c=3");
  EXPECT_EQ(url("/x?token=a&sig=b#code=c"), "/x?token=REDACTED&sig=REDACTED#code=REDACTED");
  EXPECT_EQ(url("/x?%54oken=abc&b=2"), "/x?%54oken=REDACTED&b=2");
  EXPECT_EQ(url("/x?u=http%3A%2F%2Fh%2F%3Ftoken%3Dabc%26a%3D1&b=2"),
            "/x?u=http%3A%2F%2Fh%2F%3Ftoken%3DREDACTED%26a%3D1&b=2");
  EXPECT_EQ(url("/x?token=a%26b&c=1"), "/x?token=REDACTED&c=1");
  EXPECT_EQ(url("/a;jsessionid=abc/b?c=1"), "/a;jsessionid=REDACTED/b?c=1");
  EXPECT_EQ(url("/x?token="), "/x?token=");
}

TEST(Redaction, UserInfo) {
  EXPECT_EQ(url("http://user:pass@h/x"), "http://REDACTED@h/x");
  EXPECT_EQ(url("http://user@h/x"), "http://REDACTED@h/x");
  EXPECT_EQ(url("user:pass@h:443"), "REDACTED@h:443");
  EXPECT_EQ(url("/x?u=http://a:b@h/"), "/x?u=http://REDACTED@h/");
  EXPECT_EQ(text("<http://a:b@h/>; rel=next"), "<http://REDACTED@h/>; rel=next");
}

TEST(Redaction, LeavesOrdinaryTextAlone) {
  for (const std::string_view ordinary : {"/",
                                          "/x?page=3&sort=name",
                                          "/search?q=token",
                                          "/tokens/5",
                                          "/home/index.html",
                                          "/root",
                                          "/@scope/package",
                                          "/a@2x.png",
                                          "/mail?to=alice@example.com",
                                          "/x?keyword=a&monkey=b&author=c&codec=d",
                                          "http://h:8080/a@b",
                                          "http://[::1]:80/a@b",
                                          "http://[::1]/a@b",
                                          "http://h/a:b",
                                          "/x?%zz=%",
                                          "%",
                                          "/x?=&&=;",
                                          "*",
                                          "example.com:80",
                                          "[::1]:80"})
    EXPECT_EQ(url(ordinary), ordinary);
  for (const std::string_view ordinary :
       {"text/html;q=0.9,*/*;q=0.8", "max-age=60, must-revalidate", "multipart/form-data; boundary=abc",
        "h3=\":443\"; ma=86400", "Fri, 02 Jan 2026 03:04:05 GMT", "form-data; name=\"key\"", "alice@example.com",
        "W/\"abc==\"", "50%"})
    EXPECT_EQ(text(ordinary), ordinary);
  for (const std::string_view ordinary : {"attach sys_enter_connect: Permission denied", "exit code: 5", "key: value",
                                          "/homework/x", "/rootfs/x", "see /usr/share"})
    EXPECT_EQ(message(ordinary), ordinary);
}

TEST(Redaction, Headers) {
  EXPECT_EQ(header("Authorization", "Bearer abc"), "Bearer REDACTED");
  EXPECT_EQ(header("authorization", "AWS4-HMAC-SHA256 Credential=x"), "AWS4-HMAC-SHA256 REDACTED");
  EXPECT_EQ(header("Authorization", "secret words"), "REDACTED");
  EXPECT_EQ(header("Authorization", "Bearer"), "REDACTED");
  EXPECT_EQ(header("Cookie", "a=1; b=2"), "a=REDACTED; b=REDACTED");
  EXPECT_EQ(header("Set-Cookie", "sid=1; Path=/; Max-Age=5; HttpOnly; SameSite=Lax"),
            "sid=REDACTED; Path=/; Max-Age=5; HttpOnly; SameSite=Lax");
  EXPECT_EQ(header("X-API-Key", "abc"), "REDACTED");
  EXPECT_EQ(header("X_Api_Key", "abc"), "REDACTED");
  EXPECT_EQ(header("Access-Control-Allow-Credentials", "true"), "true");
  EXPECT_EQ(header("Sec-WebSocket-Key", "abc=="), "abc==");
  EXPECT_EQ(header("WWW-Authenticate", "Basic realm=\"x\""), "Basic realm=\"x\"");
  EXPECT_EQ(header("Referer", "http://h/?token=a b"), "http://h/?token=REDACTED");
  EXPECT_EQ(header("Cookie", ""), "");
}

TEST(Redaction, MemoAgreesWithTheFunction) {
  HeaderClassMemo memo;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 2000; ++i)
      for (const std::string prefix :
           {"X-Token-", "X-Plain-", "Cookie", "a-name-longer-than-what-the-memo-remembers-token-"}) {
        const std::string name = i == 0 ? prefix : prefix + std::to_string(i);
        ASSERT_EQ(memo.classify(name), classify_header(name)) << name;
      }
  EXPECT_EQ(memo.classify(""), HeaderClass::plain);
}

TEST(Redaction, Paths) {
  EXPECT_EQ(path("/home/alice/bin/x"), "/home/USER/bin/x");
  EXPECT_EQ(path("/home/alice"), "/home/USER");
  EXPECT_EQ(path("/mnt/home/alice/home/bob/x"), "/mnt/home/USER/home/USER/x");
  EXPECT_EQ(path("/root/x"), "/home/ROOT/x");
  EXPECT_EQ(path("/root"), "/home/ROOT");
  EXPECT_EQ(message("open /home/alice/x: no"), "open /home/USER/x: no");
  EXPECT_EQ(message("open /root/x"), "open /home/ROOT/x");
  EXPECT_EQ(url("file:///home/alice/x"), "file:///home/USER/x");
  for (const std::string_view kept : {"/usr/bin/x", "/home", "/home/", "/rootfs/x", "/srv/root/x", "/homes/a/b", ""})
    EXPECT_EQ(path(kept), kept);
}

TEST(Redaction, Arguments) {
  EXPECT_EQ(argument("mysql", "--password=a b"), "--password=REDACTED");
  EXPECT_EQ(argument("--password", "abc"), "REDACTED");
  EXPECT_EQ(argument("--token", "abc"), "REDACTED");
  EXPECT_EQ(argument("-p", "abc"), "REDACTED");
  EXPECT_EQ(argument("mysql", "-pabc"), "-pREDACTED");
  EXPECT_EQ(argument("-u", "me:abc"), "me:REDACTED");
  EXPECT_EQ(argument("env", "API_KEY=abc"), "API_KEY=REDACTED");
  EXPECT_EQ(argument("-H", "Authorization: Bearer abc"), "Authorization: REDACTED");
  EXPECT_EQ(argument("curl", "http://a:b@h/?token=c"), "http://REDACTED@h/?token=REDACTED");
  EXPECT_EQ(argument("cat", "/home/alice/x"), "/home/USER/x");
  EXPECT_EQ(argument("ls", "--color=auto"), "--color=auto");
  EXPECT_EQ(argument("--no-password", "--verbose"), "--verbose");
  EXPECT_EQ(argument("curl", "-ume:abc"), "-ume:REDACTED");
  EXPECT_EQ(argument("curl", "--user=me:abc"), "--user=me:REDACTED");
  EXPECT_EQ(argument("curl", "--user=me"), "--user=me");
  EXPECT_EQ(argument("curl", "--proxy-user=me:abc"), "--proxy-user=me:REDACTED");
  EXPECT_EQ(argument("-passin", "pass:abc"), "pass:REDACTED");
  EXPECT_EQ(argument("-passin", "env:KEY_FILE"), "env:KEY_FILE");
  EXPECT_EQ(argument("docker", "-ePGPASSWORD=abc"), "-ePGPASSWORD=REDACTED");
  EXPECT_EQ(argument("java", "-Ddb.password=abc"), "-Ddb.password=REDACTED");
  EXPECT_EQ(argument("--header", "Cookie: a=b"), "Cookie: REDACTED");
  EXPECT_EQ(argument("curl", "-HX-Api-Key: abc"), "-HX-Api-Key: REDACTED");
  EXPECT_EQ(argument("psql", "postgres://u:p@h/db"), "postgres://REDACTED@h/db");
  EXPECT_EQ(argument("redis-cli", "redis://:p@h"), "redis://REDACTED@h");
  EXPECT_EQ(argument("x", "jdbc:mysql://h/db?user=a&password=b"), "jdbc:mysql://h/db?user=a&password=REDACTED");
  EXPECT_EQ(argument("-d", "user=a&password=b"), "user=a&password=REDACTED");
  EXPECT_EQ(argument("x", "Server=a;Password=b;Port=1"), "Server=a;Password=REDACTED");
  EXPECT_EQ(argument("x", "token=abc"), "token=REDACTED");
  EXPECT_EQ(argument("git", "git@example.org:a/b"), "git@example.org:a/b");
  EXPECT_EQ(argument("ssh", "me@example.org"), "me@example.org");
  EXPECT_EQ(argument("mysqld", "--port=3306"), "--port=3306");
  EXPECT_EQ(argument("x", ""), "");
  for (const std::string_view option : {"-psk", "-K", "-storepass", "-keypass", "--oauth2-bearer", "--pin-value"}) {
    EXPECT_EQ(argument(option, "deadbeef"), "REDACTED") << option;
    EXPECT_EQ(argument("x", option), option);
  }
  for (const std::string_view kept : {"-passin", "-port", "-purpose", "-psk_identity", "-print0"})
    EXPECT_EQ(argument("openssl", kept), kept);
  EXPECT_EQ(argument("--cert", "me.pem:abc"), "me.pem:REDACTED");
  EXPECT_EQ(argument("--cert", "me.pem"), "me.pem");
  EXPECT_EQ(argument("--key", "server.key"), "server.key");
  EXPECT_EQ(argument("--key", "1234"), "REDACTED");
}

TEST(Redaction, CommandLinesInsideArguments) {
  EXPECT_EQ(argument("-c", "mysql -pabc -u root"), "mysql -pREDACTED -u root");
  EXPECT_EQ(argument("-c", "curl -u me:abc http://h"), "curl -u me:REDACTED http://h");
  EXPECT_EQ(argument("-c", "cmd --password abc --verbose"), "cmd --password REDACTED --verbose");
  EXPECT_EQ(argument("-c", "PASSWORD=abc cmd -v"), "PASSWORD=REDACTED") << "which may be two words";
  EXPECT_EQ(argument("-c", "sshpass  -p  abc ssh h"), "sshpass  -p  REDACTED ssh h");
  EXPECT_EQ(argument("-c", "ls -l /home/alice"), "ls -l /home/USER");
  EXPECT_EQ(argument("-c", "tar -c -f x.tar ."), "tar -c -f x.tar .");
  EXPECT_EQ(argument("-H", "Authorization: Bearer -abc"), "Authorization: REDACTED");
}

// The lists that users read are the lists that are used.
TEST(Redaction, DocumentedNamesAreSecret) {
  std::ifstream file(TRACER_SOURCE_DIR "/docs/records.md");
  std::stringstream all;
  all << file.rdbuf();
  const std::string document = all.str();
  const auto names_after = [&](std::string_view start) {
    std::vector<std::string> names;
    const std::size_t at = document.find(start);
    EXPECT_NE(at, std::string::npos);
    const std::string part = document.substr(at, document.find("\n\n", at) - at);
    for (std::size_t open = part.find('`'); open != std::string::npos;) {
      const std::size_t close = part.find('`', open + 1);
      names.push_back(part.substr(open + 1, close - open - 1));
      open = part.find('`', close + 1);
    }
    return names;
  };
  const auto words = names_after("Secret words, anywhere in a name:");
  EXPECT_GT(words.size(), 20u);
  for (const std::string& word : words) EXPECT_TRUE(is_secret_name("x-" + word + "-y")) << word;
  const auto whole = names_after("Whole names of parameters:");
  EXPECT_GT(whole.size(), 10u);
  for (const std::string& name : whole) {
    EXPECT_TRUE(is_secret_name(name)) << name;
    EXPECT_FALSE(is_secret_name(name + "x")) << name;
  }
}

}  // namespace
}  // namespace tracer
