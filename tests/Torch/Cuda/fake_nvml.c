/* A fake management library for tests, not NVIDIA's: libnvidia-ml.so.1 as far as Elastic calls it. One GPU, which is where the fake driver's
   first one is; the second one is not known, as one that fell off the bus. It checks what it is given: that it was started, handles, sizes,
   and which counter is asked for. OLD leaves out what an older version has not; fake_refuse() makes one number unsupported. */
#include <stdio.h>
#include <string.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, SIZE = 7, UNKNOWN = 999 };
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned gpu, memory; } utilization;

static int is_started, refused, starts_with;
static char gpu;

/* ---- What tests ask of the fake. */
void fake_start(int result) { starts_with = result; is_started = 0; }
void fake_refuse(int power) { refused = power; }

/* ---- The library. */
static int checked(void *device) { return !is_started ? UNINITIALIZED : device == &gpu ? OK : INVALID; }
static int text(char *into, unsigned length, const char *from)
{
    if (length < strlen(from) + 1)
        return SIZE;
    strcpy(into, from);
    return OK;
}
const char *nvmlErrorString(int result) { return result == UNKNOWN ? "Unknown Error" : "an error of the fake"; }
int nvmlInit_v2(void)
{
    is_started = starts_with == OK;
    return starts_with;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device)
{
    *device = &gpu;
    return !is_started ? UNINITIALIZED : strcmp(bus, "0000:3B:00.0") == 0 ? OK : NOT_FOUND;
}
int nvmlDeviceGetUUID(void *device, char *into, unsigned length) { return checked(device) ? INVALID : text(into, length, "GPU-fake-0"); }
int nvmlDeviceGetName(void *device, char *into, unsigned length) { return checked(device) ? INVALID : text(into, length, "Fake GPU 0"); }
int nvmlDeviceGetMemoryInfo(void *device, memory *info)
{
    *info = (memory){80ULL << 30, 60ULL << 30, 20ULL << 30};
    return checked(device);
}
int nvmlDeviceGetUtilizationRates(void *device, utilization *rates)
{
    *rates = (utilization){87, 31};
    return checked(device);
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
    *celsius = 64;
    return sensor != 0 ? INVALID : checked(device);
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    *milliwatts = 431500;
    return refused ? NOT_SUPPORTED : checked(device);
}
int nvmlDeviceGetTotalEccErrors(void *device, int type, int counter, unsigned long long *count)
{
    *count = type == 0 ? 3 : 1;
    return counter != 0 || type < 0 || type > 1 ? INVALID : checked(device);
}
#ifndef OLD
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules)
{
    *millijoules = 5123456;
    return checked(device);
}
#endif
