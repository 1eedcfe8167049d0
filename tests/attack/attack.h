/* attack.h: for attack programs: switching rules off. One program for one entry of the attack book; its cases come in pairs:
 * with all rules (the attack fails, for the reason given) and without the one rule (the attack succeeds). */
#ifndef KM_ATTACK_H
#define KM_ATTACK_H

#include "../lib/test.h"
#include "base/rules.h"

#ifndef KM_ATTACK_BUILD
#error "attack programs are built with -DKM_ATTACK_BUILD"
#endif

static inline void rules_all(void)
{
	km_rules_off = 0;
}

static inline void rule_off(enum km_rule rule)
{
	km_rules_off |= (uint64_t)1 << rule;
}

#endif
