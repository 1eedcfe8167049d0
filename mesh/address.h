/* address.h: where a node listens or is reached. */
#ifndef KMD_ADDRESS_H
#define KMD_ADDRESS_H

#include "base/err.h"

/* host:port or [v6]:port with a port of 1..65535. */
int kmd_address_valid(const char *address) KM_MUST;

#endif
