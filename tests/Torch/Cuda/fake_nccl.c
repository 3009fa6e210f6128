/* A fake library of collectives for tests, not NVIDIA's: libnccl.so.2 as far as Elastic calls it. Its ranks are threads of one process, whose
   memory is all there is, so a transfer is a copy. As NCCL does, it works in the background: a communicator is made, and a transfer has ended,
   when as many questions for its state were answered with "in progress" as PATIENCE says, and all ranks have come. It checks what it
   is given: sizes, types, the default stream, groups, and that nobody uses a communicator that was aborted. fake_fault() makes a rank fail. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, SYSTEM = 2, INTERNAL = 3, INVALID = 4, USAGE = 5, IN_PROGRESS = 7, FLOAT = 7, RANKS = 8, CALLS = 4096 };

typedef struct { char bytes[128]; } id_t_;
typedef struct { size_t size; unsigned magic, version; int blocking, rest; } config;
typedef struct { float *at; size_t count; int from, to, is_done; } call;
/* What the ranks of a communicator share. */
typedef struct clique { id_t_ id; int ranks, joined; struct comm *members[RANKS]; struct clique *next; } clique;
typedef struct comm { clique *all; int rank, questions, error, is_aborted, calls; call queue[CALLS]; } comm;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static clique *cliques;
enum { PATIENCE = 2 };
static int version = 22809, serial, fault_rank = -1, fault_kind, open_comms, transfers;
static __thread int depth;
static __thread comm *grouped;

/* ---- What tests ask of the fake. */
enum { REFUSES_START = 1, FAILS_TRANSFER, NEVER_ENDS };
void fake_fault(int rank, int kind) { fault_rank = rank; fault_kind = kind; }
void fake_version(int number) { version = number; }
int fake_open(void) { pthread_mutex_lock(&gate); int open = open_comms; pthread_mutex_unlock(&gate); return open; }
int fake_transfers(void) { return transfers; }

/* ---- The library. */
int ncclGetVersion(int *into) { *into = version; return OK; }
const char *ncclGetErrorString(int result)
{
    return result == SYSTEM ? "unhandled system error" : result == INTERNAL ? "internal error" : "an error of the fake";
}
int ncclGetUniqueId(id_t_ *id)
{
    memset(id, 0x5a, sizeof *id);
    pthread_mutex_lock(&gate);
    int number = ++serial;
    pthread_mutex_unlock(&gate);
    memcpy(id->bytes, &number, sizeof number);
    memcpy(id->bytes + 124, &number, sizeof number);
    return OK;
}
int ncclCommInitRankConfig(comm **made, int ranks, id_t_ id, int rank, config *config)
{
    if (config->size != sizeof *config || config->magic != 0xcafebeef || config->version != 21400 || config->blocking != 0)
        return INVALID;
    if (memcmp(id.bytes, id.bytes + 124, 4) != 0 || id.bytes[64] != 0x5a || rank < 0 || rank >= ranks || ranks > RANKS)
        return INVALID;
    if (fault_kind == REFUSES_START && rank == fault_rank)
        return SYSTEM;
    pthread_mutex_lock(&gate);
    clique *all = cliques;
    while (all && memcmp(&all->id, &id, sizeof id) != 0)
        all = all->next;
    if (!all)
    {
        all = calloc(1, sizeof *all);
        all->id = id, all->ranks = ranks, all->next = cliques;
        cliques = all;
    }
    int result = all->ranks != ranks || all->members[rank] ? INVALID : IN_PROGRESS;
    if (result == IN_PROGRESS)
    {
        *made = all->members[rank] = calloc(1, sizeof **made);
        (*made)->all = all, (*made)->rank = rank;
        all->joined++, open_comms++;
    }
    pthread_mutex_unlock(&gate);
    return result;
}

/* The first call of a rank, in order, that is or is not a send to or from another. */
static call *find(comm *c, int from, int to)
{
    for (int i = 0; c && i < c->calls; i++)
        if (!c->queue[i].is_done && c->queue[i].from == from && c->queue[i].to == to)
            return &c->queue[i];
    return NULL;
}

/* Copies what both sides have asked for; counts what this rank still waits for. */
static int move(comm *c)
{
    int waiting = 0;
    for (int i = 0; i < c->calls; i++)
    {
        call *own = &c->queue[i];
        if (own->is_done)
            continue;
        int is_send = own->from == c->rank;
        call *other = find(c->all->members[is_send ? own->to : own->from], own->from, own->to);
        if (!other || find(c, own->from, own->to) != own)
        {
            waiting++;
            continue;
        }
        if (other->count != own->count)
            c->error = INVALID;
        else
            memcpy(is_send ? other->at : own->at, is_send ? own->at : other->at, own->count * sizeof(float));
        own->is_done = other->is_done = 1;
        transfers++;
    }
    return waiting;
}
int ncclCommGetAsyncError(comm *c, int *state)
{
    pthread_mutex_lock(&gate);
    int result = c->is_aborted ? USAGE : OK, hangs = fault_kind == NEVER_ENDS && c->rank == fault_rank;
    int waiting = c->is_aborted || hangs ? 1 : c->all->joined < c->all->ranks ? 1 : move(c);
    if (waiting == 0 && c->calls > 0 && fault_kind == FAILS_TRANSFER && c->rank == fault_rank)
        c->error = INTERNAL;
    *state = c->error ? c->error : waiting > 0 || c->questions++ < PATIENCE ? IN_PROGRESS : OK;
    if (*state == OK)
        c->calls = 0;
    pthread_mutex_unlock(&gate);
    return result;
}
/* Is not freed, so that a use after it is found. */
int ncclCommAbort(comm *c)
{
    pthread_mutex_lock(&gate);
    int result = c->is_aborted ? USAGE : OK;
    open_comms -= !c->is_aborted;
    c->is_aborted = 1;
    c->all->members[c->rank] = NULL;
    pthread_mutex_unlock(&gate);
    return result;
}
int ncclGroupStart(void) { depth++; return OK; }
int ncclGroupEnd(void)
{
    if (depth-- != 1)
        return USAGE;
    comm *c = grouped;
    grouped = NULL;
    if (c)
        c->questions = 0;
    return c ? IN_PROGRESS : OK;
}
static int add(comm *c, float *at, size_t count, int type, int from, int to, void *stream)
{
    if (depth != 1 || type != FLOAT || stream || !at || count == 0 || from == to || (grouped && grouped != c))
        return INVALID;
    pthread_mutex_lock(&gate);
    int peer = from == c->rank ? to : from, result = c->is_aborted || c->calls == CALLS ? USAGE : IN_PROGRESS;
    if (peer < 0 || peer >= c->all->ranks)
        result = INVALID;
    if (result == IN_PROGRESS)
        c->queue[c->calls++] = (call){at, count, from, to, 0};
    grouped = c;
    pthread_mutex_unlock(&gate);
    return result;
}
int ncclSend(float *from, size_t count, int type, int peer, comm *c, void *stream)
{
    return add(c, from, count, type, c->rank, peer, stream);
}
int ncclRecv(float *into, size_t count, int type, int peer, comm *c, void *stream)
{
    return add(c, into, count, type, peer, c->rank, stream);
}
