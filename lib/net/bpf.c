/* bpf.c -- see bpf.h. There is no bpf() in the C library. */
#include "net/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* The kernel refuses bytes that it does not know when they are not zero. */
static union bpf_attr blank(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    return attr;
}

static long call(enum bpf_cmd command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint64_t pointer(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* --- maps -------------------------------------------------------------------------- */

int bpf_map_new(const struct bpf_shape *shape)
{
    union bpf_attr attr = blank();

    attr.map_type = shape->type;
    attr.key_size = shape->key;
    attr.value_size = shape->value;
    attr.max_entries = shape->entries;
    attr.map_flags = shape->flags;
    return (int)call(BPF_MAP_CREATE, &attr);
}

/* `value` is of a union with `next_key`. */
static bool call_of_key(enum bpf_cmd command, int map, const void *key, const void *value)
{
    union bpf_attr attr = blank();

    attr.map_fd = (uint32_t)map;
    attr.key = pointer(key);
    attr.value = pointer(value);
    return call(command, &attr) == 0;
}

bool bpf_map_put(int map, const void *key, const void *value)
{
    return call_of_key(BPF_MAP_UPDATE_ELEM, map, key, value);
}

bool bpf_map_get(int map, const void *key, void *value)
{
    return call_of_key(BPF_MAP_LOOKUP_ELEM, map, key, value);
}

bool bpf_map_remove(int map, const void *key)
{
    return call_of_key(BPF_MAP_DELETE_ELEM, map, key, NULL);
}

bool bpf_map_next(int map, const void *key, void *next)
{
    return call_of_key(BPF_MAP_GET_NEXT_KEY, map, key, next);
}

/* --- programs ------------------------------------------------------------------------ */

static int load(const struct bpf_insn *code, size_t count, char *log, uint32_t log_size)
{
    union bpf_attr attr = blank();

    attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = pointer(code);
    attr.insn_cnt = (uint32_t)count;
    attr.license = pointer("Dual MIT/GPL");
    attr.log_buf = pointer(log);
    attr.log_size = log_size;
    attr.log_level = log != NULL;
    return (int)call(BPF_PROG_LOAD, &attr);
}

/* The verifier follows each instruction; what it does not like comes last. */
static void ask_why(const struct bpf_insn *code, size_t count, char *why, size_t why_size)
{
    enum { LOG_MAX = 256 * 1024 };
    char *log = mem_zero(LOG_MAX);
    const int fd = load(code, count, log, LOG_MAX);
    const size_t len = strlen(log);

    snprintf(why, why_size, "%s", len < why_size ? log : log + len + 1 - why_size);
    if (fd != -1)
        close(fd);
    free(log);
}

int bpf_filter_load(const struct bpf_insn *code, size_t count, char *why, size_t why_size)
{
    const int fd = load(code, count, NULL, 0), error = errno;

    why[0] = '\0';
    if (fd == -1 && error != EPERM)
        ask_why(code, count, why, why_size);
    errno = error;
    return fd;
}

bool bpf_filter_attach(int program, int socket)
{
    return setsockopt(socket, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) == 0;
}
