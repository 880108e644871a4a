// What a handshake says of a connection's protection, and what it leaves open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/handshake_facts.h"

namespace tracer::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TlsHandshake whole(const char* version) {
  TlsHandshake it;
  it.complete = it.client_hello = it.server_hello = true;
  it.version = version;
  it.cipher_suite = "TLS_AES_128_GCM_SHA256";
  it.group = "x25519";
  it.sni = "example.com";
  return it;
}

TEST(HandshakeFacts, WithoutAnyAllIsMissing) {
  const HandshakeFacts facts;
  EXPECT_FALSE(facts.tls->version);
  EXPECT_THAT(facts.missing, ElementsAre("tls.version", "tls.cipher_suite", "tls.group", "tls.sni", "tls.alpn"));
}

TEST(HandshakeFacts, AWholeOneLeavesNothingOpen) {
  TlsHandshake handshake = whole("TLS 1.2");
  handshake.alpn = "http/1.1";
  const HandshakeFacts facts = facts_of(handshake);
  EXPECT_EQ(facts.tls->version, "TLS 1.2");
  EXPECT_EQ(facts.tls->cipher_suite, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(facts.tls->group, "x25519");
  EXPECT_EQ(facts.tls->sni, "example.com");
  EXPECT_EQ(facts.tls->alpn, "http/1.1");
  EXPECT_THAT(facts.missing, IsEmpty());
  EXPECT_FALSE(facts.failed);
}

TEST(HandshakeFacts, WhichProtocolWasChosenIsEncryptedSinceTls13) {
  TlsHandshake handshake = whole("TLS 1.3");
  EXPECT_THAT(facts_of(handshake).missing, IsEmpty()) << "none was offered";
  handshake.alpn_offered = {"h2", "http/1.1"};
  EXPECT_THAT(facts_of(handshake).missing, ElementsAre("tls.alpn"));
  handshake.version = "TLS 1.2";
  EXPECT_THAT(facts_of(handshake).missing, IsEmpty()) << "none was chosen";
}

TEST(HandshakeFacts, WhatIsNotThereIsNotMissing) {
  TlsHandshake handshake = whole("TLS 1.2");
  handshake.group.reset();  // RSA
  handshake.sni.reset();
  EXPECT_THAT(facts_of(handshake).missing, IsEmpty());
}

TEST(HandshakeFacts, AHalfOneSaysWhatItCan) {
  TlsHandshake server_only = whole("TLS 1.2");
  server_only.complete = server_only.client_hello = false;
  server_only.sni.reset();
  EXPECT_THAT(facts_of(server_only).missing, ElementsAre("tls.sni"));
  TlsHandshake client_only;
  client_only.client_hello = true;
  client_only.sni = "example.com";
  const HandshakeFacts facts = facts_of(client_only);
  EXPECT_THAT(facts.missing, ElementsAre("tls.version", "tls.cipher_suite", "tls.group"));
  EXPECT_EQ(facts.tls->sni, "example.com");
  EXPECT_TRUE(facts.failed);
}

TEST(HandshakeFacts, AFatalAlertIsTheEnd) {
  TlsHandshake handshake = whole("TLS 1.2");
  handshake.alerts.push_back({"server", "warning", "unrecognized_name"});
  EXPECT_FALSE(facts_of(handshake).failed);
  handshake.alerts.push_back({"client", "fatal", "unknown_ca"});
  EXPECT_TRUE(facts_of(handshake).failed);
}

}  // namespace
}  // namespace tracer::test
