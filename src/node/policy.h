/* policy.h: do these bytes say what the context claims? Strict parsers of everything keymesh signs (protocol section 4). */
#ifndef KM_NODE_POLICY_H
#define KM_NODE_POLICY_H

#include "../base/context.h"
#include "../ec/point.h"

/* KM_OK if bytes parse whole as `context` (KM_E_CONTEXT if not). x is the key's public point, for contexts that must carry it (csr,
 * x509-self). Contexts not yet implemented parse nothing. */
int km_context_parse(unsigned context, const struct km_curve *c, const struct km_point *x, const uint8_t *bytes, size_t len) KM_MUST;
/* The rule of a signer: context allowed for the key, bytes parse under it and under no other allowed context.
 * KM_E_RIGHTS, KM_E_CONTEXT. WHY: TLS 1.2 randoms can spell the start of another structure (attack B27). */
int km_context_check(uint32_t allowed, unsigned context, const struct km_curve *c, const struct km_point *x, const uint8_t *bytes, size_t len) KM_MUST;

#endif
