// An Arduino that says a temperature on its serial port. firmware_bridge/ is the library.
//
// Any board with EEPROM and 2 KB of RAM. The serial port belongs to the gateway: print nothing to it.
#include <EEPROM.h>
#include <bridge.h>
#include <starts.h>

const uint32_t BOARD_NUMBER = 1;  // another one for each board
const int SLOTS_AT = 0;           // 16 bytes of EEPROM: the count of starts
const uint32_t PERIOD_MS = 1000;
const uint32_t KEPT = 32;         // half a minute of a silent gateway, in 600 to 768 bytes

static const bridge_metric METRICS[] = {{"temperature", "Cel"}};
static bridge_device me;
static bridge_slot ring[KEPT];
static bridge b;
static uint8_t wire[BRIDGE_WIRE_MAX];
static size_t wire_length, wire_sent;
static uint32_t due_ms;

// A sensor of 10 mV per degree on A0, read against 5 V; in hundredths of a degree.
static int32_t temperature() {
    return static_cast<int32_t>(analogRead(A0)) * 50000 / 1023;
}

// Count this start before anything is said: a boot id must never come twice.
static uint32_t count_start() {
    uint8_t slots[2][STARTS_SLOT_BYTES];
    for (unsigned i = 0; i < sizeof slots; i++) {
        slots[i / STARTS_SLOT_BYTES][i % STARTS_SLOT_BYTES] = EEPROM.read(SLOTS_AT + static_cast<int>(i));
    }
    starts now = starts_next(slots[0], slots[1]);
    for (unsigned i = 0; i < STARTS_SLOT_BYTES; i++) {
        EEPROM.write(SLOTS_AT + static_cast<int>(now.slot * STARTS_SLOT_BYTES + i), now.bytes[i]);
    }
    return now.number;
}

void setup() {
    Serial.begin(115200);
    me.name = "arduino-1";
    me.metrics = METRICS;
    me.metric_count = 1;
    starts_boot_id(me.boot, BOARD_NUMBER, count_start());
    while (bridge_start(&b, &me, ring, KEPT, millis()) != BRIDGE_OK) {
        delay(1000);  // a name or a unit that the protocol does not allow
    }
    due_ms = millis();
}

void loop() {
    uint32_t now_ms = millis();
    if (static_cast<int32_t>(now_ms - due_ms) >= 0) {
        bridge_sample sample = {temperature(), -2, 0, BRIDGE_GOOD};
        bridge_keep(&b, sample, now_ms);
        due_ms += PERIOD_MS;
    }
    while (Serial.available() > 0) {
        uint8_t heard = static_cast<uint8_t>(Serial.read());
        bridge_hear(&b, &heard, 1, now_ms);
    }
    if (wire_sent == wire_length) {
        wire_sent = 0;
        wire_length = bridge_say(&b, wire, now_ms);
    }
    while (wire_sent < wire_length && Serial.availableForWrite() > 0) {
        wire_sent += Serial.write(wire + wire_sent, 1);
    }
}
