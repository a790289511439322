/* A device's whole main loop. The board gives the first three functions and the sensor. */
#include "../bridge.h"

extern uint32_t board_milliseconds(void);
extern size_t board_uart_read(uint8_t *bytes, size_t length); /* what is there, maybe nothing */
extern void board_uart_write(const uint8_t *bytes, size_t length);
extern int32_t board_temperature_mc(void); /* thousandths of a degree */
extern void board_new_boot_id(uint8_t boot[BRIDGE_BOOT_BYTES]); /* a counter in flash, or random */

static const bridge_metric metrics[] = {{"temperature", "Cel"}};
static bridge_device me = {"mcu-7", {0}, metrics, 1};
static bridge_slot ring[64];
static bridge b;

int main(void) {
    uint32_t sampled_ms = 0;
    uint8_t bytes[BRIDGE_WIRE_MAX];
    board_new_boot_id(me.boot);
    if (bridge_start(&b, &me, ring, 64, board_milliseconds()) != BRIDGE_OK) {
        return 1;
    }
    for (;;) {
        uint32_t now_ms = board_milliseconds();
        if (now_ms - sampled_ms >= 1000) {
            bridge_sample sample = {board_temperature_mc(), -3, 0, BRIDGE_GOOD};
            sampled_ms = now_ms;
            (void)bridge_keep(&b, sample, now_ms); /* a drop is counted, and told to the gateway */
        }
        (void)bridge_hear(&b, bytes, board_uart_read(bytes, sizeof bytes), now_ms);
        board_uart_write(bytes, bridge_say(&b, bytes, now_ms));
    }
}
