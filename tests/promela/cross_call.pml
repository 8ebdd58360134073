/* Cross-calls among N CPUs, each of which may call all others at once: a box for each CPU, and a knock.
 *
 * Without a define it is correct (libkernel/src/cross_call.rs): whoever waits, for an answer or for room in a box, has interrupts
 * on and so serves the others' calls; a CPU takes itself off a request when it has run it.
 *   NO_SERVE       waits for the answers with interrupts off
 *   NO_SERVE_FULL  waits for room in a full box with interrupts off
 *   NO_KNOCK       puts the letter into the box and knocks only if the box was empty when it looked before
 *   ONE_LETTER     the handler takes one letter for each knock, and knocks are one when two come together
 *   ANSWER_EARLY   the CPU takes itself off the request before it has run it
 *
 * also: -DN=2
 * also: -DROOM=2
 * must fail: -DNO_SERVE
 * must fail: -DNO_SERVE -DN=2
 * must fail: -DNO_SERVE_FULL
 * must fail: -DNO_KNOCK
 * must fail: -DONE_LETTER -DROOM=2
 * must fail: -DANSWER_EARLY
 */
#ifndef N
#define N 3
#endif
#ifndef ROOM
#define ROOM 1                     /* letters in a box */
#endif
chan box[N] = [ROOM] of { byte };  /* who calls */
bool knock[N];                     /* the IPI, latched */
bool waits[N * N];                 /* caller * N + called: has not run it yet */
byte left[N];                      /* so many of them */
bool ran[N * N];

inline answer(me, who) {
  atomic { waits[who * N + me] = 0; left[who]-- }
}
inline serve(me, who) {            /* the handler, to its end: interrupts are off in it */
  knock[me] = 0;
#ifdef ONE_LETTER
  if
#else
  do
#endif
  :: atomic { nempty(box[me]) -> box[me]?who }
#ifdef ANSWER_EARLY
     answer(me, who);
     ran[who * N + me] = 1;
#else
     ran[who * N + me] = 1;
     answer(me, who);
#endif
     who = 0
#ifdef ONE_LETTER
  :: empty(box[me])
  fi
#else
  :: empty(box[me]) -> break
  od
#endif
}
proctype Cpu(byte me) {
  byte i, who;
  bool quiet;
  if :: skip :: goto idle fi;      /* calls, or only answers */
  /* on(): counted before anybody may answer */
  d_step {
    for (i : 0 .. N-1) { if :: i != me -> waits[me * N + i] = 1; left[me]++ :: else fi }
    i = 0
  };
  do
  :: i == N -> break
  :: i < N && i == me -> i++
  :: i < N && i != me ->
#ifdef NO_KNOCK
     quiet = nempty(box[i]);
#endif
     do
     :: atomic { nfull(box[i]) -> box[i]!me } break
     :: full(box[i]) ->
        knock[i] = 1;              /* its CPU empties it */
#ifdef NO_SERVE_FULL
        nfull(box[i])
#else
        if
        :: nfull(box[i])
        :: knock[me] -> serve(me, who)
        fi
#endif
     od;
     if :: !quiet -> knock[i] = 1 :: else fi;
     i++
  :: knock[me] -> serve(me, who)   /* interrupts are on between two letters */
  od;
#ifdef NO_SERVE
  (left[me] == 0);
#else
  do
  :: left[me] == 0 -> break
  :: knock[me] -> serve(me, who)
  od;
#endif
  for (i : 0 .. N-1) { assert(i == me || ran[me * N + i]) }
idle:
end:
  do :: knock[me] -> serve(me, who) od
}
init { byte k; atomic { for (k : 0 .. N-1) { run Cpu(k) } } }
