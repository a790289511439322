/* An SD card on SSI0, by its SPI mode: the one memory of this board that outlives a power cut and
 * that the emulator has. Only what a counter needs: one block read, one block written. */
#include "board.h"

enum { GO_IDLE = 0, SEND_IF_COND = 8, READ = 17, WRITE = 24, SEND_OP_COND = 41, APP = 55 };
enum { TURNS_MAX = 100000, IDLE = 1, ACCEPTED = 5, TOKEN = 0xfe };

#define SSI0 0x40008000u
#define SELECT REGISTER(PORT_D + (1u << 2)) /* D0, and no other pin of the port */

static uint8_t swap(uint8_t said) {
    REGISTER(SSI0 + 0x008u) = said;
    while ((REGISTER(SSI0 + 0x00cu) & 1u << 2) == 0) { /* nothing heard yet */
    }
    return (uint8_t)REGISTER(SSI0 + 0x008u);
}

/* Wait until the card says this byte. */
static int await(uint8_t wanted) {
    unsigned turn;
    for (turn = 0; turn < TURNS_MAX; turn++) {
        if (swap(0xff) == wanted) {
            return 1;
        }
    }
    return 0;
}

static uint8_t command(uint8_t number, uint32_t argument) {
    unsigned turn;
    uint8_t answer = 0xff;
    SELECT = 0;
    (void)swap(0xff);
    (void)swap(0x40u | number);
    (void)swap((uint8_t)(argument >> 24));
    (void)swap((uint8_t)(argument >> 16));
    (void)swap((uint8_t)(argument >> 8));
    (void)swap((uint8_t)argument);
    (void)swap(number == GO_IDLE ? 0x95 : 0x87); /* a checksum, of these two commands only */
    for (turn = 0; turn < 10 && answer & 0x80u; turn++) {
        answer = swap(0xff);
    }
    return answer;
}

static void release(void) {
    SELECT = 1;
    (void)swap(0xff);
}

int card_start(void) {
    unsigned turn;
    uint8_t answer;
    REGISTER(PORT_D + GPIO_DIRECTION) |= 1u;
    REGISTER(PORT_D + GPIO_DIGITAL) |= 1u;
    SELECT = 1;
    REGISTER(SSI0 + 0x004u) = 0;
    REGISTER(SSI0 + 0x010u) = 126; /* 400 kHz, as every card allows */
    REGISTER(SSI0 + 0x000u) = 7;   /* eight bits, mode 0 */
    REGISTER(SSI0 + 0x004u) = 2;
    for (turn = 0; turn < 10; turn++) {
        (void)swap(0xff);
    }
    answer = command(GO_IDLE, 0);
    release();
    if (answer != IDLE) {
        return 0;
    }
    (void)command(SEND_IF_COND, 0x1aa);
    release();
    for (turn = 0; turn < TURNS_MAX && answer != 0; turn++) {
        (void)command(APP, 0);
        release();
        answer = command(SEND_OP_COND, 0); /* of a card of at most 2 GB: bytes are addressed */
        release();
    }
    return answer == 0;
}

int card_read(uint32_t block, uint8_t bytes[CARD_BLOCK_BYTES]) {
    unsigned i;
    int good = command(READ, block * CARD_BLOCK_BYTES) == 0 && await(TOKEN);
    for (i = 0; good && i < CARD_BLOCK_BYTES; i++) {
        bytes[i] = swap(0xff);
    }
    (void)swap(0xff); /* a checksum that nobody asked for */
    (void)swap(0xff);
    release();
    return good;
}

int card_write(uint32_t block, const uint8_t bytes[CARD_BLOCK_BYTES]) {
    unsigned i;
    int good = command(WRITE, block * CARD_BLOCK_BYTES) == 0;
    if (good) {
        (void)swap(0xff);
        (void)swap(TOKEN);
        for (i = 0; i < CARD_BLOCK_BYTES; i++) {
            (void)swap(bytes[i]);
        }
        (void)swap(0xff);
        (void)swap(0xff);
        good = (swap(0xff) & 0x1fu) == ACCEPTED && await(0xff); /* and until it is written */
    }
    release();
    return good;
}
