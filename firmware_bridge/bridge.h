/* The device's half of docs/protocol/frame.md: samples wait here until the gateway has stored them.
 *
 * In: samples, and bytes from the line. Out: frames for the line. The caller owns all memory, passes
 * milliseconds that may wrap, and moves the bytes. C99; no malloc, no float, no clock, no globals,
 * not re-entrant: call from one context. Call bridge_say() at least once in 49 days.
 * With BRIDGE_KEYED defined a device may have a key; then both sides tag and check every frame.
 * With BRIDGE_SIGNED defined it may have a signer, a callback; then it signs all it says.
 * With BRIDGE_COMMANDED defined it may have a mover, a callback that does what a gateway asks for.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRIDGE_RAW_MAX 253u   /* version, type, body, CRC */
#define BRIDGE_CODED_MAX 254u /* what stands between two delimiters */
#define BRIDGE_WIRE_MAX 256u  /* with both delimiters */
#define BRIDGE_BOOT_BYTES 8u
#define BRIDGE_KEY_BYTES 32u
#define BRIDGE_TAG_BYTES 16u
#define BRIDGE_CHALLENGE_BYTES 8u
#define BRIDGE_SIGNATURE_BYTES 64u
#define BRIDGE_MESSAGE_MAX 512u /* the most that one signature is over */
#define BRIDGE_BATCH_SAMPLES 9u /* the most that one signature covers */

#ifndef BRIDGE_RETRY_MS
#define BRIDGE_RETRY_MS 1000u /* without progress for so long, samples are said again */
#endif
#ifndef BRIDGE_BATCH_MS
#define BRIDGE_BATCH_MS 1000u /* so long a sample waits for others to share its signature */
#endif

typedef enum {
    BRIDGE_OK = 0,
    /* of a frame; docs/protocol/frame.md, "Errors" */
    BRIDGE_LONG,
    BRIDGE_COBS,
    BRIDGE_SHORT,
    BRIDGE_CRC,
    BRIDGE_VERSION,
    BRIDGE_TAG,
    BRIDGE_TYPE,
    BRIDGE_BODY,
    /* of a call */
    BRIDGE_DROPPED,  /* the sample is kept; the ring was full, so the oldest is gone and counted */
    BRIDGE_METRIC,   /* not kept: the table has no such metric */
    BRIDGE_TABLE  /* not started: what the protocol does not allow, or both a key and a signer */
} bridge_status;

typedef enum { BRIDGE_GOOD = 0, BRIDGE_UNCERTAIN = 1, BRIDGE_BAD = 2 } bridge_quality;

typedef struct {
    const char *name; /* 1 to 48 characters of printable ASCII, no space */
    const char *unit; /* SenML's registry ("Cel", "1/min"), 0 to 16 characters */
} bridge_metric;

/* Give the Ed25519 signature of the message under this device's own key; 0, or anything else when
 * it cannot be had now: then nothing is said, and it is tried again at the next bridge_say(). */
typedef int (*bridge_signer)(void *context, const uint8_t *message, size_t size,
                             uint8_t signature[BRIDGE_SIGNATURE_BYTES]);

#ifdef BRIDGE_COMMANDED

typedef enum { BRIDGE_NUMBER = 0, BRIDGE_TRUTH = 1, BRIDGE_NOTHING = 2 } bridge_kind;

/* A number, mantissa * 10 ^ exponent; or a truth: mantissa 1 or 0, exponent 0. */
typedef struct {
    int64_t mantissa;
    int8_t exponent;
    uint8_t kind; /* a bridge_kind */
} bridge_value;

typedef enum {
    BRIDGE_DONE = 0,
    BRIDGE_REFUSED = 2,    /* not now: surely nothing moved */
    BRIDGE_NO_POINT = 18,  /* there is no such point: surely nothing moved */
    BRIDGE_OUTSIDE = 34,   /* outside of the point's limits: surely nothing moved */
    BRIDGE_FAILED = 4      /* begun, and what it did is not known */
} bridge_outcome;

/* Do it, soon; put what was then read back into `found` (it holds BRIDGE_NOTHING). It is called at
 * most once for each number of a command, out of bridge_hear(). Check the value: it is any. */
typedef bridge_outcome (*bridge_mover)(void *context, uint16_t point, bridge_value wanted,
                                       bridge_value *found);

#endif

typedef struct {
    const char *name;                /* 1 to 32 characters of printable ASCII, no space */
    uint8_t boot[BRIDGE_BOOT_BYTES]; /* never the same in two starts of this device */
    const bridge_metric *metrics;    /* the table, at least one row */
    uint8_t metric_count;
#ifdef BRIDGE_KEYED
    const uint8_t *key; /* BRIDGE_KEY_BYTES that the gateway has too, and no other device; or NULL */
#endif
#ifdef BRIDGE_SIGNED
    bridge_signer sign; /* or NULL */
    void *sign_context;
#endif
#ifdef BRIDGE_COMMANDED
    bridge_mover move; /* or NULL: then each command is answered `unsupported` */
    void *move_context;
#endif
} bridge_device;

/* A number: mantissa * 10 ^ exponent, under its row in the table. */
typedef struct {
    int64_t mantissa;
    int8_t exponent;
    uint8_t metric;
    uint8_t quality; /* a bridge_quality */
} bridge_sample;

/* A place in the ring. */
typedef struct {
    bridge_sample sample;
    uint64_t taken_ms;
} bridge_slot;

/* The state; read what you like, write nothing. Always oldest <= cursor <= next. */
typedef struct {
    const bridge_device *me;
    bridge_slot *ring; /* number s is in ring[s % capacity] */
    uint32_t capacity;
    uint64_t oldest;    /* lowest number still kept */
    uint64_t cursor;    /* next number to say */
    uint64_t next;      /* number of the next sample */
    uint32_t dropped;   /* lost to a full ring since the start */
    uint32_t refused;   /* frames heard that were none */
    uint64_t clock_ms;  /* since the start; does not wrap */
    uint64_t waiting_ms; /* when the oldest was said, or an ACK last made progress */
    uint32_t caller_ms; /* what the caller's clock last said */
    uint32_t command;   /* number of the last command; 0 before the first */
    uint8_t command_due;
    uint8_t probing;    /* no answer: one frame each BRIDGE_RETRY_MS */
    uint8_t told;       /* rows of the table said since the last ASK */
    uint16_t heard_length;
    uint8_t heard[BRIDGE_CODED_MAX];
#if defined(BRIDGE_KEYED) || defined(BRIDGE_SIGNED)
    uint8_t challenge[BRIDGE_CHALLENGE_BYTES]; /* of the last ASK: proves that we live now */
#endif
#ifdef BRIDGE_SIGNED
    uint32_t unsaid; /* frames that the signer could not sign */
    uint8_t message[BRIDGE_MESSAGE_MAX];
#endif
#ifdef BRIDGE_COMMANDED
    bridge_value found;    /* what the last command read back */
    uint32_t command_check; /* CRC-32 of its bytes: which one it was */
    uint8_t outcome;        /* what became of it: a bridge_outcome, or as the protocol numbers it */
#endif
} bridge;

/* Start with nothing kept; `me` and `ring` must outlive the bridge. BRIDGE_OK or BRIDGE_TABLE. */
bridge_status bridge_start(bridge *b, const bridge_device *me, bridge_slot *ring,
                           uint32_t capacity, uint32_t now_ms);

/* Keep a sample taken now until it is acknowledged. BRIDGE_OK, BRIDGE_DROPPED or BRIDGE_METRIC. */
bridge_status bridge_keep(bridge *b, bridge_sample sample, uint32_t now_ms);

/* Take bytes from the line, split anywhere. BRIDGE_OK, or the error of the last frame refused. */
bridge_status bridge_hear(bridge *b, const uint8_t *bytes, size_t length, uint32_t now_ms);

/* Write the next frame to send into `wire`; give its length, 0 when there is nothing to say yet. */
size_t bridge_say(bridge *b, uint8_t wire[BRIDGE_WIRE_MAX], uint32_t now_ms);

/* Turn what stood between two delimiters, in place, into a raw frame of any type at bytes + 1 (its
 * type at bytes[2]), of length - 1 bytes. BRIDGE_OK, or what is wrong with it. With a key only what
 * carries its tag is a frame; without BRIDGE_KEYED the key is not looked at. With BRIDGE_SIGNED a
 * frame of version 3 is one too; its signature, which only the gateway checks, is not looked at. */
bridge_status bridge_decode(uint8_t *bytes, size_t length, const uint8_t *key);

#ifdef BRIDGE_KEYED
/* Give the first 16 bytes of HMAC-SHA-256 over "hulian/1/frame" and the bytes. mac.c does it in
 * software; a board that has it in hardware links its own. */
void bridge_mac(const uint8_t *key, const uint8_t *bytes, size_t length,
                uint8_t tag[BRIDGE_TAG_BYTES]);
#endif

#ifdef __cplusplus
}
#endif

#endif
