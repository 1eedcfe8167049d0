/* sched.h: which threads of a busy core run first. */
#ifndef KMD_SCHED_H
#define KMD_SCHED_H

/* This thread, and those it will make: short pieces of work that others wait for. */
void kmd_sched_prompt(void);
/* This thread: long work that nobody waits for; between begin and end it offers the core again and again. */
void kmd_sched_background(unsigned nice_value);
void kmd_sched_work_begin(void);
void kmd_sched_work_end(void);
/* Before the thread ends. */
void kmd_sched_background_end(void);

#endif
