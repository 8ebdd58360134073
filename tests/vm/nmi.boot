# A page fault's address survives an NMI that faults itself, and the next NMI waits until that one is over.
append debug=nmi
run /bin/busybox true
log two NMIs came, fault address kept: true
