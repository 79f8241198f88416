/*
 * bpf.h -- bpf(2): maps and socket filter programs of the kernel, as descriptors.
 *
 * To make either asks for CAP_BPF. Whoever has the descriptor of a map may read and change it, and
 * whoever has that of a program may attach it to a socket of his, without any capability
 * (Linux 6.0 and later; before, kernel.unprivileged_bpf_disabled forbade that as well).
 */
#ifndef NET_BPF_H
#define NET_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_shape {
    enum bpf_map_type type;
    uint32_t key, value; /* bytes */
    uint32_t entries;    /* at most */
    uint32_t flags;      /* BPF_F_... */
};

/* Close-on-exec; -1 with errno. The caller closes it. */
int bpf_map_new(const struct bpf_shape *shape);

/* False with errno: E2BIG or ENOSPC when it is full (put), ENOENT when there is no such key (get,
 * remove). */
bool bpf_map_put(int map, const void *key, const void *value);
bool bpf_map_get(int map, const void *key, void *value);
bool bpf_map_remove(int map, const void *key);

/* The key behind `key`, or the first one (NULL): in no order that means anything. False at the
 * end. */
bool bpf_map_next(int map, const void *key, void *next);

/* A socket filter; -1 with errno, and the end of what the kernel's verifier says of it in `why`. */
int bpf_filter_load(const struct bpf_insn *code, size_t count, char *why, size_t why_size);

/* In place of the filter that the socket has, if any. False with errno. */
bool bpf_filter_attach(int program, int socket);

#endif
