/* A stand-in for Arduino's EEPROM library; see Arduino.h beside it. */
#ifndef EEPROM_H
#define EEPROM_H

#include <stdint.h>

struct EEPROMClass {
    uint8_t read(int address);
    void write(int address, uint8_t value);
};
extern EEPROMClass EEPROM;

#endif
