/* rules.c: the mask of switched-off rules; linked into attack tests only. */
#include "rules.h"

#ifndef KM_ATTACK_BUILD
#error "rules.c belongs to attack builds only"
#endif

_Static_assert(KM_RULES <= 128, "two masks of 64 bits");

uint64_t km_rules_off, km_rules_off_too;
