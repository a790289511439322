/* A press on a Cortex-M3: counts strokes and says them, whatever becomes of its power and its line.
 *
 * What outlives a power cut is the number of starts, and what the gateway has acknowledged. What
 * waits in the ring is lost with the power: this board could keep it nowhere in time.
 */
#include "../../bridge.h"
#include "../../starts.h"
#include "board.h"

#ifndef PERIOD_MS
#define PERIOD_MS 1000u
#endif

enum { RING = 1024 }; /* 24 KiB: 17 minutes of a silent gateway at one sample a second */

static const bridge_metric metrics[] = {{"strokes", ""}, {"force", "N"}};
static bridge_device me = {.name = "press-m3", .metrics = metrics, .metric_count = 2};
static bridge_slot ring[RING];
static bridge b;
static uint8_t wire[BRIDGE_WIRE_MAX];
static size_t length, sent;

/* Count this start, durably, before a frame carries it; give its number, 0 where that is not possible. */
static uint32_t count_start(void) {
    static uint8_t blocks[2][CARD_BLOCK_BYTES];
    starts now;
    unsigned i;
    if (!card_start() || !card_read(0, blocks[0]) || !card_read(1, blocks[1])) {
        return 0;
    }
    now = starts_next(blocks[0], blocks[1]);
    for (i = 0; i < STARTS_SLOT_BYTES; i++) {
        blocks[now.slot][i] = now.bytes[i];
    }
    return card_write(now.slot, blocks[now.slot]) ? now.number : 0;
}

/* Each value is said once in the board's whole life, so that a reader can see what is lost. */
static void take_sample(uint32_t start, uint32_t now_ms) {
    uint64_t number = b.next;
    bridge_sample sample = {0};
    sample.mantissa = (int64_t)start * 1000000 + (int64_t)number;
    sample.metric = number % 2 == 1;
    sample.exponent = number % 2 == 1 ? -1 : 0;
    (void)bridge_keep(&b, sample, now_ms); /* a drop is counted, and told to the gateway */
}

static void turn(uint32_t now_ms) {
    uint8_t bytes[64];
    size_t count;
    while ((count = uart_read(bytes, sizeof bytes)) > 0) {
        (void)bridge_hear(&b, bytes, count, now_ms);
    }
    if (sent == length) {
        sent = 0;
        length = bridge_say(&b, wire, now_ms);
    }
    sent += uart_write(wire + sent, length - sent);
}

int main(void) {
    uint32_t start, due_ms;
    board_start();
#ifdef BRIDGE_KEYED
    static const uint8_t key[BRIDGE_KEY_BYTES] = {BOARD_KEY}; /* of this board alone */
    me.key = key;
#endif
    start = count_start();
    starts_boot_id(me.boot, board_serial(), start);
    if (start == 0 || bridge_start(&b, &me, ring, RING, board_milliseconds()) != BRIDGE_OK) {
        return 1; /* without a boot id nothing may be said: start again, and find the card */
    }
    for (due_ms = board_milliseconds();;) {
        uint32_t now_ms = board_milliseconds();
        if ((int32_t)(now_ms - due_ms) >= 0) {
            take_sample(start, now_ms);
            due_ms += PERIOD_MS;
        }
        turn(now_ms);
        if (sent == length) {
            board_sleep();
        }
    }
}
