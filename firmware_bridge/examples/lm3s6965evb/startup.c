/* From reset to main(): vectors, memory, and the two functions of a C library that the compiler
 * itself calls. The stack is painted, so that a debugger can see how deep it ever was. */
#include "board.h"

extern uint32_t data_in_flash[], data_begin[], data_end[], bss_begin[], bss_end[];
extern uint32_t paint_end[], stack_top[];

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memset(void *to, int value, size_t length);
void on_reset(void);

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    uint8_t *t = to;
    const uint8_t *f = from;
    while (length-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memset(void *to, int value, size_t length) {
    uint8_t *t = to;
    while (length-- > 0) {
        *t++ = (uint8_t)value;
    }
    return to;
}

void on_reset(void) {
    volatile uint32_t *to;
    const uint32_t *from = data_in_flash;
    for (to = data_begin; to < data_end;) {
        *to++ = *from++;
    }
    for (to = bss_begin; to < bss_end;) {
        *to++ = 0;
    }
    for (to = bss_end; to < paint_end;) {
        *to++ = 0xc5c5c5c5u;
    }
    (void)main();
    board_reset();
}

typedef struct {
    uint32_t *stack;
    void (*handlers[35])(void);
} vector_table;

/* A fault starts the board again: whatever waited is lost and said to be, which beats silence. */
__attribute__((section(".vectors"), used)) static const vector_table vectors = {
    stack_top,
    {
        on_reset,
        board_reset, board_reset, board_reset, board_reset, board_reset, /* NMI and faults */
        0, 0, 0, 0,
        board_reset, board_reset, 0, board_reset, board_reset,
        0, 0, 0, 0, 0, /* interrupts 0 to 4: ports A to E */
        on_uart0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 6 to 18 */
        on_timer0,
    },
};
