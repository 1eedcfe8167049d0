/* sim_memo.h: forget it between seeds, so that memory stays bounded. */
#ifndef KM_SIM_MEMO_H
#define KM_SIM_MEMO_H

void sim_memo_clear(void);

#endif
