/* A fake compiler of kernels for tests, not NVIDIA's: libnvrtc.so.12 as far as Elastic calls it. Its cubin says what it was asked for. It
   refuses a source without our kernels, headers, and options that would let numbers differ. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program { char cubin[256], log[256]; };
static int compiled;

int fake_compiled(void) { return compiled; }

int nvrtcVersion(int *major, int *minor) { *major = 12; *minor = 8; return 0; }
const char *nvrtcGetErrorString(int result) { return result == 6 ? "NVRTC_ERROR_COMPILATION" : "an error of the fake"; }
int nvrtcCreateProgram(struct program **made, const char *source, const char *name, int headers, const char **texts, const char **names)
{
    if (headers != 0 || texts || names || strcmp(name, "elastic.cu") != 0 || !strstr(source, "__global__ void"))
        return 4;
    *made = calloc(1, sizeof **made);
    return 0;
}
int nvrtcCompileProgram(struct program *program, int count, const char **options)
{
    int strict = 0;
    const char *architecture = "";
    for (int i = 0; i < count; i++)
    {
        strict += !strcmp(options[i], "--fmad=false") + !strcmp(options[i], "--prec-div=true") + !strcmp(options[i], "--ftz=false");
        if (!strncmp(options[i], "--gpu-architecture=", 19))
            architecture = options[i] + 19;
    }
    if (strict != 3 || strcmp(architecture, "sm_90") != 0)
    {
        snprintf(program->log, sizeof program->log, "elastic.cu(1): error: the fake knows no %s\n", architecture);
        return 6;
    }
    __atomic_fetch_add(&compiled, 1, __ATOMIC_RELAXED);
    snprintf(program->cubin, sizeof program->cubin, "fake cubin for %s", architecture);
    return 0;
}
int nvrtcGetProgramLogSize(struct program *program, size_t *size) { *size = strlen(program->log) + 1; return 0; }
int nvrtcGetProgramLog(struct program *program, char *log) { strcpy(log, program->log); return 0; }
int nvrtcGetCUBINSize(struct program *program, size_t *size) { *size = strlen(program->cubin) + 1; return 0; }
int nvrtcGetCUBIN(struct program *program, char *cubin) { strcpy(cubin, program->cubin); return 0; }
int nvrtcDestroyProgram(struct program **program) { free(*program); *program = NULL; return 0; }
