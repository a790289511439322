/* A `bridge_signer` by libsodium, for POSIX systems. A board has its own: a secure element, or the
 * Ed25519 of its SDK.
 */
#ifndef PORT_SIGNER_H
#define PORT_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#define SIGNER_SEED_BYTES 32u

typedef struct {
    uint8_t secret[64];
} signer;

/* Begin with the seed of the device's own key; 0 when it can sign. */
int signer_start(signer *s, const uint8_t seed[SIGNER_SEED_BYTES]);

/* Sign, as bridge.h asks for it; `context` is a signer. */
int signer_sign(void *context, const uint8_t *message, size_t size, uint8_t signature[64]);

#endif
