/* The device's half of docs/protocol/frame.md. See bridge.h. */
#include "bridge.h"

enum { VERSION = 1, VERSION_KEYED = 2, VERSION_SIGNED = 3, CRC_BYTES = 4, RAW_MIN = 6 };
enum { SAMPLE_BYTES = 15, DOMAIN_BYTES = 15, CLOCK_BYTES = 8 };
enum { NAME_MAX = 32, METRIC_MAX = 48, UNIT_MAX = 16, UNSUPPORTED = 1, OUTCOMES = 5 };
enum { TABLE_BYTES = 10, SAMPLES_BYTES = 36, RESULT_BYTES = 13, ACK_BYTES = 16 };
enum { COMMAND_BYTES = 16, BOOT_BYTES = BRIDGE_BOOT_BYTES };
enum { WANTED_BYTES = 20, EXPIRED = 3, OUTCOME_BITS = 15 };
enum { TABLE = 0x01, SAMPLES = 0x02, RESULT = 0x03, ASK = 0x81, ACK = 0x82, COMMAND = 0x83 };

/* -- bytes: all integers are big-endian -- */

static uint8_t *put(uint8_t *to, uint64_t value, unsigned bytes) {
    unsigned i;
    for (i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> (8u * (bytes - 1u - i)));
    }
    return to + bytes;
}

static uint64_t get(const uint8_t *from, unsigned bytes) {
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        to[i] = from[i];
    }
    return to + length;
}

static size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static uint8_t *put_text(uint8_t *to, const char *text) {
    size_t length = text_length(text);
    *to++ = (uint8_t)length;
    while (length-- > 0) {
        *to++ = (uint8_t)*text++;
    }
    return to;
}

static uint32_t crc32(const uint8_t *bytes, size_t length) {
    static const uint32_t nibble[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
        0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
        0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    uint32_t crc = 0xffffffffu;
    size_t i;
    for (i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibble[crc & 15u];
        crc = crc >> 4 ^ nibble[crc & 15u];
    }
    return ~crc;
}

/* -- reading a frame -- */

/* Give the length of a text with its length byte, 0 if it is none. */
static size_t text_at(const uint8_t *at, size_t left, size_t min, size_t max) {
    size_t i;
    if (left == 0 || at[0] < min || at[0] > max || at[0] >= left) {
        return 0;
    }
    for (i = 1; i <= at[0]; i++) {
        if (at[i] < 0x21 || at[i] > 0x7e) {
            return 0;
        }
    }
    return (size_t)at[0] + 1u;
}

static bridge_status check_table(const uint8_t *body, size_t length) {
    unsigned rows = 0;
    size_t at, name, unit;
    if (length < TABLE_BYTES) {
        return BRIDGE_BODY;
    }
    name = text_at(body + TABLE_BYTES, length - TABLE_BYTES, 1, NAME_MAX);
    for (at = TABLE_BYTES + name; name != 0 && at < length; at += name + unit, rows++) {
        name = text_at(body + at, length - at, 1, METRIC_MAX);
        unit = text_at(body + at + name, length - at - name, 0, UNIT_MAX);
        if (name == 0 || unit == 0) {
            return BRIDGE_BODY;
        }
    }
    return name != 0 && rows >= 1 && body[9] + rows <= body[8] ? BRIDGE_OK : BRIDGE_BODY;
}

static bridge_status check_samples(const uint8_t *body, size_t length) {
    uint64_t oldest, next, first, count;
    if (length <= SAMPLES_BYTES || (length - SAMPLES_BYTES) % SAMPLE_BYTES != 0) {
        return BRIDGE_BODY;
    }
    count = (length - SAMPLES_BYTES) / SAMPLE_BYTES;
    oldest = get(body + 8, 8);
    next = get(body + 16, 8);
    first = get(body + 28, 8);
    if (oldest > first || first > next || count > next - first || next >> 63 != 0) {
        return BRIDGE_BODY;
    }
    return BRIDGE_OK;
}

static bridge_status check_body(uint8_t type, const uint8_t *body, size_t length) {
    switch (type) {
    case TABLE:
        return check_table(body, length);
    case SAMPLES:
        return check_samples(body, length);
    case RESULT:
        return length >= RESULT_BYTES && body[12] < OUTCOMES ? BRIDGE_OK : BRIDGE_BODY;
    case ASK:
        return length == 0 ? BRIDGE_OK : BRIDGE_BODY;
    case ACK:
        return length == ACK_BYTES && body[8] < 0x80 ? BRIDGE_OK : BRIDGE_BODY;
    case COMMAND:
        return length >= COMMAND_BYTES ? BRIDGE_OK : BRIDGE_BODY;
    default:
        return BRIDGE_TYPE;
    }
}

#ifdef BRIDGE_KEYED

/* Check a frame's tag, in a time that does not depend on it, and then what it says. */
static bridge_status check_keyed(const uint8_t *raw, size_t length, const uint8_t *key) {
    uint8_t tag[BRIDGE_TAG_BYTES], differs = 0;
    size_t body, i;
    if (raw[0] != VERSION_KEYED || length < 2 + BRIDGE_TAG_BYTES) {
        return BRIDGE_TAG;
    }
    length -= BRIDGE_TAG_BYTES;
    bridge_mac(key, raw, length, tag);
    for (i = 0; i < BRIDGE_TAG_BYTES; i++) {
        differs |= (uint8_t)(tag[i] ^ raw[length + i]);
    }
    if (differs != 0) {
        return BRIDGE_TAG;
    }
    body = 2u + (raw[1] == TABLE || raw[1] == ASK ? BRIDGE_CHALLENGE_BYTES : 0);
    return length < body ? BRIDGE_BODY : check_body(raw[1], raw + body, length - body);
}

#endif

#ifdef BRIDGE_SIGNED

/* Check what a frame of version 3 says; who hears it on this side could not check a signature. */
static bridge_status check_signed(const uint8_t *raw, size_t length) {
    size_t before = raw[1] == TABLE || raw[1] == SAMPLES || raw[1] == ASK ? CLOCK_BYTES : 0;
    size_t after = raw[1] < ASK ? BRIDGE_SIGNATURE_BYTES : 0;
    if (length < 2 + before + after) {
        return raw[1] == 0 || (raw[1] > RESULT && raw[1] < ASK) ? BRIDGE_TYPE : BRIDGE_BODY;
    }
    return check_body(raw[1], raw + 2 + before, length - 2 - before - after);
}

#endif

bridge_status bridge_decode(uint8_t *bytes, size_t length, const uint8_t *key) {
    const uint8_t *raw = bytes + 1;
    size_t at = 0, checked;
    if (length > BRIDGE_CODED_MAX) {
        return BRIDGE_LONG;
    }
    while (at < length) { /* each code byte becomes the zero that it stands for */
        size_t code = bytes[at];
        if (code == 0 || code > length - at) {
            return BRIDGE_COBS;
        }
        bytes[at] = 0;
        at += code;
    }
    if (length < RAW_MIN + 1) {
        return BRIDGE_SHORT;
    }
    checked = length - 1 - CRC_BYTES;
    if (crc32(raw, checked) != (uint32_t)get(raw + checked, CRC_BYTES)) {
        return BRIDGE_CRC;
    }
#ifdef BRIDGE_KEYED
    if (key != NULL && (raw[0] == VERSION || raw[0] == VERSION_KEYED)) {
        return check_keyed(raw, checked, key);
    }
#else
    (void)key;
#endif
#ifdef BRIDGE_SIGNED
    if (raw[0] == VERSION_SIGNED) {
        return check_signed(raw, checked);
    }
#endif
    if (raw[0] != VERSION) {
        return BRIDGE_VERSION;
    }
    return check_body(raw[1], raw + 2, checked - 2);
}

/* -- what is kept -- */

static void tick(bridge *b, uint32_t now_ms) {
    b->clock_ms += (uint32_t)(now_ms - b->caller_ms);
    b->caller_ms = now_ms;
}

/* Check a text of the caller by the protocol's own rule; 0 if it breaks it. */
static unsigned is_text(const char *text, size_t min, size_t max) {
    uint8_t coded[1 + METRIC_MAX];
    size_t length = text_length(text);
    if (length > max) {
        return 0;
    }
    put_text(coded, text);
    return text_at(coded, length + 1, min, max) != 0;
}

bridge_status bridge_start(bridge *b, const bridge_device *me, bridge_slot *ring,
                           uint32_t capacity, uint32_t now_ms) {
    unsigned i;
    if (capacity == 0 || me->metric_count == 0 || !is_text(me->name, 1, NAME_MAX)) {
        return BRIDGE_TABLE;
    }
    for (i = 0; i < me->metric_count; i++) {
        if (!is_text(me->metrics[i].name, 1, METRIC_MAX) ||
            !is_text(me->metrics[i].unit, 0, UNIT_MAX)) {
            return BRIDGE_TABLE;
        }
    }
#if defined(BRIDGE_KEYED) && defined(BRIDGE_SIGNED)
    if (me->key != NULL && me->sign != NULL) {
        return BRIDGE_TABLE;
    }
#endif
    *b = (bridge){0};
    b->me = me;
    b->ring = ring;
    b->capacity = capacity;
    b->caller_ms = now_ms;
#ifdef BRIDGE_COMMANDED
    b->found.kind = BRIDGE_NOTHING;
#endif
    return BRIDGE_OK;
}

/* Forget all below a number. */
static void forget(bridge *b, uint64_t below) {
    b->oldest = below;
    if (b->cursor < below) {
        b->cursor = below;
    }
}

bridge_status bridge_keep(bridge *b, bridge_sample sample, uint32_t now_ms) {
    bridge_status status = BRIDGE_OK;
    bridge_slot *slot = &b->ring[b->next % b->capacity];
    tick(b, now_ms);
    if (sample.metric >= b->me->metric_count) {
        return BRIDGE_METRIC;
    }
    if (b->next - b->oldest == b->capacity) {
        forget(b, b->oldest + 1);
        b->dropped += b->dropped < UINT32_MAX;
        status = BRIDGE_DROPPED;
    }
    slot->sample = sample;
    slot->taken_ms = b->clock_ms;
    b->next++;
    return status;
}

/* -- with a key, with a signer, or with neither -- */

static const uint8_t *key_of(const bridge *b) {
#ifdef BRIDGE_KEYED
    return b->me->key;
#else
    (void)b;
    return NULL;
#endif
}

static unsigned is_signing(const bridge *b) {
#ifdef BRIDGE_SIGNED
    return b->me->sign != NULL;
#else
    (void)b;
    return 0;
#endif
}

static size_t tag_bytes(const bridge *b) {
    return key_of(b) != NULL ? BRIDGE_TAG_BYTES : 0;
}

/* Give how many bytes a frame of ours has after its body. */
static size_t after_body(const bridge *b) {
    return CRC_BYTES + tag_bytes(b) + (is_signing(b) ? BRIDGE_SIGNATURE_BYTES : 0);
}

static uint8_t *put_challenge(const bridge *b, uint8_t *to) {
#if defined(BRIDGE_KEYED) || defined(BRIDGE_SIGNED)
    if (key_of(b) != NULL || is_signing(b)) {
        return put_bytes(to, b->challenge, BRIDGE_CHALLENGE_BYTES);
    }
#else
    (void)b;
#endif
    return to;
}

#ifdef BRIDGE_SIGNED

/* Give the bytes that name a metric in what is signed. */
static size_t row_bytes(const bridge_metric *metric) {
    return 2u + text_length(metric->name) + text_length(metric->unit);
}

/* Sign version, type and body, and the names of all that they only number. */
static uint8_t *put_signature(bridge *b, const uint8_t *raw, uint8_t *end) {
    static const char domain[] = "hulian/1/device";
    const uint8_t *sample = raw + 2 + CLOCK_BYTES + SAMPLES_BYTES;
    uint8_t *at = put_bytes(b->message, (const uint8_t *)domain, DOMAIN_BYTES);
    *at++ = (uint8_t)(end - raw);
    at = put_text(put_bytes(at, raw, (size_t)(end - raw)), b->me->name);
    for (; raw[1] == SAMPLES && sample < end; sample += SAMPLE_BYTES) {
        const bridge_metric *metric = &b->me->metrics[*sample];
        at = put_text(put_text(at, metric->name), metric->unit);
    }
    if (b->me->sign(b->me->sign_context, b->message, (size_t)(at - b->message), end) != 0) {
        b->unsaid++;
        return NULL;
    }
    return end + BRIDGE_SIGNATURE_BYTES;
}

#endif

/* Say the version, and prove who says it: with a key by a tag, with a signer by a signature. */
static uint8_t *put_version(bridge *b, uint8_t *raw, uint8_t *end) {
    raw[0] = VERSION;
#ifdef BRIDGE_KEYED
    if (b->me->key != NULL) {
        raw[0] = VERSION_KEYED;
        bridge_mac(b->me->key, raw, (size_t)(end - raw), end);
        return end + BRIDGE_TAG_BYTES;
    }
#endif
#ifdef BRIDGE_SIGNED
    if (b->me->sign != NULL) {
        raw[0] = VERSION_SIGNED;
        return put_signature(b, raw, end);
    }
#endif
    (void)b;
    return end;
}

/* -- hearing -- */

static void hear_ack(bridge *b, uint64_t next) {
    if (next > b->oldest && next <= b->next) {
        forget(b, next);
        b->probing = 0;
        b->waiting_ms = b->clock_ms;
    }
}

static void hear_ask(bridge *b, const uint8_t *body) {
#if defined(BRIDGE_KEYED) || defined(BRIDGE_SIGNED)
    if (key_of(b) != NULL || is_signing(b)) {
        put_bytes(b->challenge, body, BRIDGE_CHALLENGE_BYTES);
    }
#else
    (void)body;
#endif
    b->told = 0;
    b->cursor = b->oldest;
    b->probing = 0;
}

#ifdef BRIDGE_COMMANDED

/* Do what a command says if it can be read and is not late; give what became of it. */
static uint8_t obey(bridge *b, const uint8_t *body, size_t length) {
    const uint8_t *wanted = body + COMMAND_BYTES;
    uint64_t since_ms = get(wanted, 8);
    bridge_value value;
    if (length != COMMAND_BYTES + WANTED_BYTES) {
        return UNSUPPORTED;
    }
    value.kind = wanted[10];
    value.exponent = (int8_t)wanted[11];
    value.mantissa = (int64_t)get(wanted + 12, 8);
    if (value.kind > BRIDGE_TRUTH ||
        (value.kind == BRIDGE_TRUTH && (value.exponent != 0 || (uint64_t)value.mantissa > 1))) {
        return UNSUPPORTED;
    }
    if (since_ms > b->clock_ms || b->clock_ms - since_ms >= get(body + 12, 4)) {
        return EXPIRED;
    }
    return (uint8_t)b->me->move(b->me->move_context, (uint16_t)get(wanted + 8, 2), value,
                                &b->found);
}

#endif

/* Take a command: once for each number, and numbers only rise; any other is answered by the last. */
static void hear_command(bridge *b, const uint8_t *body, size_t length) {
    uint32_t number = (uint32_t)get(body + BOOT_BYTES, 4);
    b->command_due = 1;
#ifdef BRIDGE_COMMANDED
    if (b->me->move != NULL) {
        if (number > b->command) {
            b->command = number;
            b->command_check = crc32(body + BOOT_BYTES, length - BOOT_BYTES);
            b->found.kind = BRIDGE_NOTHING;
            b->outcome = obey(b, body, length);
        }
        return;
    }
#endif
    (void)length;
    b->command = number;
}

static void hear_frame(bridge *b, const uint8_t *raw, size_t length) {
    const uint8_t *body = raw + 2;
    if (raw[1] == ASK) {
        hear_ask(b, body);
    } else if (raw[1] >= ASK && get(body, BOOT_BYTES) == get(b->me->boot, BOOT_BYTES)) {
        if (raw[1] == ACK) {
            hear_ack(b, get(body + 8, 8));
        } else {
            hear_command(b, body, length - 2);
        }
    } /* else it is for another boot, or our own voice on a half-duplex line */
}

static bridge_status hear_end(bridge *b) {
    size_t length = b->heard_length;
    bridge_status status = bridge_decode(b->heard, length, key_of(b));
    b->heard_length = 0;
#ifdef BRIDGE_SIGNED
    if (status == BRIDGE_OK && (b->heard[1] == VERSION_SIGNED) != is_signing(b)) {
        status = BRIDGE_VERSION;
    }
#endif
    if (status == BRIDGE_OK) {
        hear_frame(b, b->heard + 1, length - 1 - CRC_BYTES - tag_bytes(b));
    } else {
        b->refused += b->refused < UINT32_MAX;
    }
    return status;
}

bridge_status bridge_hear(bridge *b, const uint8_t *bytes, size_t length, uint32_t now_ms) {
    bridge_status status = BRIDGE_OK, ended;
    size_t i;
    tick(b, now_ms);
    for (i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            if (b->heard_length < BRIDGE_CODED_MAX) {
                b->heard[b->heard_length] = bytes[i];
            }
            b->heard_length = (uint16_t)(b->heard_length + (b->heard_length <= BRIDGE_CODED_MAX));
        } else if (b->heard_length > 0) {
            ended = hear_end(b);
            status = ended != BRIDGE_OK ? ended : status;
        }
    }
    return status;
}

/* -- saying -- */

static uint8_t *say_table(bridge *b, uint8_t *raw) {
    const uint8_t *end = raw + BRIDGE_RAW_MAX - after_body(b);
    uint8_t *at = raw + 1;
    *at++ = TABLE;
    at = put_challenge(b, at);
    at = put_bytes(at, b->me->boot, BOOT_BYTES);
    *at++ = b->me->metric_count;
    *at++ = b->told;
    at = put_text(at, b->me->name);
    while (b->told < b->me->metric_count) {
        const bridge_metric *metric = &b->me->metrics[b->told];
        size_t row = 2u + text_length(metric->name) + text_length(metric->unit);
        if (row > (size_t)(end - at)) {
            break;
        }
        at = put_text(put_text(at, metric->name), metric->unit);
        b->told++;
    }
    return at;
}

static uint8_t *say_result(bridge *b, uint8_t *raw) {
    uint8_t *at = raw + 1;
    *at++ = RESULT;
    at = put_bytes(at, b->me->boot, BOOT_BYTES);
    at = put(at, b->command, 4);
    b->command_due = 0;
#ifdef BRIDGE_COMMANDED
    if (b->me->move != NULL) {
        *at++ = b->outcome & OUTCOME_BITS;
        at = put(put(at, b->clock_ms, 8), b->command_check, 4);
        if (b->outcome == BRIDGE_DONE && b->found.kind != BRIDGE_NOTHING) {
            *at++ = b->found.kind;
            *at++ = (uint8_t)b->found.exponent;
            at = put(at, (uint64_t)b->found.mantissa, 8);
        } else if ((b->outcome & OUTCOME_BITS) == BRIDGE_REFUSED) {
            *at++ = b->outcome >> 4;
        }
        return at;
    }
#endif
    *at++ = UNSUPPORTED;
    return at;
}

static uint8_t *put_sample(const bridge *b, uint8_t *at, const bridge_slot *slot) {
    uint64_t age_ms = b->clock_ms - slot->taken_ms;
    *at++ = slot->sample.metric;
    *at++ = slot->sample.quality;
    *at++ = (uint8_t)slot->sample.exponent;
    at = put(at, (uint64_t)slot->sample.mantissa, 8);
    return put(at, age_ms < UINT32_MAX ? age_ms : UINT32_MAX, 4);
}

static uint8_t *say_samples(bridge *b, uint8_t *raw) {
    uint8_t *at = raw + 1;
    const uint8_t *last = raw + BRIDGE_RAW_MAX - after_body(b) - SAMPLE_BYTES;
#ifdef BRIDGE_SIGNED
    size_t room = BRIDGE_MESSAGE_MAX - DOMAIN_BYTES - 4 - CLOCK_BYTES - SAMPLES_BYTES -
                  text_length(b->me->name);
#endif
    if (b->cursor == b->oldest) {
        b->waiting_ms = b->clock_ms;
    }
    *at++ = SAMPLES;
    at = is_signing(b) ? put(at, b->clock_ms, CLOCK_BYTES) : at;
    at = put_bytes(at, b->me->boot, BOOT_BYTES);
    at = put(at, b->oldest, 8);
    at = put(at, b->next, 8);
    at = put(at, b->dropped, 4);
    at = put(at, b->cursor, 8);
    for (; at <= last && b->cursor < b->next; b->cursor++) {
        const bridge_slot *slot = &b->ring[b->cursor % b->capacity];
#ifdef BRIDGE_SIGNED
        size_t wanted = SAMPLE_BYTES + row_bytes(&b->me->metrics[slot->sample.metric]);
        if (is_signing(b)) {
            if (wanted > room) {
                break;
            }
            room -= wanted;
        }
#endif
        at = put_sample(b, at, slot);
    }
    return at;
}

/* Whether what waits is worth a signature: as much as one covers, or not to be kept longer. */
static unsigned is_batch(const bridge *b) {
    return !is_signing(b) || b->probing || b->next - b->cursor >= BRIDGE_BATCH_SAMPLES ||
           b->clock_ms - b->ring[b->cursor % b->capacity].taken_ms >= BRIDGE_BATCH_MS;
}

/* Whether to say samples now; goes back to the oldest when the gateway has been silent. */
static unsigned samples_due(bridge *b) {
    if ((b->probing || b->cursor > b->oldest) &&
        b->clock_ms - b->waiting_ms >= BRIDGE_RETRY_MS) {
        b->cursor = b->oldest;
        b->probing = 1;
    } else if (b->probing) {
        return 0;
    }
    return b->cursor < b->next && is_batch(b);
}

/* Close a raw frame at wire + 2: version, tag, CRC, COBS in place, delimiters. */
static size_t close_frame(bridge *b, uint8_t *wire, uint8_t *end) {
    uint8_t *at, *code = wire + 1;
    end = put_version(b, wire + 2, end);
    if (end == NULL) {
        return 0;
    }
    end = put(end, crc32(wire + 2, (size_t)(end - wire - 2)), CRC_BYTES);
    for (at = wire + 2; at < end; at++) { /* each zero becomes the way to the next */
        if (*at == 0) {
            *code = (uint8_t)(at - code);
            code = at;
        }
    }
    *code = (uint8_t)(end - code);
    wire[0] = 0;
    *end++ = 0;
    return (size_t)(end - wire);
}

/* Write the frame that is due, 0 when none is or it could not be signed. */
static size_t say(bridge *b, uint8_t *wire) {
    uint8_t *raw = wire + 2;
    if (b->told < b->me->metric_count) {
        return close_frame(b, wire, say_table(b, raw));
    }
    if (b->command_due) {
        return close_frame(b, wire, say_result(b, raw));
    }
    if (samples_due(b)) {
        return close_frame(b, wire, say_samples(b, raw));
    }
    return 0;
}

#ifdef BRIDGE_SIGNED

size_t bridge_say(bridge *b, uint8_t wire[BRIDGE_WIRE_MAX], uint32_t now_ms) {
    uint64_t cursor = b->cursor;
    uint32_t unsaid = b->unsaid;
    uint8_t told = b->told, command_due = b->command_due;
    size_t length;
    tick(b, now_ms);
    length = say(b, wire);
    if (b->unsaid != unsaid) { /* all is as if it had not been tried */
        b->told = told;
        b->command_due = command_due;
        b->cursor = cursor;
    }
    return length;
}

#else

size_t bridge_say(bridge *b, uint8_t wire[BRIDGE_WIRE_MAX], uint32_t now_ms) {
    tick(b, now_ms);
    return say(b, wire);
}

#endif
