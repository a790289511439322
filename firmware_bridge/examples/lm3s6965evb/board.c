/* Clock, time and UART0. Addresses and bits: the LM3S6965's data sheet, ARM's PL011 and SysTick. */
#include "board.h"

enum { QUEUE_BYTES = 1024, CLOCK_HZ = 50000000 }; /* 89 ms of a line at full speed */

#define SYSTEM 0x400fe000u
#define RAW_INTERRUPTS REGISTER(SYSTEM + 0x050u)
#define RUN_CLOCK REGISTER(SYSTEM + 0x060u)
#define CLOCKS_1 REGISTER(SYSTEM + 0x104u)
#define CLOCKS_2 REGISTER(SYSTEM + 0x108u)
#define ADDRESS_HIGH REGISTER(SYSTEM + 0x1e0u) /* the maker's half of the network address */
#define ADDRESS_LOW REGISTER(SYSTEM + 0x1e4u)

#define UART0 0x4000c000u
#define UART_BYTE REGISTER(UART0)
#define UART_FLAGS REGISTER(UART0 + 0x018u)

#define TIMER0 0x40030000u
#define CYCLES REGISTER(0xe000e018u) /* SysTick: 24 bits, downwards, round in a third of a second */

static volatile uint32_t milliseconds;
static uint32_t cycles_before, cycles;
static volatile uint32_t heard_in, heard_out; /* count bytes; the queue is what lies between */
static uint8_t heard[QUEUE_BYTES];

/* Each millisecond, or late: time is counted in cycles, so a late interrupt loses none. */
void on_timer0(void) {
    uint32_t now = CYCLES;
    REGISTER(TIMER0 + 0x024u) = 1; /* done */
    cycles += (cycles_before - now) & 0xffffffu;
    cycles_before = now;
    milliseconds += cycles / (CLOCK_HZ / 1000);
    cycles %= CLOCK_HZ / 1000;
}

void on_uart0(void) {
    while ((UART_FLAGS & 1u << 4) == 0) { /* not empty */
        uint8_t byte = (uint8_t)UART_BYTE;
        if (heard_in - heard_out < QUEUE_BYTES) {
            heard[heard_in % QUEUE_BYTES] = byte;
            heard_in++;
        }
    }
    REGISTER(UART0 + 0x044u) = 1u << 4 | 1u << 6; /* heard, and heard a while ago: done */
}

static void start_clock(void) {
    uint32_t run = RUN_CLOCK;
    run = (run | 1u << 11) & ~(1u << 22); /* around the PLL while it is set */
    RUN_CLOCK = run;
    run &= ~(0xfu << 6 | 3u << 4 | 1u << 13 | 1u << 0);
    run |= 0xeu << 6; /* the crystal of 8 MHz, PLL on */
    RUN_CLOCK = run;
    run = (run & ~(0xfu << 23)) | 3u << 23 | 1u << 22; /* 200 MHz / 4 */
    RUN_CLOCK = run;
    while ((RAW_INTERRUPTS & 1u << 6) == 0) { /* until the PLL is locked */
    }
    RUN_CLOCK = run & ~(1u << 11);
}

static void start_uart(void) {
    REGISTER(UART0 + 0x030u) = 0;
    REGISTER(UART0 + 0x024u) = 27; /* 50 MHz / (16 * 115200) = 27 + 8 / 64 */
    REGISTER(UART0 + 0x028u) = 8;
    REGISTER(UART0 + 0x02cu) = 3u << 5 | 1u << 4; /* 8N1, queues on */
    REGISTER(UART0 + 0x038u) = 1u << 4 | 1u << 6;
    REGISTER(UART0 + 0x030u) = 1u << 9 | 1u << 8 | 1u;
    REGISTER(0xe000e100u) = 1u << 5; /* let interrupt 5 through */
}

static void start_timer(void) {
    REGISTER(0xe000e014u) = 0xffffffu;
    CYCLES = 0;
    REGISTER(0xe000e010u) = 5; /* of the processor's clock, without an interrupt */
    REGISTER(TIMER0 + 0x00cu) = 0;
    REGISTER(TIMER0 + 0x000u) = 0; /* one timer of 32 bits, */
    REGISTER(TIMER0 + 0x004u) = 2; /* again and again, */
    REGISTER(TIMER0 + 0x028u) = CLOCK_HZ / 1000 - 1;
    REGISTER(TIMER0 + 0x018u) = 1; /* with an interrupt */
    REGISTER(TIMER0 + 0x00cu) = 1;
    REGISTER(0xe000e100u) = 1u << 19;
}

void board_start(void) {
    start_clock();
    CLOCKS_1 |= 1u << 16 | 1u << 4 | 1u << 0; /* TIMER0, SSI0, UART0 */
    CLOCKS_2 |= 1u << 3 | 1u << 0; /* ports D and A */
    (void)CLOCKS_2;                /* a port answers three cycles later */
    REGISTER(PORT_A + GPIO_ALTERNATE) |= 0x37u; /* A0 and A1 UART0; A2, A4, A5 SSI0 */
    REGISTER(PORT_A + GPIO_DIGITAL) |= 0x37u;
    start_timer();
    start_uart();
}

uint32_t board_milliseconds(void) {
    return milliseconds;
}

uint32_t board_serial(void) {
    return (ADDRESS_HIGH & 0xff0000u) << 8 | (ADDRESS_LOW & 0xffffffu);
}

void board_sleep(void) {
    __asm__ volatile("wfi");
}

void board_reset(void) {
    REGISTER(0xe000ed0cu) = 0x05fa0004u;
    for (;;) {
    }
}

size_t uart_read(uint8_t *bytes, size_t length) {
    size_t count = 0;
    while (count < length && heard_out != heard_in) {
        bytes[count++] = heard[heard_out % QUEUE_BYTES];
        heard_out++;
    }
    return count;
}

size_t uart_write(const uint8_t *bytes, size_t length) {
    size_t count = 0;
    while (count < length && (UART_FLAGS & 1u << 5) == 0) { /* not full */
        UART_BYTE = bytes[count++];
    }
    return count;
}
