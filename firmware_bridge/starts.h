/* A boot id for a board without a source of randomness: its serial number, and how often it started.
 *
 * In: two slots of a memory that outlives a power cut (EEPROM, two pages of flash, two blocks of a
 * card). Out: the number of this start, and what to write where. The slot written is never the one
 * that holds the newest number, so a cut in the middle of writing costs nothing: the start whose
 * number was not written yet had said no frame. C99, no state of its own.
 */
#ifndef STARTS_H
#define STARTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STARTS_SLOT_BYTES 8u

typedef struct {
    uint32_t number;                 /* of this start, from 1 on; 0: there are no more */
    uint8_t slot;                    /* write to this one, 0 or 1, */
    uint8_t bytes[STARTS_SLOT_BYTES]; /* these bytes, and wait until they are written */
} starts;

/* Give the number of this start from what both slots hold; blank or damaged ones count as 0. */
starts starts_next(const uint8_t first[STARTS_SLOT_BYTES], const uint8_t second[STARTS_SLOT_BYTES]);

/* Make the boot id. `serial` tells boards apart that are put on one line after one another. */
void starts_boot_id(uint8_t boot[8], uint32_t serial, uint32_t number);

#ifdef __cplusplus
}
#endif

#endif
