/* TLB shootdown with N CPUs; every CPU may begin one at any time. A page is freed only when no CPU can still reach it.
 *
 * Without a define it is correct: requests go out under a lock, and who waits for the answers serves requests itself.
 *   NO_SERVE     waits with interrupts off and serves nothing
 *   MASK_LATE    switch-in sets its bit in the CPU mask after loading CR3
 *   FREE_EARLY   the page is freed before all answers are in
 *
 * also: -DN=2
 * must fail: -DNO_SERVE
 * must fail: -DMASK_LATE
 * must fail: -DFREE_EARLY
 */
#ifndef N
#define N 3
#endif
bool pte = 1;            /* the page is mapped */
bool freed = 0;
bool mask[N];            /* CPUs that may cache this address space */
bool tlb[N];             /* CPU holds a translation */
bool inmm[N];            /* CPU is running in the address space */
bool req[N];             /* flush request pending (IPI latched) */
byte acks;
bool lock;               /* address-space lock: one unmap at a time, held IF=0 or 1 */
byte unmaps;

inline serve(me) {       /* IPI handler */
  if
  :: req[me] ->
     tlb[me] = 0;
     atomic { req[me] = 0; acks-- }
  :: else
  fi
}
proctype Cpu(byte me) {
  byte i;
  do
  :: !inmm[me] ->        /* switch in */
#ifdef MASK_LATE
     inmm[me] = 1;
     if :: pte -> tlb[me] = 1 :: else fi;   /* speculative walk right away */
     mask[me] = 1
#else
     mask[me] = 1;
     inmm[me] = 1
#endif
  :: inmm[me] && !req[me] ->              /* user access; interrupts are on */
     if
     :: atomic { tlb[me] -> assert(!freed) }
     :: atomic { !tlb[me] && pte -> tlb[me] = 1 }
     :: else
     fi
  :: req[me] -> serve(me)                  /* interrupt */
  :: inmm[me] && !req[me] ->               /* switch out: flush, then leave the mask */
     tlb[me] = 0; inmm[me] = 0;
     mask[me] = 0
  :: inmm[me] && unmaps < 2 ->             /* munmap(), both CPUs may race for the lock */
     unmaps++;
#ifdef NO_SERVE
     /* spin_lock_irqsave: nothing is served from here on */
     atomic { !lock -> lock = 1 };
#else
     do
     :: atomic { !lock -> lock = 1 }; break
     :: lock && req[me] -> serve(me)
     od;
#endif
     pte = 0; tlb[me] = 0;
     for (i : 0 .. N-1) {
       if :: i != me && mask[i] -> atomic { req[i] = 1; acks++ } :: else fi
     }
#ifdef FREE_EARLY
     freed = 1;
#endif
#ifdef NO_SERVE
     (acks == 0);
#else
     do
     :: acks == 0 -> break
     :: req[me] -> serve(me)
     od;
#endif
     freed = 1;
     lock = 0
  :: unmaps == 2 && !req[me] && !lock -> break
  od;
end:
  do :: req[me] -> serve(me) od
}
init { byte k; atomic { for (k : 0 .. N-1) { run Cpu(k) } } }
