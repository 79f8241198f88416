/*
 * machine.h -- is this machine on a cloud whose metadata service is asked?
 *
 * SMBIOS says so: it is the hypervisor's, so nobody else can have us ask. On any other machine
 * the service's address is never connected to.
 */
#ifndef CONFIGURE_MACHINE_H
#define CONFIGURE_MACHINE_H

#include <stdbool.h>

/* `dmi` is /sys/class/dmi/id; a file that is not there says nothing. */
bool machine_has_metadata(const char *dmi);

#endif
