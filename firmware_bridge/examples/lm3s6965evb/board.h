/* What this board gives: a Stellaris LM3S6965 (Cortex-M3, 256 KiB flash, 64 KiB RAM), no library. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#define CARD_BLOCK_BYTES 512u

/* Set the clock to 50 MHz and start the time and UART0 (115200 8N1). Once, before all else. */
void board_start(void);

/* Milliseconds since the start; they wrap. */
uint32_t board_milliseconds(void);

/* A number that no other board has: of its network address. */
uint32_t board_serial(void);

/* Sleep until the next interrupt: at most a millisecond. */
void board_sleep(void);

/* Start again from the reset vector. */
void board_reset(void);

/* Take what UART0 has heard, at most `length` bytes; what nobody took in time is lost. */
size_t uart_read(uint8_t *bytes, size_t length);

/* Hand to UART0 what fits into it now; give how many bytes that were. */
size_t uart_write(const uint8_t *bytes, size_t length);

/* Start the SD card on SSI0; 0 when there is none. */
int card_start(void);

/* Read and write a block; 0 when the card refused. A block is written when the call returns. */
int card_read(uint32_t block, uint8_t bytes[CARD_BLOCK_BYTES]);
int card_write(uint32_t block, const uint8_t bytes[CARD_BLOCK_BYTES]);

/* For board.c, startup.c and card.c only. */
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define PORT_A 0x40004000u
#define PORT_D 0x40007000u
#define GPIO_DIRECTION 0x400u
#define GPIO_ALTERNATE 0x420u
#define GPIO_DIGITAL 0x51cu
void on_timer0(void);
void on_uart0(void);
int main(void);

#endif
