/*
 * ktls.c -- does this kernel keep TLS records itself? For each version that it does, a line with
 * its number: one end of a connection over the loopback is given keys and sends a word, the other
 * sees a record, is given the keys, and reads the word. Exits with 1 when anything of that is
 * otherwise.
 */
#include <arpa/inet.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

enum { APPLICATION_DATA = 23 }; /* a record's first byte */

static const char word[] = "in a record";

static void expect(int is_well, const char *what)
{
    if (!is_well) {
        perror(what);
        exit(1);
    }
}

/* Both ends of a connection. */
static void connect_ends(int ends[2])
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(here);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);

    expect(listen(listener, 1) == 0, "listen"); /* at a port of the kernel's choice */
    expect(getsockname(listener, (struct sockaddr *)&here, &len) == 0, "getsockname");
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    expect(connect(ends[0], (struct sockaddr *)&here, sizeof(here)) == 0, "connect");
    ends[1] = accept(listener, NULL, NULL);
    expect(ends[1] != -1, "accept");
}

static void give_keys(int fd, int way, unsigned short version)
{
    const struct tls12_crypto_info_aes_gcm_128 keys = {
        .info = { .version = version, .cipher_type = TLS_CIPHER_AES_GCM_128 },
        .key = "0123456789abcde",
    };

    expect(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0, "TCP_ULP");
    expect(setsockopt(fd, SOL_TLS, way, &keys, sizeof(keys)) == 0, "keys");
}

static void say_version(unsigned short version, const char *name)
{
    char seen[256];
    int ends[2];

    connect_ends(ends);
    give_keys(ends[0], TLS_TX, version);
    expect(send(ends[0], word, sizeof(word), 0) == sizeof(word), "send");
    expect(recv(ends[1], seen, sizeof(seen), MSG_PEEK) > (ssize_t)sizeof(word),
           "a record is longer");
    expect(seen[0] == APPLICATION_DATA, "a record");
    give_keys(ends[1], TLS_RX, version);
    expect(recv(ends[1], seen, sizeof(seen), 0) == sizeof(word), "recv");
    expect(memcmp(seen, word, sizeof(word)) == 0, "the word");
    puts(name);
}

int main(void)
{
    say_version(TLS_1_2_VERSION, "1.2");
    say_version(TLS_1_3_VERSION, "1.3");
    return 0;
}
