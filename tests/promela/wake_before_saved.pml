/* A wake-up against a context that is not saved yet.
 *
 * Each CPU switches away from its thread; before it has said that the thread is off its stack, an interrupt's handler may wake
 * the other CPU's thread. The waker leaves a token and goes on; SPIN_ON_CPU waits for the other CPU instead, and both wait for ever.
 *
 * must fail: -DSPIN_ON_CPU
 */
#define N 2
mtype = { RUN, PARKING, PARKED, TOKEN };
mtype st[N] = PARKING;       /* both threads announced sleep, still on their CPU */
byte queued[N];              /* times on a run queue */
bool saved[N];

inline wake(t) {
#ifdef SPIN_ON_CPU
  (saved[t]);                /* while (on_cpu[t]) cpu_relax();  IF = 0 */
  queued[t]++
#else
  d_step {                   /* swap(TOKEN) */
    if :: st[t] == PARKED -> queued[t]++ :: else -> skip fi;
    st[t] = TOKEN
  }
#endif
}
proctype Cpu(byte me) {
  if :: true -> wake(1 - me) :: true fi;   /* interrupt in the window, or not */
  saved[me] = true;                       /* switch tail */
#ifndef SPIN_ON_CPU
  d_step { if :: st[me] == PARKING -> st[me] = PARKED
              :: st[me] == TOKEN -> queued[me]++
              :: else fi }
#endif
  if :: true -> wake(1 - me) :: true fi
}
init { atomic { run Cpu(0); run Cpu(1) } }
#ifndef SPIN_ON_CPU
/* a thread is never queued before its context is saved */
ltl safe { [] ((queued[0] == 0 || saved[0]) && (queued[1] == 0 || saved[1])) }
#endif
