// What bench/tls_cost drives: two processes that talk HTTP inside of TLS by the libssl of this machine, and breakpoints
// at that library's functions that run an empty program.
//
//   tls_bench pair REQUESTS         makes so many for each line on standard input, and says how long it took
//   tls_bench empty FUNCTION...     entry and return of each, in every process, until standard input ends. Needs root.
#include <dlfcn.h>
#include <link.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/ebpf/breakpoints.h"
#include "core/base/unique_fd.h"

namespace {

using tracer::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr std::string_view request =
    "GET /small HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: tls_bench/1\r\nAccept: */*\r\n\r\n";
constexpr std::size_t body_bytes = 1024;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "tls_bench: %s\n", what);
  std::exit(1);
}

std::string response() {
  return "HTTP/1.1 200 OK\r\nServer: tls_bench\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n" + std::string(body_bytes, 'x');
}

void use_own_certificate(SSL_CTX* context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  require(key != nullptr && certificate != nullptr, "a key and a certificate");
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  require(X509_sign(certificate, key, EVP_sha256()) > 0 && SSL_CTX_use_certificate(context, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(context, key) == 1,
          "to sign and use a certificate");
  X509_free(certificate);
  EVP_PKEY_free(key);
}

SSL* session(bool client, int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  SSL_CTX* context = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
  if (!client) use_own_certificate(context);
  SSL* made = SSL_new(context);
  require(made != nullptr && SSL_set_fd(made, fd) == 1 && (client ? SSL_connect(made) : SSL_accept(made)) == 1,
          "the handshake");
  return made;
}

// Exactly so many bytes; false: the other end closed.
bool read_all(SSL* from, std::span<char> room) {
  for (std::size_t at = 0; at < room.size();) {
    const int size = SSL_read(from, room.data() + at, static_cast<int>(room.size() - at));
    if (size <= 0) return false;
    at += static_cast<std::size_t>(size);
  }
  return true;
}

[[noreturn]] void serve(int listener) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  SSL* client = session(false, ::accept(listener, nullptr, nullptr));
  const auto answer = response();
  std::array<char, request.size()> room{};
  while (read_all(client, room)) SSL_write(client, answer.data(), static_cast<int>(answer.size()));
  ::_exit(0);
}

int pair(unsigned requests) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto* where = reinterpret_cast<sockaddr*>(&address);
  require(::bind(listener.get(), where, size) == 0 && ::listen(listener.get(), 1) == 0 &&
              ::getsockname(listener.get(), where, &size) == 0,
          "to listen");
  const pid_t server = ::fork();
  require(server >= 0, "fork");
  if (server == 0) serve(listener.get());
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(::connect(fd.get(), where, size) == 0, "connect");
  SSL* talk = session(true, fd.get());
  std::vector<char> room(response().size());
  std::printf("{\"client\":%d,\"server\":%d}\n", ::getpid(), server);
  std::fflush(stdout);
  for (char line[16]; std::fgets(line, sizeof(line), stdin) != nullptr;) {
    const auto begin = Clock::now();
    for (unsigned i = 0; i < requests; ++i) {
      SSL_write(talk, request.data(), static_cast<int>(request.size()));
      require(read_all(talk, room), "the server went away");
    }
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    std::printf("{\"requests\":%u,\"ns\":%lld}\n", requests, static_cast<long long>(ns));
    std::fflush(stdout);
  }
  return 0;
}

struct Place {
  std::string file;
  std::uint64_t offset = 0;
};

Place place_of(const char* function) {
  Dl_info found{};
  link_map* object = nullptr;
  void* address = ::dlsym(RTLD_DEFAULT, function);
  require(address != nullptr && ::dladdr1(address, &found, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) != 0,
          "a function is in no library");
  struct Search {
    ElfW(Addr) address;
    std::uint64_t offset = 0;
  } search{reinterpret_cast<ElfW(Addr)>(address)};
  ::dl_iterate_phdr(
      [](dl_phdr_info* each, std::size_t, void* context) {
        auto& wanted = *static_cast<Search*>(context);
        for (int i = 0; i < each->dlpi_phnum; ++i) {
          const auto& segment = each->dlpi_phdr[i];
          const auto begin = each->dlpi_addr + segment.p_vaddr;
          if (segment.p_type == PT_LOAD && wanted.address >= begin && wanted.address - begin < segment.p_filesz)
            wanted.offset = wanted.address - begin + segment.p_offset;
        }
        return 0;
      },
      &search);
  return {object->l_name, search.offset};
}

UniqueFd empty_program(bool many_places) {
  constexpr std::uint32_t kprobe = 2, trace_uprobe_multi = 48;  // bpf_prog_type, bpf_attach_type
  const std::array<bpf_insn, 2> instructions{bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                             bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr attributes{};
  attributes.prog_type = kprobe;
  attributes.insns = reinterpret_cast<std::uint64_t>(instructions.data());
  attributes.insn_cnt = instructions.size();
  attributes.license = reinterpret_cast<std::uint64_t>("GPL");
  attributes.expected_attach_type = many_places ? trace_uprobe_multi : 0;
  return UniqueFd(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes))));
}

// As the tracer does it: links for many places if the kernel has them, else an event each.
int empty(std::span<char*> functions) {
  std::vector<UniqueFd> set;
  const auto source = tracer::BreakpointSource::find();
  require(source.has_value(), "this kernel has no breakpoints in programs");
  for (const bool many_places : {true, false}) {
    const auto program = empty_program(many_places);
    if (!program) continue;
    set.clear();
    for (const char* function : functions)
      for (const bool at_return : {false, true}) {
        const auto place = place_of(function);
        tracer::Result<UniqueFd> made = std::unexpected(tracer::Error{});
        if (many_places) {
          tracer::Breakpoints all;
          all.file = place.file;
          all.offsets = {place.offset};
          all.numbers = {0};
          all.at_return = at_return;
          made = tracer::set_breakpoints(all, program.get());
        } else {
          tracer::Breakpoint one;
          one.file = place.file;
          one.offset = place.offset;
          one.at_return = at_return;
          made = source->set(one, program.get());
        }
        if (made) set.push_back(std::move(*made));
      }
    if (set.size() == 2 * functions.size()) {
      std::printf("{\"breakpoints\":%zu,\"many_places\":%s}\n", set.size(), many_places ? "true" : "false");
      std::fflush(stdout);
      while (std::getchar() != EOF) {
      }
      return 0;
    }
  }
  require(false, "breakpoints are refused");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<std::size_t>(argc));
  if (words.size() == 3 && std::string_view(words[1]) == "pair")
    return pair(static_cast<unsigned>(std::atoi(words[2])));
  if (words.size() >= 3 && std::string_view(words[1]) == "empty") return empty(words.subspan(2));
  std::fprintf(stderr, "usage: tls_bench pair REQUESTS | tls_bench empty FUNCTION...\n");
  return 2;
}
