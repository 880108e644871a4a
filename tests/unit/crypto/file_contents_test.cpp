// What is found in files of every format, made by the programs that such files come from (tests/fixtures/crypto/make).
#include "core/analyzers/crypto/file_contents.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/unit/asn1/fixture_files.h"
#include "tests/unit/crypto/fake_files.h"

namespace tracer {
namespace {

FileContents contents_of(const std::string& text) { return read_contents(as_bytes(text), built_in_registry(), {}); }

std::string describe(const FileAsset& asset) {
  std::string text = std::string(asset.type) + " " + asset.format;
  if (!asset.algorithm.empty()) text += " " + asset.algorithm;
  if (asset.bits) text += " " + std::to_string(*asset.bits);
  if (!asset.curve.empty()) text += " " + asset.curve;
  if (asset.encrypted) text += *asset.encrypted ? " encrypted" : " clear";
  if (asset.entries) text += " entries=" + std::to_string(*asset.entries);
  if (!asset.public_key_sha256.empty()) text += " hash";
  if (asset.certificate) text += " <" + asset.certificate->subject + ">";
  return text + " | " + asset.evidence.detail + (asset.evidence.rule.empty() ? "" : " [" + asset.evidence.rule + "]");
}

std::string describe(const FileContents& contents) {
  std::string text(file_type_of(contents.assets));
  for (const FileAsset& asset : contents.assets) {
    text += "\n" + describe(asset);
    EXPECT_EQ(asset.evidence.kind, EvidenceKind::bytes);
    EXPECT_FALSE(asset.evidence.detail.empty()) << "no claim without evidence";
  }
  if (contents.left_out != 0) text += "\nleft out: " + std::to_string(contents.left_out);
  return text;
}

TEST(FileContents, OfEveryFormat) {
  const std::map<std::string, std::string> expected{
      {"rsa-pkcs8.pem", "private_key\nprivate_key PEM RSA 2048 clear hash | PEM label PRIVATE KEY"},
      {"rsa-pkcs1.pem", "private_key\nprivate_key PEM RSA 2048 clear hash | PEM label RSA PRIVATE KEY"},
      {"rsa-pkcs1.der", "private_key\nprivate_key DER RSA 2048 clear hash | DER RSAPrivateKey (RFC 8017)"},
      {"rsa-pkcs8.der", "private_key\nprivate_key DER RSA 2048 clear hash | DER PrivateKeyInfo (RFC 5958)"},
      {"rsa-encrypted.pem", "private_key\nprivate_key PEM encrypted | PEM label ENCRYPTED PRIVATE KEY"},
      {"rsa-encrypted.der", "private_key\nprivate_key DER encrypted | DER EncryptedPrivateKeyInfo (RFC 5958)"},
      {"rsa-legacy-encrypted.pem",
       "private_key\nprivate_key PEM RSA encrypted | PEM label RSA PRIVATE KEY, Proc-Type ENCRYPTED, DEK-Info "
       "AES-256-CBC"},
      {"rsa-public.pem", "public_key\npublic_key PEM RSA 2048 hash | PEM label PUBLIC KEY"},
      {"rsa-public.der", "public_key\npublic_key DER RSA 2048 hash | DER SubjectPublicKeyInfo (RFC 5280)"},
      {"rsa-public-pkcs1.pem", "public_key\npublic_key PEM RSA 2048 hash | PEM label RSA PUBLIC KEY"},
      {"ec-sec1.pem",
       "private_key\nparameters PEM EC 256 P-256 | PEM label EC PARAMETERS\n"
       "private_key PEM EC 256 P-256 clear hash | PEM label EC PRIVATE KEY"},
      {"ec-sec1.der", "private_key\nprivate_key DER EC 256 P-256 clear hash | DER ECPrivateKey (RFC 5915)"},
      {"ec-pkcs8.pem", "private_key\nprivate_key PEM EC 256 P-256 clear hash | PEM label PRIVATE KEY"},
      {"ec-explicit.pem", "private_key\nprivate_key PEM EC clear | PEM label EC PRIVATE KEY"},
      {"ed25519.pem", "private_key\nprivate_key PEM Ed25519 255 clear | PEM label PRIVATE KEY"},
      {"dsa-pkcs8.pem", "private_key\nprivate_key PEM DSA 1024 clear | PEM label PRIVATE KEY"},
      {"dsa-traditional.pem", "private_key\nprivate_key PEM DSA 1024 clear | PEM label DSA PRIVATE KEY"},
      {"dsa-parameters.pem", "parameters\nparameters PEM DSA 1024 | PEM label DSA PARAMETERS"},
      {"dh-parameters.pem", "parameters\nparameters PEM DH 512 | PEM label DH PARAMETERS"},
      {"mldsa65.pem", "private_key\nprivate_key PEM ML-DSA-65 clear | PEM label PRIVATE KEY"},
      {"certificate-rsa.pem", "certificate\ncertificate PEM <CN=rsa.example> | PEM label CERTIFICATE"},
      {"certificate-rsa.der", "certificate\ncertificate DER <CN=rsa.example> | DER certificate (RFC 5280)"},
      {"certificate-trusted.pem", "certificate\ncertificate PEM <CN=rsa.example> | PEM label TRUSTED CERTIFICATE"},
      {"certificate-and-key.pem",
       "private_key\ncertificate PEM <CN=rsa.example> | PEM label CERTIFICATE\n"
       "private_key PEM RSA 2048 clear hash | PEM label PRIVATE KEY"},
      {"request.pem", "certificate_request\ncertificate_request PEM EC 256 P-256 hash | PEM label CERTIFICATE REQUEST"},
      {"request.der",
       "certificate_request\ncertificate_request DER EC 256 P-256 hash | DER certification request (RFC 2986)"},
      {"crl.pem", "crl\ncrl PEM | PEM label X509 CRL"},
      {"crl.der", "crl\ncrl DER | DER certificate list (RFC 5280)"},
      {"bundle-p7b.pem",
       "certificate\ncertificate PKCS#7 <CN=rsa.example> | PEM label PKCS7\n"
       "certificate PKCS#7 <CN=ec.example> | PEM label PKCS7"},
      {"bundle.p7b",
       "certificate\ncertificate PKCS#7 <CN=rsa.example> | DER signed data (RFC 5652)\n"
       "certificate PKCS#7 <CN=ec.example> | DER signed data (RFC 5652)"},
      {"trust-store.pem",
       "trust_store\ntrust_store PEM entries=17 | 17 certificates; the first: PEM label CERTIFICATE\nleft out: 17"},
      {"store.p12",
       "keystore\nprivate_key PKCS#12 encrypted | PKCS#12 pkcs8ShroudedKeyBag\n"
       "keystore PKCS#12 encrypted entries=1 | PKCS#12 version 3 (RFC 7292)"},
      {"store-legacy.p12",
       "keystore\nprivate_key PKCS#12 encrypted | PKCS#12 pkcs8ShroudedKeyBag\n"
       "keystore PKCS#12 encrypted entries=1 | PKCS#12 version 3 (RFC 7292)"},
      {"store-in-clear.p12",
       "keystore\ncertificate PKCS#12 <CN=rsa.example> | PKCS#12 certBag in clear\n"
       "private_key PKCS#12 RSA 2048 clear hash | PKCS#12 keyBag in clear\n"
       "keystore PKCS#12 clear entries=2 | PKCS#12 version 3 (RFC 7292)"},
      {"store.jks",
       "keystore\ncertificate JKS <CN=rsa.example> | JKS certificate entry in clear\n"
       "certificate JKS <CN=java.example> | JKS certificate entry in clear\n"
       "keystore JKS encrypted entries=2 | first bytes feedfeed"},
      {"store.jceks",
       "keystore\ncertificate JCEKS <CN=rsa.example> | JCEKS certificate entry in clear\n"
       "certificate JCEKS <CN=java.example> | JCEKS certificate entry in clear\n"
       "keystore JCEKS encrypted entries=2 | first bytes cececece"},
      {"trusted-only.jks",
       "keystore\ncertificate JKS <CN=rsa.example> | JKS certificate entry in clear\n"
       "keystore JKS clear entries=1 | first bytes feedfeed"},
      {"ssh-ed25519", "private_key\nprivate_key OpenSSH Ed25519 255 clear hash | PEM label OPENSSH PRIVATE KEY"},
      {"ssh-rsa", "private_key\nprivate_key OpenSSH RSA 2048 clear hash | PEM label OPENSSH PRIVATE KEY"},
      {"ssh-ecdsa-encrypted",
       "private_key\nprivate_key OpenSSH EC 384 P-384 encrypted hash | PEM label OPENSSH PRIVATE KEY"},
      {"ssh-ed25519.pub", "public_key\npublic_key OpenSSH Ed25519 255 hash | line with a key of type ssh-ed25519"},
      {"ssh-rsa-cert.pub",
       "public_key\npublic_key OpenSSH RSA 2048 | line with a key of type ssh-rsa-cert-v01@openssh.com"},
      {"authorized_keys",
       "public_key\npublic_key OpenSSH Ed25519 255 hash | line with a key of type ssh-ed25519\n"
       "public_key OpenSSH RSA 2048 hash | line with a key of type ssh-rsa"},
      {"known_hosts",
       "public_key\npublic_key OpenSSH Ed25519 255 hash | line with a key of type ssh-ed25519\n"
       "public_key OpenSSH EC 384 P-384 hash | line with a key of type ecdsa-sha2-nistp384\n"
       "public_key OpenSSH RSA 2048 hash | line with a key of type ssh-rsa"},
      {"putty.ppk", "private_key\nprivate_key PuTTY Ed25519 255 clear hash | first line PuTTY-User-Key-File-3"},
      {"putty-encrypted.ppk",
       "private_key\nprivate_key PuTTY Ed25519 255 encrypted hash | first line PuTTY-User-Key-File-3"},
      {"pgp-rsa-public.asc", "public_key\npublic_key OpenPGP RSA 2048 | PEM label PGP PUBLIC KEY BLOCK"},
      {"pgp-rsa-public.gpg", "public_key\npublic_key OpenPGP RSA 2048 | first packet is a key"},
      {"pgp-rsa-secret.asc", "private_key\nprivate_key OpenPGP RSA 2048 clear | PEM label PGP PRIVATE KEY BLOCK"},
      {"pgp-ed25519-public.asc", "public_key\npublic_key OpenPGP Ed25519 255 | PEM label PGP PUBLIC KEY BLOCK"},
      {"pgp-ed25519-secret.asc",
       "private_key\nprivate_key OpenPGP Ed25519 255 encrypted | PEM label PGP PRIVATE KEY BLOCK"},
      {"pgp-nistp256-secret.asc",
       "private_key\nprivate_key OpenPGP EC 256 P-256 clear | PEM label PGP PRIVATE KEY BLOCK"},
      {"pubring.kbx", "keystore\nkeystore GnuPG keybox clear | bytes of GnuPG keybox [gnupg-keybox]"},
      {"service.keytab", "keystore\nkeystore keytab clear entries=2 | first bytes 0502 and an entry with a realm"},
      {"private.jwk", "private_key\nprivate_key JWK Ed25519 255 clear | member kty of JSON (RFC 7517)"},
      {"set.jwks",
       "private_key\npublic_key JWK EC 256 P-256 | member kty of JSON (RFC 7517)\n"
       "public_key JWK RSA | member kty of JSON (RFC 7517)\n"
       "private_key JWK symmetric clear | member kty of JSON (RFC 7517)"},
  };
  for (const auto& [file, text] : expected) EXPECT_EQ(describe(contents_of(read_fixture(file))), text) << file;
}

// A key and its certificate can be joined by the hash of their public half, in whatever form the key is kept.
TEST(FileContents, KeysAndCertificatesAreJoinedByTheirPublicHalf) {
  const auto hashes = [](const std::string& file) {
    std::set<std::string> all;
    for (const FileAsset& asset : contents_of(read_fixture(file)).assets) {
      if (!asset.public_key_sha256.empty()) all.insert(asset.public_key_sha256);
      if (asset.certificate) all.insert(asset.certificate->public_key_sha256);
    }
    return all;
  };
  const auto rsa = hashes("certificate-rsa.pem");
  ASSERT_EQ(rsa.size(), 1U);
  for (const char* file : {"rsa-pkcs8.pem", "rsa-pkcs1.pem", "rsa-pkcs1.der", "rsa-pkcs8.der", "rsa-public.pem",
                           "rsa-public-pkcs1.pem", "certificate-and-key.pem", "store-in-clear.p12", "trusted-only.jks"})
    EXPECT_EQ(hashes(file), rsa) << file;
  const auto ec = hashes("certificate-ec-ca.pem");
  for (const char* file : {"ec-sec1.pem", "ec-sec1.der", "ec-pkcs8.pem", "request.pem"})
    EXPECT_EQ(hashes(file), ec) << file;
  EXPECT_EQ(hashes("ssh-ed25519"), hashes("ssh-ed25519.pub"));
  EXPECT_EQ(hashes("ssh-rsa"), hashes("ssh-rsa.pub"));
  EXPECT_EQ(hashes("putty.ppk"), hashes("ssh-ed25519.pub"));
  EXPECT_NE(hashes("ssh-rsa"), rsa);
}

TEST(FileContents, KnowsFormatsByTheirFirstBytes) {
  using namespace std::string_literals;
  const std::string sqlite = "SQLite format 3\0"s + std::string(1000, '\0');
  for (const auto& [bytes, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5"s + std::string(100, 'x'),
            "keystore\nkeystore KDBX encrypted | bytes of KDBX [keepass-2]"},
           {"\x00\x00\x00\x02\x00\x00\x00\x14"s + std::string(100, 'x'),
            "keystore\nkeystore BKS encrypted | bytes of BKS [bks-2]"},
           {"(21:protected-private-key(3:rsa(1:n",
            "private_key\nprivate_key GnuPG encrypted | bytes of GnuPG [gnupg-protected-key]"},
           {sqlite + "CREATE TABLE nssPrivate (id", "keystore\nkeystore NSS | bytes of NSS [nss-keys]"},
           {sqlite + "CREATE TABLE places", "unknown"},
           {"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80"s,
            "keystore\nkeystore PKCS#12 | PKCS#12 version 3 (RFC 7292), in BER"},
           {"-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n",
            "private_key\nprivate_key TPM 2.0 encrypted | PEM label TSS2 PRIVATE KEY [tpm2-key]"}})
    EXPECT_EQ(describe(contents_of(bytes)), text);
}

TEST(FileContents, ADecoyHasNoAsset) {
  for (const std::string& text :
       {std::string(),
        std::string("This is a text about keys.\n"),
        std::string("ssl_certificate_key /etc/ssl/private/server.key;\n"),
        std::string("-----BEGIN CERTIFICATE-----\n"),
        std::string("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        std::string("-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n"),
        std::string("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
        std::string("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"),
        std::string("-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n"),
        std::string("-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n"),
        std::string("-----BEGIN POEM-----\nMAA=\n-----END POEM-----\n"),
        std::string("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END RSA PRIVATE KEY-----\n"),
        std::string("ssh-ed25519 AAAA comment\nssh-rsa\n"),
        std::string("{\"kty\": 5, \"note\": \"kty\"}"),
        std::string("{\"kty\": \"unheard of\", \"d\": \"x\"}"),
        std::string("PuTTY-User-Key-File-3: is mentioned here\n"),
        std::string("\x30\x03\x02\x01\x05"),
        std::string("\xfe\xed\xfe\xed", 4),
        std::string("\x05\x02\x00\x00\x00\x04hehe", 10),
        std::string("\x7f"
                    "ELF\x02\x01\x01",
                    7)})
    EXPECT_EQ(describe(contents_of(text)), "unknown") << text;
}

TEST(FileContents, ListsAreBounded) {
  std::string keys;
  const std::string line = read_fixture("ssh-ed25519.pub");
  for (int i = 0; i < 500; ++i) keys += line;
  const FileContents contents = contents_of(keys);
  EXPECT_EQ(contents.assets.size(), 16U);
  EXPECT_EQ(contents.left_out, 484U);
  // Sixteen certificates are no trust store, and a key behind many is not overlooked.
  std::string sixteen, many;
  const std::string certificate = read_fixture("certificate-rsa.pem");
  for (int i = 0; i < 16; ++i) sixteen += certificate;
  EXPECT_EQ(contents_of(sixteen).assets.size(), 16U);
  EXPECT_EQ(file_type_of(contents_of(sixteen).assets), "certificate");
  for (int i = 0; i < 40; ++i) many += certificate;
  EXPECT_EQ(describe(contents_of(many + read_fixture("rsa-pkcs8.pem"))),
            "private_key\ntrust_store PEM entries=40 | 40 certificates; the first: PEM label CERTIFICATE\n"
            "private_key PEM RSA 2048 clear hash | PEM label PRIVATE KEY\nleft out: 40");
}

}  // namespace
}  // namespace tracer
