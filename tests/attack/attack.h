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
	km_rules_off = km_rules_off_too = 0;
}

static inline void rule_off(enum km_rule rule)
{
	if (rule < 64)
		km_rules_off |= (uint64_t)1 << rule;
	else
		km_rules_off_too |= (uint64_t)1 << (rule - 64);
}

#endif
