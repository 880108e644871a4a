#include "backends/ebpf/crypto_functions.h"

#include <array>

namespace tracer {
namespace {

using enum CallResult;

constexpr std::string_view libcrypto = "libcrypto", libssl = "libssl", libgnutls = "libgnutls";

// With what packagers put between name and version: "libcrypto-1a2b3c4d.so.1.1" of Python's wheels. Not NSS's
// libssl3.so, nor gnutls's libraries for other purposes.
constexpr std::array files{
    LibraryFile{libcrypto, "libcrypto.so*"}, LibraryFile{libcrypto, "libcrypto-*.so*"},
    LibraryFile{libssl, "libssl.so*"},       LibraryFile{libssl, "libssl-*.so*"},
    LibraryFile{libgnutls, "libgnutls.so*"},
};

// Left out are functions that are called for each block, record or lookup (EVP_DigestUpdate, OBJ_nid2sn): a breakpoint
// costs about a microsecond.
constexpr std::array functions{
    // Algorithms by name: what was really fetched from a provider (3.0), and the older tables.
    CryptoFunction{libcrypto, "EVP_CIPHER_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_MD_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_KDF_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_MAC_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_KEYMGMT_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_SIGNATURE_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_KEYEXCH_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_KEM_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_ASYM_CIPHER_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_RAND_fetch", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_get_cipherbyname", 1, 0, pointer},
    CryptoFunction{libcrypto, "EVP_get_digestbyname", 1, 0, pointer},
    CryptoFunction{libcrypto, "OSSL_PROVIDER_load", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_default_properties_is_fips_enabled", 0, 0, integer},
    CryptoFunction{libcrypto, "FIPS_mode_set", 0, 0, integer},
    // Keys: made, and used by asymmetric operations.
    CryptoFunction{libcrypto, "EVP_PKEY_CTX_new_from_name", 2, 0, pointer},
    CryptoFunction{libcrypto, "EVP_PKEY_CTX_new_id", 0, 0, pointer},
    CryptoFunction{libcrypto, "EVP_PKEY_Q_keygen", 3, 0, pointer},
    CryptoFunction{libcrypto, "EVP_PKEY_keygen", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_generate", 0, 0, integer},
    CryptoFunction{libcrypto, "RSA_generate_key_ex", 0, 2, integer},
    CryptoFunction{libcrypto, "EC_KEY_generate_key", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_sign", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_verify", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_derive", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_encrypt", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_decrypt", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_encapsulate", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_PKEY_decapsulate", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_DigestSignInit", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_DigestVerifyInit", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_DigestVerify", 0, 0, integer},
    CryptoFunction{libcrypto, "EVP_DigestVerifyFinal", 0, 0, integer},
    // Certificates and keys: read, and verified.
    CryptoFunction{libcrypto, "X509_verify_cert", 0, 0, integer},
    CryptoFunction{libcrypto, "X509_STORE_load_locations", 2, 0, integer},
    CryptoFunction{libcrypto, "X509_STORE_load_file", 2, 0, integer},
    CryptoFunction{libcrypto, "X509_load_cert_file", 2, 0, integer},
    CryptoFunction{libcrypto, "X509_load_cert_crl_file", 2, 0, integer},
    CryptoFunction{libcrypto, "PEM_read_bio_X509", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_X509_AUX", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_PrivateKey", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_PrivateKey_ex", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_PUBKEY", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_RSAPrivateKey", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_bio_Parameters", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_X509", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_read_PrivateKey", 0, 0, pointer},
    CryptoFunction{libcrypto, "PEM_X509_INFO_read_bio", 0, 0, pointer},
    CryptoFunction{libcrypto, "d2i_PrivateKey_bio", 0, 0, pointer},
    CryptoFunction{libcrypto, "PKCS12_parse", 0, 0, integer},
    CryptoFunction{libcrypto, "OSSL_STORE_open_ex", 1, 0, pointer},
    // Randomness.
    CryptoFunction{libcrypto, "RAND_bytes", 0, 2, integer},
    CryptoFunction{libcrypto, "RAND_priv_bytes", 0, 2, integer},

    CryptoFunction{libssl, "SSL_CTX_new", 0, 0, pointer},
    CryptoFunction{libssl, "SSL_CTX_new_ex", 0, 0, pointer},
    CryptoFunction{libssl, "SSL_new", 0, 0, pointer},
    CryptoFunction{libssl, "SSL_connect", 0, 0, integer},
    CryptoFunction{libssl, "SSL_accept", 0, 0, integer},
    CryptoFunction{libssl, "SSL_do_handshake", 0, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_certificate", 0, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_certificate_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_certificate_chain_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_PrivateKey", 0, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_PrivateKey_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_use_RSAPrivateKey_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_use_certificate", 0, 0, integer},
    CryptoFunction{libssl, "SSL_use_certificate_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_use_certificate_chain_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_use_PrivateKey", 0, 0, integer},
    CryptoFunction{libssl, "SSL_use_PrivateKey_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_load_verify_locations", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_load_verify_file", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_load_verify_dir", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_set_default_verify_paths", 0, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_set_cipher_list", 2, 0, integer},
    CryptoFunction{libssl, "SSL_CTX_set_ciphersuites", 2, 0, integer},
    CryptoFunction{libssl, "SSL_set_cipher_list", 2, 0, integer},
    CryptoFunction{libssl, "SSL_set_ciphersuites", 2, 0, integer},
    CryptoFunction{libssl, "SSL_get_verify_result", 0, 0, number},

    CryptoFunction{libgnutls, "gnutls_init", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_handshake", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_allocate_credentials", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_set_x509_key_file", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_set_x509_key_file2", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_set_x509_trust_file", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_set_x509_trust_dir", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_set_x509_system_trust", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_priority_init", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_priority_init2", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_priority_set_direct", 2, 0, integer},
    CryptoFunction{libgnutls, "gnutls_cipher_init", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_aead_cipher_init", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_hash_init", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_hmac_init", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_verify_peers2", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_certificate_verify_peers3", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_x509_crt_import", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_x509_privkey_import", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_x509_privkey_import2", 0, 0, integer},
    CryptoFunction{libgnutls, "gnutls_x509_privkey_generate", 0, 3, integer},
    CryptoFunction{libgnutls, "gnutls_privkey_generate", 0, 3, integer},
    CryptoFunction{libgnutls, "gnutls_rnd", 0, 3, integer},
};

}  // namespace

LibraryTable CryptoTable::libraries() const {
  LibraryTable out;
  out.files = files;
  for (const CryptoFunction& each : functions) out.functions.push_back({each.family, each.name});
  return out;
}

CryptoTable crypto_table() { return {files, functions}; }

}  // namespace tracer
