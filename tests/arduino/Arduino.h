/* A stand-in for Arduino's own header: what firmware_bridge/examples/arduino uses of it, declared and
 * not defined. It shows that the sketch is C++ that fits these names, and nothing of a real board. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

enum { A0 = 14 };

unsigned long millis();
void delay(unsigned long milliseconds);
int analogRead(uint8_t pin);

struct HardwareSerial {
    void begin(unsigned long baud);
    int available();
    int read();
    int availableForWrite();
    size_t write(const uint8_t *bytes, size_t length);
};
extern HardwareSerial Serial;

#endif
