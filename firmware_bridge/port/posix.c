/* bridge.c as a device on a POSIX serial line or a pseudo-terminal, for tests and the demo.
 *
 * bridge-device PATH [--name NAME] [--period-ms N] [--count N] [--boot HEX16] [--ring N] [--pty]
 *               [--seed FILE] [--key FILE] [--fate FATE]
 *
 * Prints a line for what happens to each sample, by its number:
 *     sampled 7 temperature 207e-1 Cel
 *     dropped 3                            (so many since the start)
 *     acknowledged 7
 *     moved 1 65e0                         (by a command: point 1 to 65 * 10^0)
 * With --pty, PATH is made: a link to a new pseudo-terminal's other end. With --count, it ends when
 * so many were sampled and each is acknowledged or dropped. A line that goes away is opened again.
 * Built with BRIDGE_SIGNED and signer.c it signs with --seed: FILE has its key's 64 hex digits.
 * Built with BRIDGE_KEYED and mac.c it has the key of --key: FILE has 64 hex digits too.
 * Built with BRIDGE_COMMANDED it has two points: 1 goes from 0 to 100, 2 is true or false. --fate
 * says what becomes of a command: done (otherwise), failed, or dies: done, and never answered.
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 600

#include "../bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifdef BRIDGE_SIGNED
#include "signer.h"

static signer own_key;
#endif

enum { RING_MAX = 4096, TURN_MS = 5, REOPEN_MS = 100 };

typedef struct {
    const char *path;
    int pty;
    unsigned long period_ms, count, ring;
    bridge_device me;
} options;

typedef struct {
    int fd; /* -1 while the line is away */
    uint8_t wire[BRIDGE_WIRE_MAX];
    size_t length, sent;
} line;

#ifdef BRIDGE_KEYED
static uint8_t shared_key[BRIDGE_KEY_BYTES];
#endif

static const bridge_metric METRICS[] = {{"temperature", "Cel"}, {"strokes", ""}};

/* -- the three things that a board gives: milliseconds, write, read -- */

static uint32_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u);
}

static void line_close(line *l) {
    close(l->fd);
    *l = (line){.fd = -1};
}

static void write_some(line *l) {
    ssize_t done = write(l->fd, l->wire + l->sent, l->length - l->sent);
    if (done >= 0) {
        l->sent += (size_t)done;
    } else if (errno != EAGAIN && errno != EINTR) {
        line_close(l);
    }
}

static size_t read_some(line *l, uint8_t *bytes, size_t length) {
    ssize_t done = read(l->fd, bytes, length);
    if (done > 0) {
        return (size_t)done;
    }
    if (done == 0 || (errno != EAGAIN && errno != EINTR)) {
        line_close(l);
    }
    return 0;
}

/* -- the line -- */

static int set_raw(int fd) {
    struct termios mode;
    if (tcgetattr(fd, &mode) != 0) {
        return -1;
    }
    cfmakeraw(&mode);
    cfsetspeed(&mode, B115200);
    return tcsetattr(fd, TCSANOW, &mode);
}

static int open_line(const char *path) {
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 && set_raw(fd) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_pty(const char *path) {
    const char *other;
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || (other = ptsname(fd)) == NULL) {
        return -1;
    }
    unlink(path);
    if (set_raw(fd) != 0 || symlink(other, path) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return -1;
    }
    close(open(other, O_RDWR | O_NOCTTY)); /* from now on POLLHUP tells that nobody is there */
    return fd;
}

/* -- the device -- */

static void take_sample(bridge *b, uint32_t now_ms) {
    int64_t number = (int64_t)b->next;
    bridge_sample sample = {200 + number % 100, -1, 0, BRIDGE_GOOD};
    if (number % 2 == 1) {
        sample = (bridge_sample){number, 0, 1, BRIDGE_GOOD};
    }
    printf("sampled %" PRId64 " %s %" PRId64 "e%d %s\n", number, METRICS[sample.metric].name,
           sample.mantissa, sample.exponent, METRICS[sample.metric].unit);
    if (bridge_keep(b, sample, now_ms) == BRIDGE_DROPPED) {
        printf("dropped %" PRIu32 "\n", b->dropped);
    }
}

static void turn(bridge *b, line *l) {
    uint8_t bytes[256];
    uint64_t oldest = b->oldest;
    size_t length;
    if (l->sent == l->length) {
        l->sent = 0;
        l->length = bridge_say(b, l->wire, milliseconds());
    }
    if (l->sent < l->length) {
        write_some(l);
    }
    length = l->fd < 0 ? 0 : read_some(l, bytes, sizeof bytes);
    bridge_hear(b, bytes, length, milliseconds());
    for (; oldest < b->oldest; oldest++) {
        printf("acknowledged %" PRIu64 "\n", oldest);
    }
}

/* Wait for bytes or the next turn; whether somebody is at the line's other end. What is written to
 * a pseudo-terminal without one is kept by the kernel and would be heard later with a wrong age. */
static int wait_turn(const line *l) {
    struct pollfd ready = {l->fd, POLLIN, 0};
    if (l->fd >= 0 && poll(&ready, 1, TURN_MS) >= 0 && (ready.revents & POLLHUP) == 0) {
        return 1;
    }
    poll(NULL, 0, l->fd < 0 ? REOPEN_MS : TURN_MS);
    return 0;
}

static int run(const options *o) {
    static bridge_slot ring[RING_MAX];
    bridge b;
    line l = {.fd = o->pty ? open_pty(o->path) : -1};
    uint32_t due_ms = milliseconds();
    if (bridge_start(&b, &o->me, ring, (uint32_t)o->ring, due_ms) != BRIDGE_OK ||
        (o->pty && l.fd < 0)) {
        fprintf(stderr, "bridge-device: cannot start at %s\n", o->path);
        return 1;
    }
    while (o->count == 0 || b.next < o->count || b.oldest < b.next) {
        if ((int32_t)(milliseconds() - due_ms) >= 0 && (o->count == 0 || b.next < o->count)) {
            take_sample(&b, milliseconds());
            due_ms += (uint32_t)o->period_ms;
        }
        if (l.fd < 0 && !o->pty) {
            l.fd = open_line(o->path);
        }
        if (wait_turn(&l)) {
            turn(&b, &l);
        }
    }
    return 0;
}

#ifdef BRIDGE_COMMANDED

/* -- what it can be told to do -- */

enum { POINT_LEVEL = 1, POINT_PUMP = 2, LEVEL_MAX = 100 };

/* Compare without a float: of a level only whole units and tenths are taken. */
static int is_level(bridge_value wanted) {
    int64_t max = wanted.exponent == 0 ? LEVEL_MAX : 10 * LEVEL_MAX;
    return (wanted.exponent == 0 || wanted.exponent == -1) && wanted.mantissa >= 0 &&
           wanted.mantissa <= max;
}

static bridge_outcome move(void *context, uint16_t point, bridge_value wanted,
                           bridge_value *found) {
    const char *fate = context;
    if (point != POINT_LEVEL && point != POINT_PUMP) {
        return BRIDGE_NO_POINT;
    }
    if (wanted.kind != (point == POINT_LEVEL ? BRIDGE_NUMBER : BRIDGE_TRUTH) ||
        (point == POINT_LEVEL && !is_level(wanted))) {
        return BRIDGE_OUTSIDE;
    }
    printf("moved %u %" PRId64 "e%d\n", (unsigned)point, wanted.mantissa, wanted.exponent);
    if (strcmp(fate, "dies") == 0) {
        exit(3);
    }
    *found = wanted;
    return strcmp(fate, "failed") == 0 ? BRIDGE_FAILED : BRIDGE_DONE;
}

#endif

/* -- the command line -- */

static int read_boot(uint8_t *boot, const char *hex) {
    char *end;
    unsigned long long value = strtoull(hex, &end, 16);
    int i;
    for (i = 7; i >= 0; i--, value >>= 8) {
        boot[i] = (uint8_t)(value & 255u);
    }
    return strlen(hex) == 16 && *end == '\0';
}

static int draw_boot(uint8_t *boot) {
    int fd = open("/dev/urandom", O_RDONLY);
    int drawn = fd >= 0 && read(fd, boot, BRIDGE_BOOT_BYTES) == (ssize_t)BRIDGE_BOOT_BYTES;
    close(fd);
    return drawn;
}

#if defined(BRIDGE_KEYED) || defined(BRIDGE_SIGNED)

enum { SECRET_BYTES = 32 };

static int read_secret(uint8_t *secret, const char *path) {
    unsigned byte, count = 0;
    FILE *file = fopen(path, "r");
    while (file != NULL && count < SECRET_BYTES && fscanf(file, "%2x", &byte) == 1) {
        secret[count++] = (uint8_t)byte;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count == SECRET_BYTES;
}

#endif

#ifdef BRIDGE_SIGNED

static int read_seed(bridge_device *me, const char *path) {
    uint8_t seed[SECRET_BYTES];
    me->sign = signer_sign;
    me->sign_context = &own_key;
    return read_secret(seed, path) && signer_start(&own_key, seed) == 0;
}

#endif

static int read_options(options *o, int argc, char **argv) {
    int i, good = argc >= 2 && draw_boot(o->me.boot);
    for (i = 2; good && i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--pty") == 0) {
            o->pty = 1;
            continue;
        }
        if (strcmp(argv[i], "--name") == 0) {
            o->me.name = value;
        } else if (strcmp(argv[i], "--boot") == 0) {
            good = read_boot(o->me.boot, value);
        } else if (strcmp(argv[i], "--period-ms") == 0) {
            o->period_ms = strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--count") == 0) {
            o->count = strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--ring") == 0) {
            o->ring = strtoul(value, NULL, 10);
            good = o->ring >= 1 && o->ring <= RING_MAX;
#ifdef BRIDGE_SIGNED
        } else if (strcmp(argv[i], "--seed") == 0) {
            good = read_seed(&o->me, value);
#endif
#ifdef BRIDGE_KEYED
        } else if (strcmp(argv[i], "--key") == 0) {
            o->me.key = shared_key;
            good = read_secret(shared_key, value);
#endif
#ifdef BRIDGE_COMMANDED
        } else if (strcmp(argv[i], "--fate") == 0) {
            o->me.move_context = argv[i + 1];
            good = i + 1 < argc;
#endif
        } else {
            good = 0;
        }
        i++;
    }
    o->path = argc >= 2 ? argv[1] : "";
    return good;
}

int main(int argc, char **argv) {
    options o = {.period_ms = 1000, .ring = 1024, .me = {.name = "mcu", .metrics = METRICS}};
    o.me.metric_count = sizeof METRICS / sizeof METRICS[0];
#ifdef BRIDGE_COMMANDED
    static char fate[] = "done";
    o.me.move = move;
    o.me.move_context = fate;
#endif
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_options(&o, argc, argv)) {
        fprintf(stderr, "usage: bridge-device PATH [--name NAME] [--period-ms N] [--count N] "
                        "[--boot HEX16] [--ring N] [--pty] [--seed FILE] [--key FILE] "
                        "[--fate FATE]\n");
        return 2;
    }
    return run(&o);
}
