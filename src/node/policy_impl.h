/* policy_impl.h: private to the parsers of contexts. */
#ifndef KM_NODE_POLICY_IMPL_H
#define KM_NODE_POLICY_IMPL_H

#include "policy.h"

/* KM_OK or KM_E_CONTEXT. x must not be NULL, else nothing parses. */
int km_policy_parse_csr(const struct km_curve *c, const struct km_point *x, const uint8_t *p, size_t n) KM_MUST;
int km_policy_parse_x509_self(const struct km_curve *c, const struct km_point *x, const uint8_t *p, size_t n) KM_MUST;

#endif
