/* A signer for computers that have libsodium: Ed25519 as RFC 8032 has it. See signer.h. */
#include "signer.h"

#include <sodium.h>

int signer_start(signer *s, const uint8_t seed[SIGNER_SEED_BYTES]) {
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    return sodium_init() < 0 ? -1 : crypto_sign_seed_keypair(public_key, s->secret, seed);
}

int signer_sign(void *context, const uint8_t *message, size_t size, uint8_t signature[64]) {
    const signer *s = context;
    return crypto_sign_detached(signature, NULL, message, size, s->secret);
}
