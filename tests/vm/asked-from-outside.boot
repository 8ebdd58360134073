# An NMI that no CPU has sent, as from the machine's monitor, is answered with where every CPU is and what every thread waits for.
cpus 1 4
append debug=nmi
run /bin/busybox sleep 2
log an NMI from outside, taken by cpu
log held: spin
