/* See starts.h. A slot is the number, big-endian, and its complement: what is half written differs. */
#include "starts.h"

static void put(uint8_t *to, uint32_t value) {
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static uint32_t get(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint32_t number_in(const uint8_t *slot) {
    uint32_t number = get(slot);
    return number == ~get(slot + 4) ? number : 0;
}

starts starts_next(const uint8_t first[STARTS_SLOT_BYTES],
                   const uint8_t second[STARTS_SLOT_BYTES]) {
    uint32_t a = number_in(first), b = number_in(second);
    starts next = {0};
    next.number = (a > b ? a : b) + 1u;
    next.slot = a > b;
    put(next.bytes, next.number);
    put(next.bytes + 4, ~next.number);
    return next;
}

void starts_boot_id(uint8_t boot[8], uint32_t serial, uint32_t number) {
    put(boot, serial);
    put(boot + 4, number);
}
