/* bridge_mac() in software: HMAC-SHA-256 (RFC 2104, FIPS 180-4), for boards without it in hardware.
 *
 * In: a key, bytes. Out: the tag. No state, no tables in RAM; a key leaves no copy but on the stack.
 */
#include "bridge.h"

enum { BLOCK = 64, LENGTH_AT = 56 };

typedef struct {
    uint32_t state[8];
    uint32_t length; /* bytes so far */
    uint8_t block[BLOCK];
} sha256;

static uint32_t rotate(uint32_t x, unsigned by) {
    return x >> by | x << (32u - by);
}

static uint32_t word_at(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Give the next word of the schedule, in the place of the one sixteen before it. */
static uint32_t scheduled(uint32_t w[16], unsigned round) {
    uint32_t a = w[(round + 1u) % 16u], b = w[(round + 14u) % 16u];
    a = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
    b = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
    return w[round % 16u] += a + b + w[(round + 9u) % 16u];
}

static void compress(sha256 *h) {
    static const uint32_t constants[64] = {
        0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
        0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
        0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
        0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
        0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
        0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
        0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
        0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
        0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
        0xc67178f2u};
    uint32_t w[16], s[8], t, u;
    unsigned i;
    for (i = 0; i < 16; i++) {
        w[i] = word_at(h->block + 4u * i);
    }
    for (i = 0; i < 8; i++) {
        s[i] = h->state[i];
    }
    for (i = 0; i < 64; i++) { /* s[(k - i) mod 8] is the standard's k-th letter in this round */
#define S(k) s[(64u + (k) - i) % 8u]
        t = S(7) + (rotate(S(4), 6) ^ rotate(S(4), 11) ^ rotate(S(4), 25)) +
            ((S(4) & S(5)) ^ (~S(4) & S(6))) + constants[i] + (i < 16 ? w[i] : scheduled(w, i));
        u = (rotate(S(0), 2) ^ rotate(S(0), 13) ^ rotate(S(0), 22)) +
            ((S(0) & S(1)) ^ (S(0) & S(2)) ^ (S(1) & S(2)));
        S(3) += t;
        S(7) = t + u;
#undef S
    }
    for (i = 0; i < 8; i++) {
        h->state[i] += s[i];
    }
}

static void take(sha256 *h, uint8_t byte) {
    h->block[h->length++ % BLOCK] = byte;
    if (h->length % BLOCK == 0) {
        compress(h);
    }
}

/* Begin with the key's block, as HMAC does. */
static void start(sha256 *h, const uint8_t *key, uint8_t pad) {
    static const uint32_t initial[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                        0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    unsigned i;
    h->length = 0;
    for (i = 0; i < 8; i++) {
        h->state[i] = initial[i];
    }
    for (i = 0; i < BLOCK; i++) {
        take(h, (uint8_t)((i < BRIDGE_KEY_BYTES ? key[i] : 0) ^ pad));
    }
}

static void finish(sha256 *h, uint8_t *digest, unsigned length) {
    uint32_t bits = h->length * 8u;
    unsigned i;
    take(h, 0x80);
    while (h->length % BLOCK != LENGTH_AT) {
        take(h, 0);
    }
    for (i = 0; i < 8; i++) { /* no frame is so long that the first four were not zero */
        take(h, (uint8_t)(i < 4 ? 0 : bits >> (56u - 8u * i)));
    }
    for (i = 0; i < length; i++) {
        digest[i] = (uint8_t)(h->state[i / 4u] >> (24u - 8u * (i % 4u)));
    }
}

void bridge_mac(const uint8_t *key, const uint8_t *bytes, size_t length,
                uint8_t tag[BRIDGE_TAG_BYTES]) {
    static const char domain[] = "hulian/1/frame";
    uint8_t inner[32];
    sha256 h;
    size_t i;
    start(&h, key, 0x36);
    for (i = 0; i < sizeof domain - 1; i++) {
        take(&h, (uint8_t)domain[i]);
    }
    for (i = 0; i < length; i++) {
        take(&h, bytes[i]);
    }
    finish(&h, inner, sizeof inner);
    start(&h, key, 0x5c);
    for (i = 0; i < sizeof inner; i++) {
        take(&h, inner[i]);
    }
    finish(&h, tag, BRIDGE_TAG_BYTES);
}
