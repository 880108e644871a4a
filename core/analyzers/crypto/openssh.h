// Keys as OpenSSH keeps them: private key files (PROTOCOL.key), lines of public keys (sshd(8)), known hosts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/analyzers/crypto/asset_list.h"
#include "core/base/bytes.h"

namespace tracer {

// A public key in the form of RFC 4253 section 6.6.
struct SshPublicKey {
  std::string name;  // "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ssh-rsa-cert-v01@openssh.com", …
  KeyFacts facts;
  std::string
      public_key_sha256;  // of the SubjectPublicKeyInfo that is the same key; empty: it has none, or a certificate
};
// nullopt: not of this form, or of a type that is not known.
[[nodiscard]] std::optional<SshPublicKey> read_ssh_public_key(Bytes blob);

// The body of a PEM block "OPENSSH PRIVATE KEY": its header and the public key in it, nothing behind that.
[[nodiscard]] bool add_openssh_private_key(Bytes body, const FoundAs& found, AssetList& assets);

// Lines of id_*.pub, authorized_keys and known_hosts, in any order; other lines are passed over.
void add_ssh_lines(std::string_view text, AssetList& assets);

}  // namespace tracer
